/**
 * The control socket (CONTRACT 2): how commands reach the running daemon. One JSON object a line each way:
 * `{"method", "params"}` asks, `{"result"}` or `{"error"}` answers; a method that streams answers `{"watching"}`, and sends `{"item"}`
 * lines until either side hangs up. The socket's mode is 0600: who may open it is who runs the daemon.
 */
import { chmod, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { closedTo, wordsOf } from "./words.ts";

/** A request is a card number or a few options. */
const REQUEST_BYTES_MAX = 64 * 1024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const CONNECTIONS_MAX = 16;
const ANSWER_MS_MAX = 10_000;
/** Requests of one connection that are not answered yet; our own commands have one. Who asks on is hung up on. */
const ASKED_MAX = 16;
/** What waits for a watcher who does not read: a screenful of the busiest reader. Beyond it items are left out and counted. */
const STREAM_BYTES_MAX = 256 * 1024;
/** Answers that wait for somebody who asks and does not read: he is hung up on. */
const UNREAD_BYTES_MAX = STREAM_BYTES_MAX;
/** What fits into a socket's address beside its end (unix(7)). What is longer is cut without a word, and leads elsewhere. */
const PATH_BYTES_MAX = 107;

/** It serves `CONNECTIONS_MAX` at a time. */
const HUNG_UP = "the daemon hung up: it stops, or serves as many others as it can";

export type ControlMethod = (params: Readonly<Record<string, unknown>>) => Promise<unknown> | unknown;
export type ControlMethods = Readonly<Record<string, ControlMethod>>;

/** Hands items to `send` until the returned function is called. Throws, in words, what it cannot do. */
export type ControlStream = (
  params: Readonly<Record<string, unknown>>,
  send: (item: unknown) => void,
) => () => void;
export type ControlStreams = Readonly<Record<string, ControlStream>>;

export interface ControlServer {
  stop(): Promise<void>;
}

/** Listens at `path`; one left over from a crash is replaced (the caller holds the daemon's lock). */
export async function serveControl(
  path: string,
  methods: ControlMethods,
  streams: ControlStreams = {},
): Promise<ControlServer> {
  if (isTooLong(path))
    throw new Error(
      `${path} is longer than the ${PATH_BYTES_MAX} bytes of a socket's name: choose a shorter dataDir`,
    );
  await unlink(path).catch(ignoreMissing);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    serveSocket(socket, methods, streams);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, path);
  await chmod(path, 0o600);
  return {
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
      await unlink(path).catch(ignoreMissing);
    },
  };
}

function serveSocket(socket: Socket, methods: ControlMethods, streams: ControlStreams): void {
  let isStreaming = false;
  let asked = 0;
  const answer = (value: object): void => {
    if (!socket.destroyed) socket.write(`${JSON.stringify(value)}\n`);
  };
  onLines(socket, REQUEST_BYTES_MAX, async (text) => {
    // One thing at a time: who watches asks nothing else over the same socket.
    if (isStreaming || socket.destroyed) return;
    if (asked >= ASKED_MAX || socket.writableLength > UNREAD_BYTES_MAX) return void socket.destroy();
    asked += 1;
    try {
      const { method, params } = requestOf(text);
      if (Object.hasOwn(streams, method)) {
        isStreaming = true;
        const stop = streams[method]?.(params, sendingTo(socket));
        if (stop !== undefined) socket.on("close", stop);
        return answer({ watching: true });
      }
      const serve = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (serve === undefined) return answer({ error: `this daemon knows no ${method}` });
      answer({ result: (await serve(params)) ?? null });
    } catch (error) {
      isStreaming = false;
      answer({ error: wordsOf(error) });
    } finally {
      asked -= 1;
    }
  });
}

function requestOf(text: string): { method: string; params: Readonly<Record<string, unknown>> } {
  const { method, params } = (JSON.parse(text) ?? {}) as { method?: unknown; params?: unknown };
  if (typeof method !== "string") throw new Error('a request is {"method": …, "params": {…}}');
  return {
    method,
    params: typeof params === "object" && params !== null ? { ...params } : {},
  };
}

