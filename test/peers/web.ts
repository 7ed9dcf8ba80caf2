/** A web server for a feed: static files over real sockets, and the ways real servers answer otherwise. */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";

export interface Web {
  /** With a slash at its end. */
  url: string;
  /** Every path that was asked for, in order. */
  asked: string[];
  /** Connections taken so far. */
  connections(): number;
  /** Answers that are under way. */
  open(): number;
  stop(): Promise<void>;
}

/** Answers before the files do; true when it has. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Serves `directory` on a free port of this machine; with `tls`, over https. */
export async function serveWeb(
  directory: string,
  { answer = () => false, tls }: { answer?: Answer; tls?: ServerOptions } = {},
): Promise<Web> {
  const asked: string[] = [];
  let connections = 0;
  let open = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://web").pathname);
    asked.push(path);
    open += 1;
    response.once("close", () => {
      open -= 1;
    });
    if (answer(request, response)) return;
    try {
      response.end(await readFile(join(directory, normalize(path))));
    } catch {
      response.writeHead(404).end("not found");
    }
  };
  const server: Server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/`,
    asked,
    connections: () => connections,
    open: () => open,
    async stop() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
