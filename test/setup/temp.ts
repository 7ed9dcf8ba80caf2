/**
 * All that a run of the tests writes lies in one directory, which goes with the run: also what a test that was ended left there. What a
 * run left that was killed itself goes with the next one.
 */
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default async function setup(): Promise<() => Promise<void>> {
  const place = tmpdir();
  await clear(place, /^grindvakt-run-(\d+)-/);
  const dir = await mkdtemp(join(place, `grindvakt-run-${process.pid}-`));
  // As open as the one it stands for: some tests ask as another account.
  await chmod(dir, 0o755);
  process.env.TMPDIR = dir;
  return async () => {
    await rm(dir, { recursive: true, force: true });
    // What libfaketime had, where its program was killed.
    await clear("/dev/shm", /^(?:sem\.faketime_sem|faketime_shm)_(\d+)$/);
  };
}

/** Removes what belonged to processes, by the id in its name, that are no more. */
async function clear(place: string, name: RegExp): Promise<void> {
  for (const entry of await readdir(place).catch(() => [])) {
    const pid = name.exec(entry)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      // Another account's stays.
      await rm(join(place, entry), { recursive: true, force: true }).catch(() => undefined);
  }
}
