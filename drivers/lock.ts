/**
 * One process at a time over a data directory. The lock is a name in Linux's abstract socket space: the kernel gives it
 * to one process only and takes it back when that process ends, however it ends, so there is no stale lock to clear.
 */
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";

export interface Lock {
  release(): Promise<void>;
}

/** Whoever only looks something up holds it for less than this. */
const PATIENCE_MS = 2_000;
const LOOK_MS = 50;

/** Null when another process holds it and goes on holding it. `dir` must exist. */
export async function acquireLock(dir: string): Promise<Lock | null> {
  const name = createHash("sha256")
    .update(await realpath(dir))
    .digest("hex")
    .slice(0, 32);
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const lock = await tryLock(`\0grindvakt-${name}`);
    if (lock !== null || performance.now() > deadlineMs) return lock;
    await new Promise((go) => setTimeout(go, LOOK_MS));
  }
}

function tryLock(name: string): Promise<Lock | null> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((answer, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") answer(null);
      else fail(error);
    });
    server.listen(name, () => {
      server.unref();
      answer({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}
