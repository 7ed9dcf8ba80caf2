import { stat } from "node:fs/promises";
import { acquireLock } from "../../drivers/lock.ts";
import type { System } from "../../drivers/system.ts";
import { Exit } from "./exit.ts";

/** Does `act`, which writes, under the lock that the gateway would hold, and as its account. */
export async function withLock<T>(dataDir: string, { files }: System, act: () => Promise<T>): Promise<T> {
  await files.makeDirs(dataDir);
  await refuseStranger(dataDir);
  const lock = await acquireLock(dataDir);
  if (lock === null) throw new Exit(1, `another grindvakt holds ${dataDir} and does not answer; try again`);
  try {
    return await act();
  } finally {
    await lock.release();
  }
}

/** What another account writes there, root's not excepted, the gateway could not read when it starts. */
async function refuseStranger(dataDir: string): Promise<void> {
  const { uid } = await stat(dataDir);
  if (process.getuid?.() === uid) return;
  const how = `while the gateway is stopped, run this as that account: sudo -u '#${uid}' grindvakt …`;
  throw new Exit(1, `${dataDir} belongs to account ${uid}; ${how}`);
}
