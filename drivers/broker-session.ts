/**
 * One connection to a broker, from CONNECT to its end. It is never reconnected: the next connection is a new one,
 * so that nothing is sent again behind the back of whoever keeps the outbox. For the same reason the session is
 * clean: what the broker has not acknowledged is sent again by us, and commands older than the connection are not wanted.
 */
import type { Socket } from "node:net";
import type { IClientOptions, IConnackPacket, IPublishPacket, MqttClient } from "mqtt";
import type { LossCause } from "./broker-backoff.ts";
import type { Door } from "./broker-dial.ts";
import { guardPackets, PACKET_BYTES_MAX, RECEIVED_BYTES_MAX } from "./broker-guard.ts";
import {
  DISCONNECT,
  limitsOf,
  type Protocol,
  propertiesOf,
  publishFault,
  shortenKeepalive,
} from "./broker-packets.ts";
import {
  connectRefusal,
  errorWord,
  reasonWord,
  refusesVersion,
  type VersionRefused,
} from "./broker-words.ts";
import type { Mqtt } from "./mqtt.ts";
import type { BrokerEvents, BrokerSession, Clock, Log, Message, PublishOutcome, Timer } from "./ports.ts";
import { within } from "./within.ts";

/** A frozen broker is noticed after one and a half times this, also when nothing is sent. */
export const KEEPALIVE_SECONDS = 15;

/** The port's promise. A broker that keeps one message that long holds up all behind it: the connection is given up. */
const ACKNOWLEDGE_MS_MAX = 10_000;

/**
 * A site gets a few commands and announcements a minute. So many at once are let pass, and so many a second for ever; a
 * broker that sends more, or lets somebody, would keep a small machine busy with nothing else: it is left for a while.
 */
export const RECEIVED_AT_ONCE_MAX = 1_000;
const RECEIVED_PER_SECOND_MAX = 100;

/** Of `stop`'s 2 s: for the last message, and for the broker to close its end. */
const LAST_MESSAGE_MS_MAX = 1_200;
const FAREWELL_MS_MAX = 500;

export interface SessionSettings {
  clientId: string;
  username?: string;
  password?: string;
  will: Message;
  subscriptions: string[];
}

export interface SessionWorld {
  clock: Clock;
  log: Log;
  mqtt: Mqtt;
}

export type Opened =
  | { kind: "open"; offer: BrokerSession }
  | { kind: "failed"; why: string; versionRefused: VersionRefused };

export interface SessionEnd {
  cause: LossCause;
  why: string;
}

interface Pending {
  sentMs: number;
  resolve(outcome: PublishOutcome): void;
}

export class Session {
  readonly #door: Door;
  readonly #protocol: Protocol;
  readonly #settings: SessionSettings;
  readonly #world: SessionWorld;
  readonly #events: Pick<BrokerEvents, "received" | "subscribed">;
  readonly #pending = new Set<Pending>();
  readonly #socket: Socket;
  #client: MqttClient | null = null;
  #offer: BrokerSession | null = null;
  #end: SessionEnd | null = null;
  #watch: Timer | null = null;
  /** When all messages so far would have come at `RECEIVED_PER_SECOND_MAX`. */
  #receivedByMs = 0;
  /** Until the socket has closed, and MQTT.js with it. */
  #closed: Promise<void> = Promise.resolve();
  #opened: (opened: Opened) => void = () => {};
  #ended: (end: SessionEnd) => void = () => {};
  /** Resolves once, when a connection that was open is gone, for whatever cause. */
  readonly ended: Promise<SessionEnd> = new Promise((resolve) => {
    this.#ended = resolve;
  });

  /** `socket` is connected, and ours from now on. */
  constructor(
    socket: Socket,
    door: Door,
    protocol: Protocol,
    settings: SessionSettings,
    world: SessionWorld,
    events: Pick<BrokerEvents, "received" | "subscribed">,
  ) {
    this.#socket = socket;
    this.#door = door;
    this.#protocol = protocol;
    this.#settings = settings;
    this.#world = world;
    this.#events = events;
  }

