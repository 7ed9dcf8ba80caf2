/** A wall clock of its own for one process, by libfaketime: it can be set while the process runs; the steady clock stays. */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface WallClock {
  env: NodeJS.ProcessEnv;
  /** It shows this instant now, and goes on from there. */
  set(rfc3339: string): Promise<void>;
  /** It shows what the machine's own does. */
  setRight(): Promise<void>;
}

/** `path`: a file that the process reads its time from. */
export async function makeWallClock(path: string, rfc3339: string): Promise<WallClock> {
  const write = (offsetMs: number) => {
    const seconds = Math.round(offsetMs / 1_000);
    return writeFile(path, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  };
  const set = (text: string) => write(Date.parse(text) - Date.now());
  await set(rfc3339);
  return {
    env: {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: path,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    set,
    setRight: () => write(0),
  };
}

function library(): string {
  const folder = readdirSync("/usr/lib").find((name) => name.endsWith("-linux-gnu")) ?? "";
  return join("/usr/lib", folder, "faketime", "libfaketime.so.1");
}
