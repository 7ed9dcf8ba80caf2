import { describe, expect, it } from "vitest";
import { TROUBLES } from "./storm.ts";
import { SimWorld } from "./world.ts";

/**
 * The smallest gateway that uses every port: a tap is written, synced, pulsed and sent until acknowledged. It only
 * shows that the world is one a gateway can live in; the real one has its own simulation.
 */
async function runToyGateway(world: SimWorld): Promise<void> {
  const machine = world.machine!;
  const { clock, files } = machine;
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const taps: string[] = [];
  const nothing = () => undefined;
  const relay = world
    .relay("gate")
    .attach(clock, { energised: nothing, released: nothing, failed: nothing, up: nothing, down: nothing });
  const reader = world.reader("in").attach(clock, {
    reading: (reading) => taps.push(JSON.stringify(reading)),
    up: nothing,
    down: nothing,
  });
  machine.broker.start({ up: nothing, down: nothing, received: nothing });
  await files.makeDirs("/data").catch(nothing);
  await Promise.all([relay.start(), reader.start()]);
  for (;;) {
    await wait(10);
    const tap = taps.shift();
    if (tap === undefined) continue;
    const written = await files.replace("/data/last", new TextEncoder().encode(tap)).then(
      () => true,
      () => false,
    );
    if (written) relay.pulse(100);
    while (
      (await machine.broker.publish({ topic: "tap", payload: tap, retain: false })).kind !== "acknowledged"
    ) {
      await wait(500);
    }
  }
}

/** Ten minutes of a stormy site with kills and power cuts. */
async function live(seed: number): Promise<SimWorld> {
  const world = new SimWorld({ seed });
  const random = world.random.fork("day");
  world.boot();
  runToyGateway(world);
  world.storm(TROUBLES);
  for (let tap = 0; tap < 120; tap++) {
    await world.advance(random.between(100, 10_000));
    world.reader("in").presentNumber(`BB-0000-${String(tap).padStart(6, "0")}`);
    if (!random.chance(0.05) && world.machine !== null) continue;
    if (random.chance(0.3)) world.powerCutAtIo(world.disk.ios + 3);
    else if (random.chance(0.5)) world.kill();
    else world.powerCut(random.pick(["lose", "keep", "torn"]));
    await world.advance(3_000);
    if (world.machine !== null) continue;
    world.boot({ wallMs: random.chance(0.5) ? 0 : world.clock.wallMs(), trustedAfterMs: 30_000 });
    runToyGateway(world);
  }
  world.calm();
  await world.advance(60_000);
  return world;
}

describe("a world", () => {
  it("is the same for the same seed, line by line, and another for another", async () => {
    const [first, again, other] = [await live(1), await live(1), await live(2)];
    expect(first.trace.length).toBeGreaterThan(1_000);
    expect(again.trace).toEqual(first.trace);
    expect(other.trace).not.toEqual(first.trace);
  });

  it("has weather: lives that end, troubles of every kind, taps that arrive all the same", async () => {
    const traces = (await Promise.all([3, 4, 5].map(live))).flatMap((world) => world.trace);
    for (const trouble of TROUBLES)
      expect(traces.some((line) => line.endsWith(`begins: ${trouble}`))).toBe(true);
    for (const end of ["killed", "torn", "lose", "keep"]) {
      expect(traces.some((line) => line.endsWith(`machine ends: ${end}`))).toBe(true);
    }
    expect(traces.filter((line) => line.includes("broker has tap")).length).toBeGreaterThan(100);
    expect(traces.filter((line) => line.endsWith("relay gate energised")).length).toBeGreaterThan(50);
  });

  it("answers nothing to a gateway whose machine is off", async () => {
    const world = new SimWorld({ seed: 1 });
    const machine = world.boot();
    machine.broker.start({ up: () => undefined, down: () => undefined, received: () => undefined });
    await world.advance(1_000);
    const told: string[] = [];
    machine.files.names("/").then(() => told.push("disk"));
    machine.broker.publish({ topic: "t", payload: "p", retain: false }).then(() => told.push("broker"));
    machine.feed.fetch("a").then(() => told.push("feed"));
    machine.clock.after(1, () => told.push("clock"));
    world.powerCut();
    machine.files.names("/").then(() => told.push("disk, asked later"));
    await world.advance(60_000);
    expect(told).toEqual([]);
    expect(() => world.boot()).not.toThrow();
    expect(() => world.boot()).toThrow("running");
  });
});
