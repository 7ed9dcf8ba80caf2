/** A serial device server: takes TCP connections on a port of its own, goes away and comes back to the same port. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export class TcpDevice {
  /** What it was sent since it last came. */
  received: Buffer = Buffer.alloc(0);
  #port = 0;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();

  static async listen(): Promise<TcpDevice> {
    const device = new TcpDevice();
    await device.comeBack();
    return device;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async comeBack(): Promise<void> {
    if (this.#server) return;
    this.received = Buffer.alloc(0);
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("data", (bytes) => {
        this.received = Buffer.concat([this.received, bytes]);
      });
    });
    this.#server = server;
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Ends every connection at once and listens no more. */
  async vanish(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Sends to every connection. */
  async send(bytes: string | Uint8Array): Promise<void> {
    while (this.#sockets.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const socket of this.#sockets) socket.write(bytes);
  }

  /** Reads nothing any more, and ends nothing. */
  stall(): void {
    for (const socket of this.#sockets) socket.pause();
  }
}
