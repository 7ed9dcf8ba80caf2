import { beforeEach, describe, expect, it } from "vitest";
import type { Relay } from "../../drivers/driver.ts";
import type { FeedReply } from "../../drivers/ports.ts";
import { SimClock } from "./clock.ts";
import { SimFeed } from "./feed.ts";
import { SimReader } from "./reader.ts";
import { SimRelay } from "./relay.ts";

let world: SimClock;
let told: string[];

beforeEach(() => {
  world = new SimClock();
  told = [];
});

describe("a simulated reader", () => {
  it("is heard only while it is plugged in and started, with stamps of the machine's clock", async () => {
    const reader = new SimReader("in", world);
    await world.advance(5_000);
    const driver = reader.attach(world.boot({ wallMs: 0 }), {
      reading: (reading, stamp) =>
        told.push(`${reading.kind} ${stamp.monotonicMs} ${stamp.wallMs} ${stamp.trusted}`),
      up: () => told.push("up"),
      down: (why) => told.push(`down ${why}`),
    });
    expect(reader.presentNumber("BB-1234-567890")).toBe(false);
    const started = driver.start();
    await world.advance(100);
    await started;
    expect(reader.presentToken("04A1B2C3D4E5F6")).toBe(true);
    reader.unplug("cable");
    expect(reader.presentMisread("removed-early")).toBe(false);
    reader.plug();
    await world.advance(100);
    expect(reader.presentMisread("removed-early")).toBe(true);
    driver.signal?.("denied");
    await driver.stop();
    expect(reader.presentNumber("BB-1234-567890")).toBe(false);
    expect(told).toEqual(["up", "credential 100 100 true", "down cable", "up", "misread 200 200 true"]);
    expect(reader.signals).toEqual([{ signal: "denied", atMs: 5_200 }]);
  });

  it("tells once when it is not there at the start", async () => {
    const reader = new SimReader("in", world);
    reader.unplug();
    const driver = reader.attach(world.boot(), {
      reading: () => told.push("reading"),
      up: () => told.push("up"),
      down: (why) => told.push(`down ${why}`),
    });
    const started = driver.start();
    await world.advance(1_000);
    await started;
    reader.plug();
    await world.advance(1_000);
    expect(told).toEqual(["down no such device", "up"]);
  });
});

describe("a simulated relay", () => {
  let relay: SimRelay;
  let machine: SimClock;
  let driver: Relay;

  beforeEach(async () => {
    relay = new SimRelay("gate", world);
    machine = world.boot();
    driver = relay.attach(machine, {
      energised: () => told.push("energised"),
      released: () => told.push("released"),
      failed: (why) => told.push(`failed ${why}`),
      up: () => told.push("up"),
      down: (why) => told.push(`down ${why}`),
    });
    const started = driver.start();
    await world.advance(20);
    await started;
  });

  it("pulses for as long as it was asked, and refuses a second pulse meanwhile", async () => {
    driver.pulse(800);
    driver.pulse(800);
    await world.advance(2_000);
    expect(told).toEqual(["up", "failed a pulse is running", "energised", "released"]);
    expect(relay.pulses).toMatchObject([{ energisedMs: 25, askedMs: 800, releasedMs: 825 }]);
  });

  it("says failed alone when it is not there or takes no command", async () => {
    relay.health = "deaf";
    driver.pulse(800);
    await world.advance(1_000);
    relay.unplug();
    driver.pulse(800);
    await world.advance(1_000);
    expect(told).toEqual([
      "up",
      "failed the relay did not take the command",
      "down unplugged",
      "failed the relay is not there",
    ]);
    expect(relay.pulses).toEqual([]);
  });

  it("says failed instead of released when it sticks, and lets go when it can", async () => {
    relay.health = "stuck";
    driver.pulse(100);
    await world.advance(5_000);
    expect(relay.isEnergised).toBe(true);
    relay.health = "fine";
    await world.advance(1_000);
    expect(relay.isEnergised).toBe(false);
    expect(told).toEqual(["up", "energised", "failed the relay may be stuck"]);
  });

  it("releases on stop, in the middle of a pulse and before it", async () => {
    driver.pulse(800);
    await world.advance(100);
    await driver.stop();
    expect(relay.pulses).toMatchObject([{ energisedMs: 25, askedMs: 800, releasedMs: 120 }]);
    expect(told).toEqual(["up", "energised", "released"]);
  });

  it("was never energised when it is stopped before the command is through", async () => {
    driver.pulse(800);
    await driver.stop();
    await world.advance(1_000);
    expect(relay.pulses).toEqual([]);
    expect(told).toEqual(["up", "failed stopped before the pulse"]);
  });

  it("stays energised when its gateway dies, until the next start or its own timer", async () => {
    driver.pulse(800);
    await world.advance(100);
    machine.end();
    await world.advance(10_000);
    expect(relay.isEnergised).toBe(true);
    const next = relay.attach(world.boot(), {
      energised: () => undefined,
      released: () => undefined,
      failed: () => undefined,
      up: () => undefined,
      down: () => undefined,
    });
    relay.hasOwnTimer = true;
    next.start();
    await world.advance(100);
    expect(relay.isEnergised).toBe(false);
    expect(told).toEqual(["up", "energised"]);
  });
});

describe("a simulated feed", () => {
  const content = new Uint8Array(100_000).fill(7);

  async function read(reply: FeedReply): Promise<string> {
    if (reply.kind !== "found") return reply.kind;
    let sizeBytes = 0;
    let wrong = 0;
    try {
      for await (const piece of reply.body) {
        sizeBytes += piece.length;
        wrong += piece.filter((byte) => byte !== 7).length;
        if (sizeBytes > 1_000_000) return "too long";
      }
    } catch (error) {
      return `${(error as Error).message} after ${sizeBytes}`;
    }
    return `${sizeBytes} bytes, ${wrong} wrong`;
  }

  it("gives its files, and its faults", async () => {
    const feed = new SimFeed();
    feed.files.set("a", content);
    const outcomes: Record<string, string> = {};
    for (const fault of [null, "missing", "unreachable", "broken", "flipped", "endless"] as const) {
      feed.faultOf = () => fault;
      outcomes[String(fault)] = await read(await feed.fetch("a"));
    }
    expect(outcomes).toEqual({
      null: "100000 bytes, 0 wrong",
      missing: "missing",
      unreachable: "unreachable",
      broken: "simulated: the connection broke after 50000",
      flipped: "100000 bytes, 1 wrong",
      endless: "too long",
    });
    expect(await read(await feed.fetch("b"))).toBe("missing");
  });

  it("answers a machine after a while, and never one that is off", async () => {
    const feed = new SimFeed();
    feed.files.set("a", content);
    const machine = world.boot();
    const source = feed.attach(machine);
    source.fetch("a").then((reply) => told.push(reply.kind));
    await world.advance(4);
    expect(told).toEqual([]);
    await world.advance(100);
    source.fetch("a").then((reply) => told.push(`${reply.kind} too late`));
    machine.end();
    await world.advance(1_000);
    expect(told).toEqual(["found"]);
  });
});
