/**
 * The machine we run on, behind the ports: its clock, its chance and its disk.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, stat, statfs, unlink } from "node:fs/promises";
import { uptime } from "node:os";
import { Deadlines } from "./deadlines.ts";
import { createFiles } from "./files.ts";
import type { Clock, Disk, DiskFile, Files, Random } from "./ports.ts";
import { systemTrustSources, type TrustSources, wallClockTrusted } from "./system-trust.ts";

/** A UUID and a line feed. */
const BOOT_ID_BYTES_MAX = 64;

/** The machine, whole, as the daemon and the commands use it. */
export interface System {
  clock: Clock;
  random: Random;
  files: Files;
}

/** Its clock knows whether it can be trusted, and goes on looking until `stop`. */
export async function createSystem(): Promise<System & { stop(): void }> {
  const clock = createSystemClock();
  await clock.start();
  const files = createFiles(createSystemDisk(), systemRandom);
  return { clock, random: systemRandom, files, stop: () => clock.stop() };
}

/** The kernel's name for this start of the machine (null where it gives none), and for how long that has been up. */
export async function machineUptime(files: Files): Promise<{ boot: string | null; uptimeMs: number }> {
  const name = await files.read("/proc/sys/kernel/random/boot_id", BOOT_ID_BYTES_MAX).catch(() => null);
  const boot = name === null ? null : Buffer.from(name).toString("latin1").trim();
  return { boot, uptimeMs: Math.round(uptime() * 1_000) };
}

// ---------------------------------------------------------------- chance

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
  fraction: () => Math.random(),
};

// ---------------------------------------------------------------- time

/** `start` looks whether the time is synchronised and keeps looking until it is; before it, nothing is trusted. */
export interface SystemClock extends Clock {
  start(): Promise<void>;
  stop(): void;
}

/** Node takes longer delays for one millisecond; a longer wait is made of several. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** How often an unsynchronised clock is looked at again, until it is synchronised: a few files, and more rarely a program. */
const TRUST_LOOK_MS = 1_000;
const TRUST_ASK_MS = 30_000;

export function createSystemClock(sources: TrustSources = systemTrustSources): SystemClock {
  const monotonicMs = () => performance.now();
  const deadlines = new Deadlines();
  let alarm: NodeJS.Timeout | undefined;
  let next: NodeJS.Immediate | undefined;
  /** What the alarm is set for. */
  let armedMs: number | null = null;
  let trusted = false;
  let poll: NodeJS.Timeout | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;

  // Node counts a delay from the start of the loop's turn, so that a timer set after long work would fire too
  // early; and it orders timers of different delays only roughly. Hence our own queue and one alarm for its head.
  function arm(): void {
    const nextMs = deadlines.nextMs;
    if (nextMs === armedMs) return;
    clearTimeout(alarm);
    clearImmediate(next);
    armedMs = nextMs;
    if (nextMs === null) return;
    const waitMs = Math.ceil(nextMs - monotonicMs());
    // What is due goes on in the next turn of the loop: a timeout is never shorter than 1 ms, and sleeping costs a busy machine more.
    if (waitMs <= 0) next = setImmediate(fireDue);
    else alarm = setTimeout(fireDue, Math.min(waitMs, TIMEOUT_MAX_MS));
  }

  function fireDue(): void {
    const nowMs = monotonicMs();
    armedMs = null;
    try {
      for (let fire = deadlines.take(nowMs); fire !== null; fire = deadlines.take(nowMs)) fire();
    } finally {
      arm();
    }
  }

  async function timedatectl(): ReturnType<TrustSources["timedatectl"]> {
    if (monotonicMs() - askedMs < TRUST_ASK_MS) return "no";
    askedMs = monotonicMs();
    return sources.timedatectl();
  }

  async function look(): Promise<void> {
    trusted ||= await wallClockTrusted({ ...sources, timedatectl });
    if (trusted) clearInterval(poll);
  }

  return {
    monotonicMs,
    wallMs: () => Date.now(),
    trusted: () => trusted,
    after(delayMs, fire) {
      const timer = deadlines.add(monotonicMs() + Math.max(delayMs, 0), fire);
      arm();
      return {
        cancel() {
          timer.cancel();
          arm();
        },
      };
    },
    async start() {
      clearInterval(poll);
      // Waiting for the time must not keep a process alive that has nothing else to do.
      poll = setInterval(look, TRUST_LOOK_MS).unref();
      await look();
    },
    stop: () => clearInterval(poll),
  };
}

// ---------------------------------------------------------------- disk

/** Only the gateway's own user reads what it keeps: card numbers and secrets are in there. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const OPEN_FLAGS = {
  // Of files it changes nothing. A named pipe would hold one of the process's four disk threads until somebody writes to it.
  read: constants.O_RDONLY | constants.O_NONBLOCK,
  // O_DSYNC: write and fdatasync in one call, and so in one turn of the thread that makes it.
  append: constants.O_RDWR | constants.O_APPEND | constants.O_DSYNC,
  new: constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL,
};

export function createSystemDisk(): Disk {
  return {
    open: async (path, mode) => diskFile(await open(path, OPEN_FLAGS[mode], FILE_MODE), path),
    rename,
    unlink,
    list: (path) => readdir(path),

    async makeDir(path) {
      try {
        await mkdir(path, DIRECTORY_MODE);
      } catch (error) {
        const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
        if (!isThere || !(await stat(path)).isDirectory()) throw error;
      }
    },

    async syncDir(path) {
      const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },

    async freeBytes(path) {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    },
  };
}

function diskFile(handle: FileHandle, path: string): DiskFile {
  return {
    async sizeBytes() {
      const found = await handle.stat();
      // Opened like a file, and of a size like one.
      if (found.isDirectory())
        throw Object.assign(new Error(`${path} is a folder, not a file`), { code: "EISDIR", path });
      return found.size;
    },

    async read(offset, lengthBytes) {
      const bytes = new Uint8Array(lengthBytes);
      let haveBytes = 0;
      while (haveBytes < lengthBytes) {
        const { bytesRead } = await handle
          .read(bytes, haveBytes, lengthBytes - haveBytes, offset + haveBytes)
          // The system does not say of what.
          .catch((error: Error) => Promise.reject(Object.assign(error, { path })));
        if (bytesRead === 0) break;
        haveBytes += bytesRead;
      }
      return bytes.subarray(0, haveBytes);
    },

    async write(bytes) {
      // A write may take only a part, near a full disk or a limit; asking again brings the rest or the error.
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done);
        if (bytesWritten === 0)
          throw Object.assign(new Error("EIO: the disk takes no more bytes"), { code: "EIO" });
        done += bytesWritten;
      }
    },

    sync: () => handle.datasync(),
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    close: () => handle.close(),
  };
}
