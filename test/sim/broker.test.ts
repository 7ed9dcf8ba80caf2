import { beforeEach, expect, it } from "vitest";
import type { Broker, Message, PublishOutcome } from "../../drivers/ports.ts";
import { SimBroker } from "./broker.ts";
import { SimClock } from "./clock.ts";
import { SimRandom } from "./random.ts";

let world: SimClock;
let broker: SimBroker;
let port: Broker;
let told: string[];

const WILL: Message = { topic: "state", payload: "offline", retain: true };
const event = (payload: string): Message => ({ topic: "tap", payload, retain: false });

beforeEach(() => {
  world = new SimClock();
  broker = new SimBroker({ clock: world, random: new SimRandom(1) });
  port = broker.attach(world.boot(), WILL);
  told = [];
});

async function connect(): Promise<void> {
  port.start({
    up: (session) => told.push(`up ${session.protocol}`),
    down: (why) => told.push(`down ${why}`),
    received: (message) => told.push(`received ${message.topic}`),
  });
  await world.advance(1_000);
}

async function publishAll(payloads: string[]): Promise<PublishOutcome[]> {
  const outcomes = Promise.all(payloads.map((payload) => port.publish(event(payload))));
  await world.advance(20_000);
  return outcomes;
}

const NUMBERS = Array.from({ length: 15 }, (_, index) => String(index));

it("delivers in order and acknowledges each once", async () => {
  await connect();
  const outcomes = await publishAll(NUMBERS);
  expect(outcomes.every((outcome) => outcome.kind === "acknowledged")).toBe(true);
  expect(broker.payloads("tap")).toEqual(NUMBERS);
  expect(told).toEqual(["up 5.0"]);
  expect(broker.violations).toEqual([]);
});

it("loses what is published while it is not connected, at once", async () => {
  expect(await port.publish(event("early"))).toMatchObject({ kind: "lost" });
  broker.goDown("no route");
  await connect();
  await world.advance(60_000);
  expect(told).toEqual(["down no route"]);
  broker.comeUp();
  await world.advance(5_000);
  expect(told).toEqual(["down no route", "up 5.0"]);
  expect(broker.delivered).toEqual([]);
});

it("tells of a lost connection once, loses what was under way, sends the will, and connects again", async () => {
  await connect();
  const outcomes = Promise.all(NUMBERS.map((payload) => port.publish(event(payload))));
  await world.advance(15);
  broker.drop("reset");
  await world.advance(10_000);
  const lost = (await outcomes).filter((outcome) => outcome.kind === "lost").length;
  const arrived = broker.payloads("tap");
  expect(arrived).toEqual(NUMBERS.slice(0, arrived.length));
  expect(arrived.length).toBeGreaterThanOrEqual(NUMBERS.length - lost);
  expect(lost).toBeGreaterThan(0);
  expect(broker.retained.get("state")?.payload).toBe("offline");
  expect(told).toEqual(["up 5.0", "down reset", "up 5.0"]);
});

it("loses answers after ten seconds, when the message itself may have arrived, or twice", async () => {
  await connect();
  broker.loseAcknowledgementChance = 1;
  broker.duplicateChance = 1;
  const startMs = world.monotonicMs();
  const outcome = port
    .publish(event("a"))
    .then((result) => ({ ...result, afterMs: world.monotonicMs() - startMs }));
  await world.advance(20_000);
  expect(await outcome).toEqual({ kind: "lost", why: "no answer", afterMs: 10_000 });
  expect(broker.payloads("tap")).toEqual(["a", "a"]);
  expect(told).toEqual(["up 5.0", "down no answer", "up 5.0"]);
});

it("never loses a message out of a row: what comes after a lost one on its connection is lost, too", async () => {
  await connect();
  broker.loseMessageChance = 0.2;
  const outcomes = await publishAll(NUMBERS);
  const arrived = broker.payloads("tap");
  expect(arrived.length).toBeLessThan(NUMBERS.length);
  expect(arrived).toEqual(NUMBERS.slice(0, arrived.length));
  expect(outcomes.filter((outcome) => outcome.kind === "lost").length).toBeGreaterThanOrEqual(
    NUMBERS.length - arrived.length,
  );
});

it("refuses what it is told to, with the reason", async () => {
  await connect();
  broker.refuse = ({ topic }) => (topic === "tap" ? "not authorized" : null);
  expect(await publishAll(["a"])).toEqual([{ kind: "refused", why: "not authorized" }]);
  expect(broker.delivered).toEqual([]);
});

it("notes when more is under way than the broker takes", async () => {
  await connect();
  broker.session = { ...broker.session, receiveMaximum: 2 };
  await publishAll(["1", "2", "3"]);
  expect(broker.violations).toHaveLength(1);
});

it("is left cleanly: the last word arrives, the will does not", async () => {
  await connect();
  const stopped = port.stop({ topic: "state", payload: "bye", retain: true });
  await world.advance(2_000);
  await stopped;
  await world.advance(60_000);
  expect(broker.retained.get("state")?.payload).toBe("bye");
  expect(told).toEqual(["up 5.0"]);
});

it("hands messages to a gateway that listens, and says nothing more to one that is gone", async () => {
  await connect();
  const command = { topic: "command/open", payload: new Uint8Array(), retained: false };
  broker.send(command);
  await world.advance(100);
  const unanswered = port.publish(event("last"));
  let answered = false;
  unanswered.then(() => {
    answered = true;
  });
  broker.vanish();
  broker.send(command);
  await world.advance(60_000);
  expect(told).toEqual(["up 5.0", "received command/open"]);
  expect(answered).toBe(false);
  expect(broker.retained.get("state")?.payload).toBe("offline");
});
