/**
 * Starts the PC/SC process and is the wire to it: a `Channel` like one to any device, whose other end is a process of ours.
 * It is never asked to end, it is killed: its native layer would not.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Channel, ChannelEvents } from "./ports.ts";

/** Like `OpenChannel`, for the one PC/SC process. */
export type OpenPcsc = (events: ChannelEvents) => Promise<Channel>;

/** Where libpcsclite looks for pcscd, and so do we. */
const SOCKET = "/run/pcscd/pcscd.comm";
/** A socket on the same machine answers at once, or nobody is behind it. */
const PROBE_MS_MAX = 1_000;
/** A killed process that does not go (it hangs in the kernel) is not waited for. */
const KILL_MS_MAX = 1_000;
/** One reader that takes its time (a light that blinks) must not keep the others waiting: pcscd has 16 at most. */
const THREADS = 32;

export const startPcscProcess: OpenPcsc = (events) =>
  openPcscProcess(fileURLToPath(new URL("./pcsc-child.js", import.meta.url)), SOCKET, events);

/** Rejects with words that say what to do. `childFile`: compiled pcsc-child. */
export async function openPcscProcess(
  childFile: string,
  socketPath: string,
  events: ChannelEvents,
): Promise<Channel> {
  // Without pcscd the native layer would spin for ever in its constructor.
  await probe(socketPath);
  const child = spawn(process.execPath, [childFile], {
    stdio: ["pipe", "ignore", "ignore", "pipe"],
    env: { ...process.env, PCSCLITE_CSOCK_NAME: socketPath, UV_THREADPOOL_SIZE: String(THREADS) },
  });
  if (child.pid === undefined) {
    // No pipes either, where files have run out.
    const [error] = (await once(child, "error")) as [Error];
    throw new Error(`the PC/SC process cannot be started: ${error.message}`);
  }
  const stdin = child.stdio[0] as Writable;
  const out = child.stdio[3] as Duplex;
  let isClosed = false;
  const exited = once(child, "exit").catch(() => undefined);
  const lost = (why: string) => {
    if (isClosed) return;
    isClosed = true;
    child.kill("SIGKILL");
    events.closed(why);
  };
  child.on("error", (error) => lost(`the PC/SC process cannot be started: ${error.message}`));
  stdin.on("error", () => lost("the PC/SC process takes no commands"));
  out.on("error", () => lost("the PC/SC process has ended"));
  out.on("data", (bytes: Buffer) => {
    if (!isClosed) events.data(bytes);
  });
  // At `close` all that it has said has been heard: its last words are the better reason.
  out.on("close", () => lost("the PC/SC process has ended"));
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stdin.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => {
      isClosed = true;
      child.kill("SIGKILL");
      await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, KILL_MS_MAX).unref())]);
      stdin.destroy();
      out.destroy();
    },
  };
}

async function probe(socketPath: string): Promise<void> {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(PROBE_MS_MAX) });
  } catch (error) {
    throw new Error(wordsOf(error as NodeJS.ErrnoException));
  } finally {
    socket.destroy();
  }
}

function wordsOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return "pcscd is not running: sudo systemctl enable --now pcscd.socket";
    case "EACCES":
      return "pcscd lets this user not in: docs/pcsc.md says how it does";
    default:
      return `pcscd does not answer: ${error.message}`;
  }
}