/** Never waits: for a watcher who is slow, what does not fit is left out, and then said so. */
function sendingTo(socket: Socket): (item: unknown) => void {
  let leftOut = 0;
  return (item) => {
    if (socket.destroyed) return;
    if (socket.writableLength > STREAM_BYTES_MAX) {
      leftOut += 1;
      return;
    }
    const line = leftOut === 0 ? { item } : { leftOut, item };
    leftOut = 0;
    socket.write(`${JSON.stringify(line)}\n`);
  };
}

/** `none`: no daemon listens there. */
export type ControlAnswer =
  | { kind: "result"; result: unknown }
  | { kind: "error"; why: string }
  | { kind: "none" };

/** Asks the running daemon. Never rejects. */
export function askControl(path: string, method: string, params: object): Promise<ControlAnswer> {
  if (isTooLong(path)) return Promise.resolve({ kind: "none" });
  return new Promise((answer) => {
    const socket = connect(path);
    socket.setTimeout(ANSWER_MS_MAX, () => {
      socket.destroy();
      answer({ kind: "error", why: "the daemon does not answer: restart it, and see its log for why" });
    });
    socket.on("error", (error: NodeJS.ErrnoException) => answer(failureOf(error, path)));
    socket.on("close", () => answer({ kind: "error", why: HUNG_UP }));
    onLines(socket, ANSWER_BYTES_MAX, (text) => {
      const parsed = JSON.parse(text) as { result?: unknown; error?: string };
      answer(
        parsed.error === undefined
          ? { kind: "result", result: parsed.result }
          : { kind: "error", why: parsed.error },
      );
      socket.end();
    });
    socket.write(`${JSON.stringify({ method, params })}\n`);
  });
}

/** Why a stream is over: `none`, no daemon listens; `error`, it refused or is gone; `stopped`, by `signal`. */
export type StreamEnd = { kind: "none" } | { kind: "error"; why: string } | { kind: "stopped" };

export interface StreamEvents {
  /** The daemon takes us for a watcher. */
  watching(): void;
  /** `leftOut`: how many items before this one were not sent. */
  take(item: unknown, leftOut: number): void;
}

/** Watches what a method of the running daemon streams. Never rejects. */
export function watchControl(
  path: string,
  method: string,
  params: object,
  events: StreamEvents,
  signal: AbortSignal,
): Promise<StreamEnd> {
  if (isTooLong(path)) return Promise.resolve({ kind: "none" });
  return new Promise((end) => {
    const socket = connect(path);
    const stop = (): void => void socket.destroy();
    const over = (outcome: StreamEnd): void => {
      signal.removeEventListener("abort", stop);
      end(signal.aborted ? { kind: "stopped" } : outcome);
      socket.destroy();
    };
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    socket.on("error", (error: NodeJS.ErrnoException) => over(failureOf(error, path)));
    socket.on("close", () => over({ kind: "error", why: HUNG_UP }));
    onLines(socket, ANSWER_BYTES_MAX, (text) => {
      const { item, leftOut, error, watching } = JSON.parse(text) as {
        item?: unknown;
        leftOut?: number;
        error?: string;
        watching?: true;
      };
      if (error !== undefined) over({ kind: "error", why: error });
      else if (watching) events.watching();
      else events.take(item, leftOut ?? 0);
    });
    socket.write(`${JSON.stringify({ method, params })}\n`);
  });
}

function failureOf(
  error: NodeJS.ErrnoException,
  path: string,
): { kind: "none" } | { kind: "error"; why: string } {
  if (["ENOENT", "ENOTDIR", "ECONNREFUSED"].includes(error.code ?? "")) return { kind: "none" };
  if (error.code === "EPIPE" || error.code === "ECONNRESET") return { kind: "error", why: HUNG_UP };
  return { kind: "error", why: error.code === "EACCES" ? closedTo(path) : `${path}: ${error.message}` };
}

function onLines(socket: Socket, lineBytesMax: number, take: (text: string) => void): void {
  let carry = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = (carry + text).split("\n");
    carry = lines.pop() ?? "";
    if (carry.length > lineBytesMax) {
      socket.destroy();
      return;
    }
    for (const line of lines) take(line);
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(path, () => done());
  });
}

function isTooLong(path: string): boolean {
  return Buffer.byteLength(path) > PATH_BYTES_MAX;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
