/**
 * What every Broker promises, the real one and the simulated one (`drivers/ports.ts`). A side is a broker, a wire
 * to it that can be cut, and an observer who hears everything the broker passes on.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Broker, BrokerSession, Message, PublishOutcome, Received } from "../../drivers/ports.ts";

export interface BrokerClientSettings {
  clientId: string;
  will: Message;
  subscriptions: string[];
}

export interface Observed {
  topic: string;
  payload: string;
}

export interface BrokerSide {
  /** A client of this broker over the wire; not started. One at a time: the one before is stopped, or goes now. */
  makeBroker(settings: BrokerClientSettings): Broker;
  stopBrokerSide(): Promise<void>;
  startBrokerSide(): Promise<void>;
  /** Ends the connections without a word, and takes no new ones until `mendWire`: to the broker, clients have died. */
  cutWire(): Promise<void>;
  mendWire(): Promise<void>;
  /** What the broker passed on since it was started, in order. */
  observed(): readonly Observed[];
  /** What it keeps for who comes later, or null. */
  retained(topic: string): Promise<string | null>;
  /** A message from somebody else, to a topic that the client subscribes to. */
  publishFromOutside(message: Message): Promise<void>;
  /** Lets time pass until it is so; rejects when that takes too long. */
  until(isSo: () => boolean, what: string): Promise<void>;
  /** A topic nobody may publish to, and whether this broker can say so (MQTT 5). */
  refusedTopic: string | null;
  dispose(): Promise<void>;
}

const STATE = "grindvakt/site/gate/state";
const OFFLINE: Message = { topic: STATE, payload: '{"state":"offline"}', retain: true };
const ONLINE: Message = { topic: STATE, payload: '{"state":"online"}', retain: true };
const TAP = "grindvakt/site/gate/tap";

class Client {
  readonly broker: Broker;
  readonly events: string[] = [];
  readonly sessions: BrokerSession[] = [];
  readonly received: Received[] = [];

  constructor(broker: Broker) {
    this.broker = broker;
  }

  start(): void {
    this.broker.start({
      up: (session) => {
        this.events.push("up");
        this.sessions.push(session);
      },
      down: (why) => {
        expect(why).toMatch(/\S/);
        this.events.push("down");
      },
      received: (message) => this.received.push(message),
    });
  }
}

function tap(count: number): Message {
  return { topic: TAP, payload: `{"seq":${count}}`, retain: false, contentType: "application/json" };
}