  /** Never rejects; fails when `signal` ends. */
  open(signal: AbortSignal): Promise<Opened> {
    const socket = this.#socket;
    const opened = new Promise<Opened>((resolve) => {
      this.#opened = (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      };
    });
    const onAbort = () => this.#finish(String(signal.reason));
    signal.addEventListener("abort", onAbort);
    // MQTT.js is given the socket and no means to make another.
    const client = new this.#world.mqtt.MqttClient(() => socket, this.#options());
    this.#client = client;
    client.on("connect", (connack) => this.#onConnect(connack));
    client.on("message", (topic, payload, packet) => this.#onMessage(topic, payload, packet));
    client.on("error", (error) => this.#onError(error));
    client.on("disconnect", ({ reasonCode = 0x80 }) =>
      this.#finish(`the broker ended the connection: ${reasonWord(reasonCode)}`, {
        cause: reasonCode === 0x8e ? "taken-over" : "other",
      }),
    );
    client.onKeepaliveTimeout = () => this.#finish("the broker no longer answers");
    // MQTT.js passes on only those errors of a socket that have a code.
    socket.on("error", (error) => this.#onError(error));
    this.#closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("close", () =>
      this.#finish("the broker closed the connection", {
        cause: "wordless",
        versionRefused: "perhaps",
      }),
    );
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "connack") shortenKeepalive(packet, KEEPALIVE_SECONDS);
    });
    guardPackets(
      client,
      socket,
      (why) => this.#finish(why),
      () => this.#end !== null,
    );
    if (signal.aborted) onAbort();
    return opened;
  }

  publish(message: Message): Promise<PublishOutcome> {
    const client = this.#client;
    const offer = this.#offer;
    if (this.#end !== null || client === null || offer === null) {
      return Promise.resolve({ kind: "lost", why: this.#end?.why ?? "not connected" });
    }
    const payload = Buffer.from(message.payload);
    const fault = publishFault(message, payload.length, offer);
    if (fault !== null) return Promise.resolve({ kind: "refused", why: fault });
    if (this.#pending.size >= offer.receiveMaximum) {
      const why = `not sent: ${offer.receiveMaximum} messages already wait for the broker's answer`;
      return Promise.resolve({ kind: "lost", why });
    }
    return new Promise((resolve) => {
      const pending: Pending = { sentMs: this.#world.clock.monotonicMs(), resolve };
      this.#pending.add(pending);
      this.#watch ??= this.#watchIn(ACKNOWLEDGE_MS_MAX);
      const properties = propertiesOf(message, this.#protocol);
      client.publish(message.topic, payload, { qos: 1, retain: message.retain, ...properties }, (error) => {
        const code = error !== undefined && error !== null && "code" in error ? error.code : null;
        // An error without a code is the end of the connection, which answers all that are pending.
        if (error && typeof code !== "number") return;
        if (!this.#pending.delete(pending)) return;
        resolve(
          typeof code === "number" ? { kind: "refused", why: reasonWord(code) } : { kind: "acknowledged" },
        );
      });
    });
  }

  /**
   * Publishes `last` and disconnects, within `LAST_MESSAGE_MS_MAX` and `FAREWELL_MS_MAX`. When nobody knows whether the
   * broker has it, the connection is cut instead, so that the will says it. Nothing is left when it resolves.
   */
  async close(last: Message): Promise<void> {
    const outcome = await within(this.#world.clock, LAST_MESSAGE_MS_MAX, this.publish(last));
    if (outcome === null || outcome.kind === "lost") this.#finish("stopped");
    await this.leave();
  }

  /** Disconnects without a word and without the will, within `FAREWELL_MS_MAX`. Nothing is left when it resolves. */
  async leave(): Promise<void> {
    if (this.#end === null) {
      this.#socket.end(DISCONNECT);
      await within(this.#world.clock, FAREWELL_MS_MAX, this.#closed);
    }
    this.#finish("stopped");
    await this.#closed;
  }

  #options(): IClientOptions {
    const { clientId, username, password, will } = this.#settings;
    const five = this.#protocol === "5.0";
    return {
      clientId,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      protocolVersion: five ? 5 : 4,
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      reconnectPeriod: 0,
      resubscribe: false,
      // It would make 65,536 small buffers at the first packet, one for each number there is: 7 MB for ever, and a long turn of the loop.
      writeCache: false,
      // Ours ends sooner, with the clock it was given.
      connectTimeout: 2 ** 31 - 1,
      timerVariant: { set: this.#every, clear: (timer) => (timer as unknown as Timer).cancel() },
      // Never to the debug log of MQTT.js: it would show the password.
      log: () => {},
      will: {
        topic: will.topic,
        payload: Buffer.from(will.payload),
        qos: 1,
        retain: will.retain,
        ...propertiesOf(will, this.#protocol),
      },
      ...(five ? { properties: { maximumPacketSize: PACKET_BYTES_MAX, receiveMaximum: 100 } } : {}),
    };
  }

  /** An interval on our clock, for MQTT.js's keepalive. It types a timer as a number. */
  readonly #every = (fire: () => void, intervalMs: number): number => {
    const { clock } = this.#world;
    const again = () => {
      timer = clock.after(intervalMs, again);
      fire();
    };
    let timer = clock.after(intervalMs, again);
    return { cancel: () => timer.cancel() } as unknown as number;
  };

  #onConnect(connack: IConnackPacket): void {
    if (this.#end !== null) return;
    this.#offer = {
      url: `${this.#door.scheme}://${this.#door.name}`,
      protocol: this.#protocol,
      ...limitsOf(this.#protocol, connack),
    };
    // Sent before anything that is published from `up` on, so that a test event of our own is heard.
    for (const topic of this.#settings.subscriptions) this.#subscribe(topic);
    this.#opened({ kind: "open", offer: this.#offer });
  }

  #subscribe(topic: string): void {
    // Retain as published (MQTT 5, section 3.3.1.3): else a retained message is told as one that is not, while we are there.
    // For QoS 1 on 3.1.1 RabbitMQ keeps a queue on this one node, also of a clean session: while the node is down, no
    // other lets us in. What comes to a site is retained, comes again, or is missed by whoever waits for the answer.
    const options = this.#protocol === "5.0" ? { qos: 1 as const, rap: true } : { qos: 0 as const };
    this.#client?.subscribe(topic, options, (error) => {
      if (this.#end !== null) return;
      const why = error ? refusalOf(error) : null;
      if (why !== null) this.#world.log.warn("the broker refuses a subscription", { topic, why });
      this.#events.subscribed?.(topic, why);
    });
  }

  #onMessage(topic: string, payload: Buffer, { retain, properties }: IPublishPacket): void {
    // What still comes after our DISCONNECT could not be answered.
    if (this.#end !== null || this.#socket.writableEnded) return;
    if (this.#isFlooded()) {
      this.#finish(
        `more than ${RECEIVED_PER_SECOND_MAX} messages a second came to what this gateway listens to`,
      );
      return;
    }
    if (payload.length > RECEIVED_BYTES_MAX) {
      this.#world.log.warn("a message is dropped: it is too long", {
        topic,
        bytes: payload.length,
        receivedBytesMax: RECEIVED_BYTES_MAX,
      });
      return;
    }
    this.#events.received({
      topic,
      payload,
      retained: retain,
      ...(properties?.responseTopic === undefined ? {} : { responseTopic: properties.responseTopic }),
      ...(properties?.correlationData === undefined ? {} : { correlationData: properties.correlationData }),
    });
  }

  /** Counts a message. */
  #isFlooded(): boolean {
    const nowMs = this.#world.clock.monotonicMs();
    this.#receivedByMs = Math.max(nowMs, this.#receivedByMs) + 1_000 / RECEIVED_PER_SECOND_MAX;
    return this.#receivedByMs - nowMs > (1_000 * RECEIVED_AT_ONCE_MAX) / RECEIVED_PER_SECOND_MAX;
  }

  /** After an error MQTT.js may go on with a connection it can no longer read: every error is the end. */
  #onError(error: Error): void {
    const code = "code" in error ? error.code : undefined;
    const wordOf = this.#offer === null ? connectRefusal : reasonWord;
    const why = typeof code === "number" ? wordOf(code) : errorWord(error, this.#door.host);
    this.#finish(why, { versionRefused: refusesVersion(code) });
  }

  #watchIn(delayMs: number): Timer {
    return this.#world.clock.after(delayMs, () => {
      this.#watch = null;
      const [oldest] = this.#pending;
      if (oldest === undefined) return;
      const leftMs = oldest.sentMs + ACKNOWLEDGE_MS_MAX - this.#world.clock.monotonicMs();
      if (leftMs > 0) this.#watch = this.#watchIn(leftMs);
      else this.#finish(`the broker has not acknowledged a message within ${ACKNOWLEDGE_MS_MAX / 1000} s`);
    });
  }

  /** The first cause is the cause; what follows from it is not told. */
  #finish(why: string, { cause = "other" as LossCause, versionRefused = "no" as VersionRefused } = {}): void {
    if (this.#end !== null) return;
    this.#end = { cause, why };
    this.#watch?.cancel();
    // MQTT.js has no timers left once its stream is closed; its own `end` would wait for answers.
    this.#socket.destroy();
    for (const pending of this.#pending) pending.resolve({ kind: "lost", why });
    this.#pending.clear();
    if (this.#offer === null) {
      this.#opened({ kind: "failed", why, versionRefused: this.#protocol === "5.0" ? versionRefused : "no" });
    } else {
      this.#ended(this.#end);
    }
  }
}

/** Why a SUBACK says no. */
function refusalOf(error: Error & { packet?: { granted?: unknown[] } }): string {
  const [code] = error.packet?.granted ?? [];
  return typeof code === "number" ? reasonWord(code) : error.message;
}
