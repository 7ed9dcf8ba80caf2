import { basename, dirname, join } from "node:path";
import type { Disk, DiskFile, Files, Random } from "./ports.ts";

/** What a replacement is called until it is whole: `name.tmp-` and twelve hex digits, so that two never meet. */
const TEMPORARY = /\.tmp-[0-9a-f]{12}$/;
const TEMPORARY_ID_BYTES = 6;

/** How much is asked for at once of a file that is longer than it said (it grows, or is none: `/proc`, `/sys`). */
const READ_STEP_BYTES = 64 * 1024;

/**
 * The habits that keep data whole, over any disk. Replacements of one file are done one after the other, in the
 * order they were asked for. Two processes must not replace the same file at once (the data directory's lock sees
 * to that): one of them would be refused with `ENOENT`, never a half file.
 */
export function createFiles(disk: Disk, random: Random): Files {
  /** The last replacement under way of each path; an entry leaves when its replacement is done. */
  const replacing = new Map<string, Promise<void>>();

  return {
    open: (path, mode) => disk.open(path, mode),
    rename: (from, to) => disk.rename(from, to),
    unlink: (path) => disk.unlink(path),
    makeDir: (path) => disk.makeDir(path),
    syncDir: (path) => disk.syncDir(path),
    list: (path) => disk.list(path),
    freeBytes: (path) => disk.freeBytes(path),

    async read(path, sizeBytesMax) {
      const file = await unlessMissing(disk.open(path, "read"));
      if (file === null) return null;
      return closing(file, () => readWhole(file, path, sizeBytesMax));
    },

    replace(path, content) {
      const before = replacing.get(path) ?? Promise.resolve();
      const mine = before.catch(() => undefined).then(() => replaceNow(disk, random, path, content));
      replacing.set(path, mine);
      const leave = () => {
        if (replacing.get(path) === mine) replacing.delete(path);
      };
      mine.then(leave, leave);
      return mine;
    },

    async remove(path) {
      await unlessMissing(disk.unlink(path));
      // Also when it was gone already: the process that removed it may have died before it synced.
      await unlessMissing(disk.syncDir(dirname(path)));
    },

    makeDirs: (path) => makeDirs(disk, path),

    async names(path) {
      const names = (await unlessMissing(disk.list(path))) ?? [];
      return names.filter((name) => !TEMPORARY.test(name)).sort();
    },
  };
}

async function readWhole(file: DiskFile, path: string, sizeBytesMax: number): Promise<Uint8Array> {
  const sizeBytes = await file.sizeBytes();
  if (sizeBytes > sizeBytesMax) throw tooLarge(path, sizeBytesMax);
  const pieces: Uint8Array[] = [];
  let haveBytes = 0;
  // One byte more than the size it claims: a short answer then proves the end of the file.
  let stepBytes = sizeBytes + 1;
  for (;;) {
    const askedBytes = Math.min(stepBytes, sizeBytesMax + 1 - haveBytes);
    const piece = await file.read(haveBytes, askedBytes);
    haveBytes += piece.length;
    if (haveBytes > sizeBytesMax) throw tooLarge(path, sizeBytesMax);
    pieces.push(piece);
    if (piece.length < askedBytes) return pieces.length === 1 ? piece : joined(pieces, haveBytes);
    stepBytes = READ_STEP_BYTES;
  }
}

async function replaceNow(
  disk: Disk,
  random: Random,
  path: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<void> {
  const directory = dirname(path);
  await removeLeftovers(disk, directory, basename(path));
  const id = Array.from(random.bytes(TEMPORARY_ID_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
  const temporary = `${path}.tmp-${id}`;
  const file = await disk.open(temporary, "new");
  try {
    await closing(file, async () => {
      if (content instanceof Uint8Array) await file.write(content);
      else for await (const piece of content) await file.write(piece);
      await file.sync();
    });
    await disk.rename(temporary, path);
  } catch (error) {
    // What stopped the replacement is what the caller must hear; a temporary that stays is removed by the next one.
    await disk.unlink(temporary).catch(() => undefined);
    throw error;
  }
  await disk.syncDir(directory);
}

/** Temporaries of this file that a crash or a failing disk left behind. */
async function removeLeftovers(disk: Disk, directory: string, name: string): Promise<void> {
  for (const entry of await disk.list(directory)) {
    const isLeftover = TEMPORARY.test(entry) && entry.replace(TEMPORARY, "") === name;
    if (isLeftover) await unlessMissing(disk.unlink(join(directory, entry)));
  }
}

/** Top down. A directory that is there is synced too: who made it may have died before it did. */
async function makeDirs(disk: Disk, path: string): Promise<void> {
  const parent = dirname(path);
  try {
    await disk.makeDir(path);
  } catch (error) {
    if (!isMissing(error) || parent === path) throw error;
    await makeDirs(disk, parent);
    await disk.makeDir(path);
  }
  await disk.syncDir(parent);
}

/** Runs `use` and closes the file whatever came of it; the failure of `use` is the one that is told. */
async function closing<T>(file: DiskFile, use: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await use();
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  await file.close();
  return result;
}

async function unlessMissing<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "ENOENT";
}

function tooLarge(path: string, sizeBytesMax: number): Error {
  const message = `${path} is larger than the ${sizeBytesMax} bytes that are read of it`;
  return Object.assign(new Error(message), { code: "EFBIG", path });
}

function joined(pieces: Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
