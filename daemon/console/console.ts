/**
 * The console's door: listens, bounds what a network may ask of it, and closes. What it answers is in `routes.ts`,
 * who may ask in `access.ts`.
 */
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Clock, Log, Random } from "../../drivers/ports.ts";
import type { TapView } from "../gate/gateway.ts";
import { guardOrigin, isLoopback } from "./access.ts";
import { createLive } from "./live.ts";
import type { Page } from "./page.ts";
import { Password } from "./password.ts";
import { oneATurn } from "./request.ts";
import { type ConsoleRooms, createApp } from "./routes.ts";
import { Sessions } from "./sessions.ts";
import { type Door, guardPerson, sessionRoutes } from "./sign-in.ts";

/** Open pages, their requests, and a few programs. */
const CONNECTIONS_MAX = 128;
/**
 * Requests of one connection that are not answered yet. Browsers send one at a time; thousands in one piece would be taken in one turn
 * of the loop, and their answers held for somebody who does not read them.
 */
const REQUESTS_AT_ONCE_MAX = 4;
const HEADER_BYTES_MAX = 8 * 1024;
const HEADER_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
const IDLE_MS_MAX = 5_000;
/** How often the two limits above are looked at. */
const CHECK_MS = 1_000;

/** `host`: an address or name of this machine. `port`: 0 takes a free one. `tls`: PEM texts, not paths. */
export interface ConsoleSettings {
  host: string;
  port: number;
  password: string | null;
  tls: { cert: string; key: string } | null;
}

export interface Console {
  /**
   * Listens. Rejects, in words fit to be shown, when it cannot; the error's `code` is Node's (`EADDRINUSE`), where
   * there is one.
   */
  start(): Promise<{ url: string }>;
  /** Cuts every connection. Safe at any time. */
  stop(): Promise<void>;
  /** Shows a decided tap to the pages that are open. Returns at once. */
  tapped(view: TapView): void;
}

export function createConsole(
  settings: ConsoleSettings,
  world: { log: Log; clock: Clock; random: Random },
  page: Page,
  rooms: ConsoleRooms,
): Console {
  const loopback = isLoopback(settings.host);
  const live = createLive(world.clock, () => rooms.status());
  const sockets = new Set<Socket>();
  let opening: Promise<Server> | null = null;
  let port = settings.port;

  const door: Door = {
    password: settings.password === null ? null : new Password(settings.password, world),
    required: !loopback,
    secure: settings.tls !== null,
    cookie: () => `grindvakt-${port}`,
    sessions: new Sessions(world),
    page: page.signIn,
    log: world.log,
  };
  const portDefault = settings.tls === null ? 80 : 443;
  const guards = [guardOrigin({ loopback, portDefault }, () => port), guardPerson(door)];
  const app = createApp({ guards, session: sessionRoutes(door), page, live, log: world.log }, rooms);
  const open = async (): Promise<Server> => {
    if (!loopback && !settings.password) {
      throw new Error(
        `console.listen: ${settings.host} is off loopback, and there nothing is served without console.password`,
      );
    }
    const server = createServer(
      settings,
      inMeasure(
        getRequestListener(app.fetch, {
          // The process's own Request and Response stay what they are.
          overrideGlobalObjects: false,
          errorHandler: () =>
            Response.json({ error: "this is no request that can be answered" }, { status: 400 }),
        }),
      ),
    );
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await listen(server, settings);
    // Too many open files: the connection is lost, the gate is not.
    server.on("error", ({ message }) =>
      world.log.error("the console failed to take a connection", { why: message }),
    );
    port = (server.address() as AddressInfo).port;
    if (!loopback && settings.tls === null) {
      world.log.warn("the console's password crosses the network in clear; console.tls would protect it");
    }
    return server;
  };
  return {
    async start() {
      opening ??= open();
      await opening.catch((error: unknown) => {
        opening = null;
        throw error;
      });
      const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
      return { url: `${settings.tls === null ? "http" : "https"}://${host}:${port}` };
    },
    async stop() {
      const server = await opening?.catch(() => null);
      for (const socket of sockets) socket.destroy();
      if (server?.listening) await new Promise<void>((done) => server.close(() => done()));
    },
    tapped: (view) => live.tapped(view),
  };
}

/** Taps come first: what is asked is answered turn by turn. Cuts off who asks on and on without hearing the answers. */
function inMeasure(listener: RequestListener): RequestListener {
  const underWay = new WeakMap<Socket, number>();
  const inTurn = oneATurn();
  return (request, response) => {
    const { socket } = request;
    const count = (underWay.get(socket) ?? 0) + 1;
    // What had come with it is still handed over, one request after the other.
    if (socket.destroyed || count > REQUESTS_AT_ONCE_MAX) return void socket.destroy();
    underWay.set(socket, count);
    response.once("close", () => underWay.set(socket, (underWay.get(socket) ?? 1) - 1));
    inTurn(() => socket.destroyed || listener(request, response));
  };
}

function createServer({ tls }: ConsoleSettings, listener: RequestListener): Server {
  const limits = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: HEADER_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: IDLE_MS_MAX,
    connectionsCheckingInterval: CHECK_MS,
  };
  const server =
    tls === null ? createHttpServer(limits, listener) : createTlsServer({ ...limits, ...tls }, listener);
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

function createTlsServer(options: object, listener: RequestListener): Server {
  try {
    return createHttpsServer({ ...options, handshakeTimeout: HEADER_MS_MAX }, listener);
  } catch (error) {
    throw new Error(`console.tls: the certificate and key cannot be used: ${(error as Error).message}`);
  }
}

function listen(server: Server, { host, port }: ConsoleSettings): Promise<void> {
  return new Promise((done, fail) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why = wordsFor(error, host, port);
      fail(Object.assign(new Error(why), error.code === undefined ? {} : { code: error.code }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      done();
    });
  });
}

function wordsFor({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  switch (code) {
    case "EADDRINUSE":
      return `console.listen: port ${port} on ${host} is taken by another program; choose a free one`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `console.listen: this machine has no address ${host}`;
    case "EACCES":
      return `console.listen: port ${port} needs rights that this program has not; choose one from 1024`;
    default:
      return `console.listen: ${host}:${port} cannot be opened: ${message}`;
  }
}
