/**
 * The machine as `doctor` looks at it: files, devices, /proc and /sys.
 */
import { constants } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { connect } from "node:net";
import type { Machine, Seen } from "./ports.ts";

/** Ten times /proc/modules, the longest text that is asked for. */
const TEXT_BYTES_MAX = 64 * 1024;
/** A socket of this machine answers at once, or nobody is there. */
const ANSWER_MS_MAX = 2_000;

/** `root`: the directory that stands for `/`, so that a machine may be made up of files. */
export function createMachine(root = ""): Machine {
  const at = (path: string): string => `${root}${path}`;
  return {
    uid: process.getuid?.() ?? -1,
    look: (path) => look(at(path)).catch(() => null),
    text: (path) => text(at(path)).catch(() => null),
    names: async (path) => (await readdir(at(path)).catch(() => [])).sort(),
    target: async (path) => {
      const target = await realpath(at(path)).catch(() => null);
      return target?.startsWith(root) ? target.slice(root.length) : target;
    },
    answers: (path) => answers(at(path)),
  };
}

async function look(path: string): Promise<Seen> {
  const seen = await stat(path);
  const kind = seen.isFile()
    ? "file"
    : seen.isDirectory()
      ? "directory"
      : seen.isSocket()
        ? "socket"
        : seen.isCharacterDevice()
          ? "device"
          : "other";
  return { kind, mode: seen.mode & 0o7777, uid: seen.uid, gid: seen.gid };
}

async function text(path: string): Promise<string> {
  // A named pipe must not hold us until somebody writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(TEXT_BYTES_MAX);
    let haveBytes = 0;
    // /proc gives a page at a time.
    while (haveBytes < TEXT_BYTES_MAX) {
      const { bytesRead } = await file.read(bytes, haveBytes, TEXT_BYTES_MAX - haveBytes, null);
      if (bytesRead === 0) break;
      haveBytes += bytesRead;
    }
    return bytes.subarray(0, haveBytes).toString("utf8");
  } finally {
    await file.close();
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(path);
    const end = (isThere: boolean): void => {
      socket.destroy();
      answer(isThere);
    };
    socket.setTimeout(ANSWER_MS_MAX, () => end(false));
    socket.on("connect", () => end(true));
    socket.on("error", () => end(false));
  });
}
