/** A feed in a directory: a disk at hand, a mounted share, a stick that someone carries. */
import { join, resolve } from "node:path";
import type { Disk, DiskFile, FeedSource } from "./ports.ts";

/** Read in pieces of this size, so that a list of any size is a stream. */
const PIECE_BYTES = 64 * 1024;

/**
 * Questions to the disk that are open at once: one, and one that a reader no longer waits for. A share whose server is
 * gone answers none, and each holds one of the process's four disk threads: the journal needs the others.
 */
const ASKED_MAX = 2;

/** The files of `directory` (an absolute path, or one from where the process stands). One file at a time. */
export function createDirectorySource(directory: string, disk: Pick<Disk, "open">): FeedSource {
  const root = resolve(directory);
  let asked = 0;
  const asking: Asking = async (ask) => {
    asked += 1;
    try {
      return await ask();
    } finally {
      asked -= 1;
    }
  };
  return {
    name: root,
    async fetch(path) {
      if (asked >= ASKED_MAX)
        return {
          kind: "unreachable",
          why: `${root} does not answer: is the share or the stick still there?`,
        };
      try {
        const file = await asking(() => disk.open(join(root, path), "read"));
        return { kind: "found", body: pieces(file, asking) };
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ENOTDIR") return { kind: "missing" };
        return { kind: "unreachable", why: `${join(root, path)}: ${message}` };
      }
    },
  };
}

type Asking = <Answer>(ask: () => Promise<Answer>) => Promise<Answer>;

async function* pieces(file: DiskFile, asking: Asking): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let offset = 0; ; ) {
      const piece = await asking(() => file.read(offset, PIECE_BYTES));
      if (piece.length === 0) return;
      yield piece;
      offset += piece.length;
    }
  } finally {
    await file.close();
  }
}
