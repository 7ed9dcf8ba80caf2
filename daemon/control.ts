/**
 * The control socket (CONTRACT 2): how commands reach the running daemon. One JSON object a line each way:
 * `{"method", "params"}` asks, `{"result"}` or `{"error"}` answers. The socket's mode is 0600: who may open it is who runs the daemon.
 */
import { chmod, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { closedTo, wordsOf } from "./words.ts";

/** A request is a card number or a few options. */
const REQUEST_BYTES_MAX = 64 * 1024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const CONNECTIONS_MAX = 16;
const ANSWER_MS_MAX = 10_000;
/** What fits into a socket's address beside its end (unix(7)). What is longer is cut without a word, and leads elsewhere. */
const PATH_BYTES_MAX = 107;

export type ControlMethod = (params: Readonly<Record<string, unknown>>) => Promise<unknown> | unknown;
export type ControlMethods = Readonly<Record<string, ControlMethod>>;

export interface ControlServer {
  stop(): Promise<void>;
}

/** Listens at `path`; one left over from a crash is replaced (the caller holds the daemon's lock). */
export async function serveControl(path: string, methods: ControlMethods): Promise<ControlServer> {
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
    serveSocket(socket, methods);
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

function serveSocket(socket: Socket, methods: ControlMethods): void {
  onLines(socket, REQUEST_BYTES_MAX, async (text) => {
    const answer = await answerTo(text, methods);
    if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
  });
}

async function answerTo(
  text: string,
  methods: ControlMethods,
): Promise<{ result: unknown } | { error: string }> {
  try {
    const { method, params } = JSON.parse(text) as { method?: unknown; params?: unknown };
    const serve = typeof method === "string" && Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (serve === undefined) return { error: `this daemon knows no ${String(method)}` };
    const result = await serve(typeof params === "object" && params !== null ? { ...params } : {});
    return { result: result ?? null };
  } catch (error) {
    return { error: wordsOf(error) };
  }
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
      answer({ kind: "error", why: "the daemon does not answer" });
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const isNobody = error.code === "ENOENT" || error.code === "ECONNREFUSED";
      if (isNobody) return answer({ kind: "none" });
      answer({ kind: "error", why: error.code === "EACCES" ? closedTo(path) : `${path}: ${error.message}` });
    });
    socket.on("close", () => answer({ kind: "error", why: "the daemon hung up" }));
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