export function testBroker(name: string, makeSide: () => Promise<BrokerSide>): void {
  describe(`${name} as a broker`, () => {
    let side: BrokerSide;
    let clients: Client[];

    beforeEach(async () => {
      clients = [];
      side = await makeSide();
    });

    afterEach(async () => {
      for (const client of clients) await settled(client.broker.stop(OFFLINE));
      await side.dispose();
    });

    function makeClient(settings: Partial<BrokerClientSettings> = {}): Client {
      const broker = side.makeBroker({
        clientId: "grindvakt-gate",
        will: OFFLINE,
        subscriptions: [],
        ...settings,
      });
      const client = new Client(broker);
      clients.push(client);
      return client;
    }

    async function connected(settings: Partial<BrokerClientSettings> = {}): Promise<Client> {
      const client = makeClient(settings);
      client.start();
      await side.until(() => client.events.length > 0, "the client is up");
      expect(client.events).toEqual(["up"]);
      return client;
    }

    /** The promise's value, time passing meanwhile. */
    async function settled<T>(promise: Promise<T>): Promise<T> {
      let done = false;
      void promise.finally(() => {
        done = true;
      });
      await side.until(() => done, "a promise settles");
      return promise;
    }

    function payloads(topic: string): string[] {
      return side
        .observed()
        .filter((message) => message.topic === topic)
        .map((message) => message.payload);
    }

    test("comes up once and says what the broker takes", async () => {
      const client = await connected();
      const [session] = client.sessions;
      expect(["5.0", "3.1.1"]).toContain(session?.protocol);
      expect(session?.url).toMatch(/^\w+:\/\//);
      expect(session?.receiveMaximum).toBeGreaterThan(0);
      expect(session?.maximumPacketSizeBytes).toBeGreaterThan(0);
    });

    test("publishes what the broker acknowledges, and in order", async () => {
      const client = await connected();
      const all = Array.from({ length: 50 }, (_, count) => tap(count));
      const outcomes: PublishOutcome[] = [];
      for (let first = 0; first < all.length; first += 10) {
        const window = all.slice(first, first + 10).map((message) => client.broker.publish(message));
        outcomes.push(...(await settled(Promise.all(window))));
      }
      expect(outcomes).toEqual(all.map(() => ({ kind: "acknowledged" })));
      await side.until(() => payloads(TAP).length === all.length, "all taps are observed");
      expect(payloads(TAP)).toEqual(all.map((message) => message.payload));
    });

    test("loses at once what is published before it is started, while it is down and after it is stopped", async () => {
      const client = makeClient();
      expect((await client.broker.publish(tap(1))).kind).toBe("lost");
      client.start();
      await side.until(() => client.events.length === 1, "the client is up");
      await side.stopBrokerSide();
      await side.until(() => client.events.length === 2, "the client is down");
      expect((await client.broker.publish(tap(2))).kind).toBe("lost");
      await side.startBrokerSide();
      await side.until(() => client.events.length === 3, "the client is up again");
      const last = { ...OFFLINE, payload: '{"state":"offline","by":"stop"}' };
      await settled(client.broker.stop(last));
      expect((await client.broker.publish(tap(3))).kind).toBe("lost");
      await side.until(() => payloads(STATE).includes(last.payload), "the last message is observed");
      expect(payloads(TAP)).toEqual([]);
    });

    test("goes down once and comes up again with a broker that went and came", async () => {
      const client = await connected();
      await side.stopBrokerSide();
      await side.until(() => client.events.length > 1, "the client is down");
      await side.startBrokerSide();
      await side.until(() => client.events.length > 2, "the client is up again");
      expect(client.events).toEqual(["up", "down", "up"]);
      expect(await settled(client.broker.publish(tap(1)))).toEqual({ kind: "acknowledged" });
      await side.until(() => payloads(TAP).length === 1, "the tap is observed");
    });

    test("says once that there is no broker, and comes up when there is one", async () => {
      await side.stopBrokerSide();
      const client = makeClient();
      client.start();
      await side.until(() => client.events.length > 0, "the client is down");
      await side.startBrokerSide();
      await side.until(() => client.events.length > 1, "the client is up");
      expect(client.events).toEqual(["down", "up"]);
    });

    test("leaves its will, retained, when its wire is cut", async () => {
      const client = await connected();
      expect(await settled(client.broker.publish(ONLINE))).toEqual({ kind: "acknowledged" });
      await side.cutWire();
      await side.until(() => payloads(STATE).length === 2, "the will is observed");
      expect(payloads(STATE)).toEqual([ONLINE.payload, OFFLINE.payload]);
      await side.until(() => client.events.length > 1, "the client is down");
      await side.mendWire();
      await side.until(() => client.events.length > 2, "the client is up again");
      expect(client.events).toEqual(["up", "down", "up"]);
      expect(await settled(side.retained(STATE))).toBe(OFFLINE.payload);
    });

    test("publishes the last message when stopped, and not the will", async () => {
      const will = { ...OFFLINE, payload: '{"state":"offline","by":"will"}' };
      const client = await connected({ will });
      await settled(client.broker.publish(ONLINE));
      await settled(client.broker.stop(OFFLINE));
      const other = await connected({ clientId: "other", will: tap(0) });
      await settled(other.broker.publish(tap(1)));
      await side.until(() => payloads(TAP).length === 1, "what came later is observed");
      expect(payloads(STATE)).toEqual([ONLINE.payload, OFFLINE.payload]);
      expect(client.events).toEqual(["up"]);
    });

    test("stops when it never came up", async () => {
      await side.stopBrokerSide();
      const client = makeClient();
      client.start();
      await settled(client.broker.stop(OFFLINE));
      const events = [...client.events];
      await side.startBrokerSide();
      const other = await connected({ clientId: "other", will: tap(0) });
      expect(other.events).toEqual(["up"]);
      expect(client.events).toEqual(events);
      expect(payloads(STATE)).toEqual([]);
    });

    test("stops when it was never started, and twice", async () => {
      const client = makeClient();
      await settled(client.broker.stop(OFFLINE));
      await settled(client.broker.stop(OFFLINE));
      expect(client.events).toEqual([]);
    });

    test("passes on what comes to its subscriptions, also after it came back", async () => {
      const topic = "grindvakt/site/gate/command/open";
      const client = await connected({ subscriptions: ["grindvakt/site/gate/command/+"] });
      // Subscriptions are sent before anything else: once this is acknowledged, they stand.
      await settled(client.broker.publish(tap(1)));
      await side.publishFromOutside({ topic, payload: "one", retain: false });
      await side.until(() => client.received.length > 0, "the first command is received");
      await side.cutWire();
      await side.until(() => client.events.length > 1, "the client is down");
      await side.mendWire();
      await side.until(() => client.events.length > 2, "the client is up again");
      await settled(client.broker.publish(tap(2)));
      await side.publishFromOutside({ topic, payload: "two", retain: false });
      await side.until(() => client.received.length > 1, "the second command is received");
      expect(client.received.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["one", "two"]);
      expect(client.received.map(({ retained }) => retained)).toEqual([false, false]);
      expect(client.received[0]!.topic).toBe(topic);
    });

    test("says what the broker refuses, and goes on", async () => {
      const client = await connected();
      const topic = side.refusedTopic;
      if (topic !== null) {
        const outcome = await settled(client.broker.publish({ topic, payload: "x", retain: false }));
        expect(outcome).toEqual({ kind: "refused", why: "not authorized" });
      }
      expect(await settled(client.broker.publish(tap(1)))).toEqual({ kind: "acknowledged" });
      expect(client.events).toEqual(["up"]);
    });

    test("answers every message that is under way when the wire is cut", async () => {
      const client = await connected();
      const outcomes = Array.from({ length: 10 }, (_, count) => client.broker.publish(tap(count)));
      await side.cutWire();
      for (const outcome of await settled(Promise.all(outcomes))) {
        expect(["acknowledged", "lost"]).toContain(outcome.kind);
      }
    });
  });
}
