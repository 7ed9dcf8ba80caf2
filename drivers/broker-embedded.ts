/**
 * A broker in our own process, on loopback, for the demonstration and for tests: never for a site. It speaks 3.1.1
 * (aedes has no MQTT 5) and keeps nothing.
 */
import { type AddressInfo, createServer, type Server } from "node:net";
import { Aedes } from "aedes";

export interface EmbeddedBroker {
  url: string;
  port: number;
  /** Resolves when no connection and no port is left. */
  stop(): Promise<void>;
}

/** Takes `port`, or a free one when it is taken or 0. Rejects when `host` cannot be listened on. */
export async function startEmbeddedBroker({ host = "127.0.0.1", port = 0 } = {}): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  try {
    await listen(server, host, port).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") throw error;
      return listen(server, host, 0);
    });
  } catch (error) {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    throw error;
  }
  const taken = (server.address() as AddressInfo).port;
  return {
    url: `mqtt://${host.includes(":") ? `[${host}]` : host}:${taken}`,
    port: taken,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // aedes closes its clients, without which the server would wait for them.
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
