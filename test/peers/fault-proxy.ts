/**
 * A bad wire between a gateway and its broker, on loopback: it knows where a PUBLISH begins and ends, and strikes there, by seed.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { SimRandom } from "../sim/random.ts";

/**
 * `lost-answer`: the broker has the message, the connection ends before its PUBACK is through. `half-packet`: it ends within a
 * PUBLISH. `silent`: from a PUBLISH on no answer comes through. `frozen`: nothing does, either way. `stalled`: the same, for a
 * moment. `quota`: a broker of MQTT 5 throws an event away and says so. `pieces`: a few bytes at a time, always. `slow`: and so
 * many a second.
 */
export const FAULTS = [
  "lost-answer",
  "half-packet",
  "silent",
  "frozen",
  "stalled",
  "quota",
  "pieces",
  "slow",
] as const;
export type Fault = (typeof FAULTS)[number];

/** Messages between two strikes. */
const BETWEEN_MIN = 3;
const BETWEEN_MAX = 40;
const STALL_MS = 300;
const PIECE_BYTES_MAX = 7;
const SLOW_PIECE_BYTES = 200;
const SLOW_PIECE_MS = 1;
const PUBLISH = 3;
const PUBACK_BYTE = 0x40;
const QUOTA_EXCEEDED = 0x97;

export interface FaultProxy {
  port: number;
  /** Strikes so far; of `pieces` and `slow`, messages. */
  strikes(): number;
  stop(): Promise<void>;
}

/** Strikes `strikesMax` times, and is a good wire from then on. */
export async function startFaultProxy(
  targetPort: number,
  fault: Fault,
  strikesMax: number,
  random: SimRandom,
): Promise<FaultProxy> {
  const plan: Plan = { fault, random, strikesLeft: strikesMax, strikes: 0, untilNext: 0 };
  rest(plan);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connect(targetPort, "127.0.0.1");
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    new Wire(client, broker, plan).start();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    strikes: () => plan.strikes,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Over all connections. */
interface Plan {
  fault: Fault;
  random: SimRandom;
  strikesLeft: number;
  strikes: number;
  untilNext: number;
}

function rest(plan: Plan): void {
  plan.untilNext = plan.random.between(BETWEEN_MIN, BETWEEN_MAX);
}

class Wire {
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #plan: Plan;
  /** What becomes of the broker's answers. */
  #answers: "pass" | "cut" | "vanish" = "pass";
  /** Nothing goes on before it resolves. */
  #standstill: Promise<unknown> = Promise.resolve();

  constructor(client: Socket, broker: Socket, plan: Plan) {
    this.#client = client;
    this.#broker = broker;
    this.#plan = plan;
  }

  start(): void {
    // An end of either is the end of both; what is torn in the middle rejects, and nobody waits for it.
    const cut = (): void => this.#cut();
    this.#toBroker().then(cut, cut);
    this.#toClient().then(cut, cut);
  }

  async #toBroker(): Promise<void> {
    let bytes = Buffer.alloc(0);
    for await (const more of this.#client) {
      bytes = Buffer.concat([bytes, more as Buffer]);
      for (let packet = firstPacket(bytes); packet !== null; packet = firstPacket(bytes)) {
        bytes = bytes.subarray(packet.length);
        await this.#standstill;
        if (packet[0]! >> 4 === PUBLISH && this.#isStruck(packet)) await this.#strike(packet);
        else await this.#write(this.#broker, packet);
      }
    }
  }

  async #toClient(): Promise<void> {
    for await (const bytes of this.#broker) {
      await this.#standstill;
      if (this.#answers === "cut") return;
      if (this.#answers === "pass") await this.#write(this.#client, bytes as Buffer);
    }
  }

  #isStruck(packet: Buffer): boolean {
    const plan = this.#plan;
    if (plan.fault === "quota" && /\/state(\/|$)/.test(topicOf(packet).toString())) return false;
    if (plan.fault === "pieces" || plan.fault === "slow") {
      plan.strikes += 1;
      return false;
    }
    // Once on a connection that will not be the same again.
    if (this.#answers !== "pass") return false;
    plan.untilNext -= 1;
    if (plan.untilNext > 0 || plan.strikesLeft === 0) return false;
    plan.strikesLeft -= 1;
    plan.strikes += 1;
    rest(plan);
    return true;
  }

  async #strike(packet: Buffer): Promise<void> {
    const { fault, random } = this.#plan;
    if (fault === "half-packet") {
      const half = packet.subarray(0, random.between(1, packet.length - 1));
      await new Promise((written) => this.#broker.write(half, written));
      return this.#cut();
    }
    if (fault === "quota") {
      const [high = 0, low = 0] = packet.subarray(
        topicOf(packet).byteOffset - packet.byteOffset + topicOf(packet).length,
      );
      await this.#write(this.#client, Buffer.from([PUBACK_BYTE, 3, high, low, QUOTA_EXCEEDED]));
      return;
    }
    if (fault === "lost-answer") this.#answers = "cut";
    if (fault === "silent") this.#answers = "vanish";
    if (fault === "frozen") this.#standstill = once(this.#client, "close");
    if (fault === "stalled") this.#standstill = pause(STALL_MS);
    await this.#standstill;
    await this.#write(this.#broker, packet);
  }

  async #write(to: Socket, bytes: Buffer): Promise<void> {
    const { fault, random } = this.#plan;
    if (fault !== "pieces" && fault !== "slow") {
      if (!to.write(bytes)) await once(to, "drain");
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      const length = fault === "slow" ? SLOW_PIECE_BYTES : random.between(1, PIECE_BYTES_MAX);
      const piece = bytes.subarray(at, at + length);
      at += piece.length;
      await new Promise((written) => to.write(piece, written));
      if (fault === "slow") await pause(SLOW_PIECE_MS);
    }
  }

  #cut(): void {
    this.#client.destroy();
    this.#broker.destroy();
  }
}

/** Of a PUBLISH; its packet identifier comes next. */
function topicOf(packet: Buffer): Buffer {
  const start = 1 + packet.subarray(1).findIndex((byte) => byte < 0x80) + 1;
  return packet.subarray(start + 2, start + 2 + packet.readUInt16BE(start));
}

/** Null until it is whole. */
function firstPacket(bytes: Buffer): Buffer | null {
  let length = 0;
  for (let at = 1; at < bytes.length; at += 1) {
    length += (bytes[at]! & 0x7f) * 128 ** (at - 1);
    if (bytes[at]! >= 0x80) continue;
    const end = at + 1 + length;
    return end <= bytes.length ? bytes.subarray(0, end) : null;
  }
  return null;
}
