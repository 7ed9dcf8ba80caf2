/** Serves a disk to QEMU: the network block device protocol, fixed newstyle, over a UNIX socket. One client, one export. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { CutDisk } from "./cut-disk.ts";

const OPTION_MAGIC = 0x49484156454f5054n;
const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
const REPLY_MAGIC = 0x67446698;
const FIXED_NEWSTYLE_NO_ZEROES = 3;
/** Has flags, takes FLUSH, FUA and WRITE_ZEROES. */
const TRANSMISSION_FLAGS = 1 | 4 | 8 | 64;
const OPTION = { abort: 2, info: 6, go: 7 } as const;
const ANSWER = { ack: 1, info: 3, unsupported: 0x80000001 } as const;
const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3, writeZeroes: 6 } as const;
const FORCE_UNIT_ACCESS = 1;

/** Listens at `path` until it is stopped. */
export async function serveDisk(disk: CutDisk<unknown>, path: string): Promise<{ stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    void serve(disk, socket).catch(() => socket.destroy());
  });
  server.listen(path);
  await once(server, "listening");
  return {
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function serve(disk: CutDisk<unknown>, socket: Socket): Promise<void> {
  const take = takerOf(socket);
  socket.write(Buffer.concat([Buffer.from("NBDMAGICIHAVEOPT"), u16(FIXED_NEWSTYLE_NO_ZEROES)]));
  await take(4);
  if (await negotiate(disk, socket, take)) await transmit(disk, socket, take);
  socket.end();
}

/** True once the client goes on to transmission. */
async function negotiate(disk: CutDisk<unknown>, socket: Socket, take: Taker): Promise<boolean> {
  for (;;) {
    const head = await take(16);
    if (head.readBigUInt64BE(0) !== OPTION_MAGIC) throw new Error("no NBD option");
    const option = head.readUInt32BE(8);
    await take(head.readUInt32BE(12));
    const answer = (kind: number, body: Buffer = Buffer.alloc(0)): void => {
      socket.write(Buffer.concat([u64(OPTION_REPLY_MAGIC), u32(option), u32(kind), u32(body.length), body]));
    };
    if (option === OPTION.go || option === OPTION.info) {
      answer(ANSWER.info, Buffer.concat([u16(0), u64(BigInt(disk.sizeBytes)), u16(TRANSMISSION_FLAGS)]));
      answer(ANSWER.ack);
      if (option === OPTION.go) return true;
    } else if (option === OPTION.abort) {
      answer(ANSWER.ack);
      return false;
    } else answer(ANSWER.unsupported);
  }
}

async function transmit(disk: CutDisk<unknown>, socket: Socket, take: Taker): Promise<void> {
  for (;;) {
    const head = await take(28);
    const isForced = (head.readUInt16BE(4) & FORCE_UNIT_ACCESS) !== 0;
    const command = head.readUInt16BE(6);
    const offset = Number(head.readBigUInt64BE(16));
    const length = head.readUInt32BE(24);
    let out: Buffer = Buffer.alloc(0);
    if (command === COMMAND.read) out = disk.read(offset, length);
    else if (command === COMMAND.write) disk.write(offset, await take(length), isForced);
    else if (command === COMMAND.writeZeroes) disk.write(offset, Buffer.alloc(length), isForced);
    else if (command === COMMAND.flush) disk.flush();
    else if (command === COMMAND.disconnect) return;
    socket.write(Buffer.concat([u32(REPLY_MAGIC), u32(0), head.subarray(8, 16), out]));
  }
}

type Taker = (length: number) => Promise<Buffer>;

/** Exactly so many bytes of what comes; rejects when the client has gone. */
function takerOf(socket: Socket): Taker {
  const chunks = socket.iterator() as AsyncIterator<Buffer>;
  let have: Buffer[] = [];
  let haveBytes = 0;
  return async (length) => {
    while (haveBytes < length) {
      const { value, done } = await chunks.next();
      if (done === true) throw new Error("the client is gone");
      have.push(value);
      haveBytes += value.length;
    }
    const all = Buffer.concat(have);
    have = [all.subarray(length)];
    haveBytes -= length;
    return all.subarray(0, length);
  };
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
