/**
 * A wire that can fail: a TCP proxy on loopback between a client and a server, to be cut or stalled at will.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  port: number;
  /** Connections that are open now. */
  connections(): number;
  /** Ends every connection at once; new ones are taken. */
  cut(): void;
  /** Passes nothing in either direction, and keeps what comes, until `flow`. */
  stall(): void;
  /** Passes nothing from the server to the client (its answers are thrown away), until `flow`. */
  swallowAnswers(): void;
  flow(): void;
  /** Until `accept`, connections are ended as soon as they come. */
  refuse(): void;
  accept(): void;
  stop(): Promise<void>;
}

interface Pair {
  client: Socket;
  server: Socket;
}

export async function startTcpProxy(targetPort: number, targetHost = "127.0.0.1"): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let state: "flowing" | "stalled" | "swallowing" = "flowing";
  let refusing = false;

  function apply({ client, server }: Pair): void {
    if (state === "stalled") {
      client.pause();
      server.pause();
    } else {
      client.resume();
      server.resume();
    }
  }

  const listener = createServer((client) => {
    if (refusing) {
      client.on("error", () => {}).destroy();
      return;
    }
    const server = connect(targetPort, targetHost);
    const pair = { client, server };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", end).on("close", end);
    }
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => {
      if (state !== "swallowing") client.write(bytes);
    });
    apply(pair);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");

  function become(next: typeof state): void {
    state = next;
    for (const pair of pairs) apply(pair);
  }

  function cut(): void {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
    pairs.clear();
  }

  return {
    port: (listener.address() as AddressInfo).port,
    connections: () => pairs.size,
    cut,
    stall: () => become("stalled"),
    swallowAnswers: () => become("swallowing"),
    flow: () => become("flowing"),
    refuse: () => {
      refusing = true;
    },
    accept: () => {
      refusing = false;
    },
    stop: async () => {
      cut();
      listener.close();
      await once(listener, "close");
    },
  };
}
