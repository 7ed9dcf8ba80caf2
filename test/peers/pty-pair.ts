/** A serial cable that is not there: two pseudo-terminals held by one socat process, each the other's far end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const layMsMax = 20_000;

export interface PtyPair {
  /** The devices' names. */
  near: string;
  far: string;
  dispose(): Promise<void>;
}

export async function layCable(): Promise<PtyPair> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-cable-"));
  const [near, far] = [join(dir, "near"), join(dir, "far")];
  // `ignoreeof`: a program that closes its end and opens it again must find it.
  const ends = [near, far].map((path) => `pty,rawer,link=${path},ignoreeof`);
  const socat = spawn("socat", ends, { stdio: "ignore" });
  const ended = once(socat, "exit");
  ended.catch(() => {});
  const deadlineMs = performance.now() + layMsMax;
  const isThere = async () =>
    (await Promise.allSettled([stat(near), stat(far)])).every(({ status }) => status === "fulfilled");
  while (!(await isThere())) {
    if (socat.exitCode !== null) throw new Error("socat ended by itself: is it installed?");
    if (performance.now() > deadlineMs) throw new Error("socat made no pseudo-terminals");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return {
    near,
    far,
    async dispose() {
      socat.kill("SIGKILL");
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
