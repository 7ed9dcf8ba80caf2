/** What the broker tests share: a watched client, a clock that can hurry, and a broker that answers from a script. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type BrokerSettings, createBroker } from "../../drivers/broker.ts";
import type { Broker, BrokerSession, Clock, Log, Message, Received } from "../../drivers/ports.ts";

export const WILL: Message = { topic: "p/state", payload: '{"state":"offline"}', retain: true };
export const TAP: Message = { topic: "p/tap", payload: "{}", retain: false, contentType: "application/json" };

const untilMsMax = 60_000;

/** Lets real time pass until it is so. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + untilMsMax;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`not within ${untilMsMax} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Runs `factor` times as fast as the world, remembers what it was asked, and knows what it still owes. */
export class HurriedClock implements Clock {
  readonly delaysMs: number[] = [];
  /** Delays of timers that have neither fired nor been cancelled. */
  readonly owedMs: number[] = [];
  skippedMs = 0;
  #factor: number;

  constructor(factor = 1) {
    this.#factor = factor;
  }

  /** At least so fast from now on; timers that run already stay as they are. */
  hurry(factor: number): void {
    if (factor <= this.#factor) return;
    this.skippedMs -= performance.now() * (factor - this.#factor);
    this.#factor = factor;
  }

  monotonicMs(): number {
    return performance.now() * this.#factor + this.skippedMs;
  }

  wallMs(): number {
    return Date.now();
  }

  trusted(): boolean {
    return true;
  }

  after(delayMs: number, fire: () => void) {
    this.delaysMs.push(delayMs);
    this.owedMs.push(delayMs);
    let owing = true;
    const settle = () => {
      if (owing) this.owedMs.splice(this.owedMs.indexOf(delayMs), 1);
      owing = false;
    };
    const timer = setTimeout(
      () => {
        settle();
        fire();
      },
      Math.ceil(delayMs / this.#factor),
    );
    return {
      cancel() {
        clearTimeout(timer);
        settle();
      },
    };
  }
}

export interface Watched {
  broker: Broker;
  clock: HurriedClock;
  sessions: BrokerSession[];
  downs: string[];
  received: Received[];
  warnings: string[];
  /** What it answered to subscriptions: the topic, and why not. */
  subscribed: [string, string | null][];
  up(count?: number): Promise<void>;
  down(count?: number): Promise<void>;
}

/** Started. Chance is always in the middle. */
export function watch(
  settings: Partial<BrokerSettings> & { urls: string[] },
  clock = new HurriedClock(),
): Watched {
  const sessions: BrokerSession[] = [];
  const downs: string[] = [];
  const received: Received[] = [];
  const warnings: string[] = [];
  const subscribed: [string, string | null][] = [];
  const log: Log = { debug() {}, info() {}, warn: (message) => warnings.push(message), error() {} };
  const random = { bytes: (count: number) => new Uint8Array(count), fraction: () => 0.5 };
  const broker = createBroker(
    { clientId: "grindvakt-gate", will: WILL, subscriptions: [], ...settings },
    { clock, random, log },
  );
  broker.start({
    up: (session) => sessions.push(session),
    down: (why) => downs.push(why),
    received: (message) => received.push(message),
    subscribed: (topic, why) => subscribed.push([topic, why]),
  });
  return {
    broker,
    clock,
    sessions,
    downs,
    received,
    warnings,
    subscribed,
    up: (count = 1) => until(() => sessions.length >= count, `up ${count}, down: ${downs.join(", ")}`),
    down: (count = 1) => until(() => downs.length >= count, `down ${count}`),
  };
}

// ---------------------------------------------------------------- a broker that answers from a script

export interface Link {
  /** 4 or 5, as the CONNECT says. */
  level: number;
  socket: Socket;
  /** Everything the client has sent. */
  bytes(): Buffer;
  /** First bytes of the packets it has sent: their types and flags. */
  packetTypes(): number[];
  /** Packet identifier of the last PUBLISH. */
  lastPublishId(): number;
}

export interface ScriptedBroker {
  url: string;
  port: number;
  links: Link[];
  open(): number;
  stop(): Promise<void>;
}

export const CONNACK_5 = [0x20, 0x03, 0x00, 0x00, 0x00];
export const CONNACK_4 = [0x20, 0x02, 0x00, 0x00];

/** `onConnect` is called once the client's whole CONNECT is there; `onBytes` for what comes later. */
export async function startScriptedBroker(
  onConnect: (link: Link) => void,
  onBytes: (link: Link) => void = () => {},
): Promise<ScriptedBroker> {
  const links: Link[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let bytes = Buffer.alloc(0);
    let link: Link | null = null;
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.on("data", (more) => {
      bytes = Buffer.concat([bytes, more]);
      if (link !== null) return onBytes(link);
      if (packets(bytes).length === 0) return;
      link = {
        level: bytes[bytes.indexOf("MQTT") + 4]!,
        socket,
        bytes: () => bytes,
        packetTypes: () => packets(bytes).map((packet) => packet[0]!),
        lastPublishId: () => publishId(packets(bytes).findLast((packet) => packet[0]! >> 4 === 3)!),
      };
      links.push(link);
      onConnect(link);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    links,
    open: () => sockets.size,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** The whole packets at the beginning of `bytes`. */
function packets(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let start = 0; start + 2 <= bytes.length; ) {
    let length = 0;
    let at = start + 1;
    for (let shift = 0; ; shift += 7, at++) {
      if (at >= bytes.length) return found;
      length |= (bytes[at]! & 0x7f) << shift;
      if ((bytes[at]! & 0x80) === 0) break;
    }
    const end = at + 1 + length;
    if (end > bytes.length) return found;
    found.push(bytes.subarray(start, end));
    start = end;
  }
  return found;
}

/** Of a PUBLISH shorter than 128 bytes. */
function publishId(packet: Buffer): number {
  return packet.readUInt16BE(4 + packet.readUInt16BE(2));
}

export function puback(id: number, reason = 0): Uint8Array {
  const identifier = [id >> 8, id & 0xff];
  return Uint8Array.from(reason === 0 ? [0x40, 2, ...identifier] : [0x40, 4, ...identifier, reason, 0]);
}
