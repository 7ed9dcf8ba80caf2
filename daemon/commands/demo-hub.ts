/**
 * The demo's reader: a serial device server on loopback that hands on, line by line, what several connections send.
 * People connect to `port`; the gateway's own serial reader is on the other side, at `readerPort`.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

const CONNECTIONS_MAX = 32;
/** Longer lines are handed on in pieces, and the gateway's framer deals with them as with any noise. */
const LINE_BYTES_MAX = 1_024;
const LINE_FEED = 10;

export interface DemoHub {
  port: number;
  readerPort: number;
  stop(): Promise<void>;
}

/** `port`: where people send cards, if it is free. */
export async function startDemoHub(port: number): Promise<DemoHub> {
  const sockets = new Set<Socket>();
  const cables = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      cables.delete(socket);
    });
  };
  const readerSide = createServer((socket) => {
    keep(socket);
    cables.add(socket);
    socket.resume();
  });
  const peopleSide = createServer((socket) => {
    keep(socket);
    handOnLines(socket, (line) => {
      for (const cable of cables) cable.write(line);
    });
  });
  peopleSide.maxConnections = CONNECTIONS_MAX;
  const taken = await listen(peopleSide, port).catch(() => listen(peopleSide, 0));
  const readerPort = await listen(readerSide, 0);
  return {
    port: taken,
    readerPort,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([peopleSide, readerSide].map((server) => new Promise((done) => server.close(done))));
    },
  };
}

function handOnLines(socket: Socket, handOn: (line: Uint8Array) => void): void {
  let carry = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    carry = Buffer.concat([carry, bytes]);
    const end = carry.lastIndexOf(LINE_FEED) + 1;
    const whole = end > 0 ? end : carry.length > LINE_BYTES_MAX ? carry.length : 0;
    if (whole > 0) handOn(carry.subarray(0, whole));
    carry = carry.subarray(whole);
  });
  socket.on("end", () => {
    if (carry.length > 0) handOn(Buffer.concat([carry, Buffer.from("\r\n")]));
    carry = Buffer.alloc(0);
  });
}

/** Loopback only. Port 0 takes a free one. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((done, fail) => {
    server.once("error", fail);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", fail);
      done((server.address() as AddressInfo).port);
    });
  });
}
