/** A device that comes and goes writes little, and what it writes is true. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createFlaps, type Standing } from "../../daemon/gate/flaps.ts";
import { SimClock } from "../sim/clock.ts";
import { GatewayBench } from "./gateway-bench.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const CHANGES_IN_FULL = 12;

type Line = { kind: "changed" | "flapping"; now: Standing; count: number; atMs: number };

function bench() {
  const clock = new SimClock();
  const lines: Line[] = [];
  const flaps = createFlaps(clock, {
    changed: (now) => lines.push({ kind: "changed", now, count: 1, atMs: clock.monotonicMs() }),
    flapping: (count, now) => lines.push({ kind: "flapping", now, count, atMs: clock.monotonicMs() }),
  });
  return { clock, lines, flaps };
}

test("a device that flaps for a day is told of in full at first, then four times an hour, and as it stands once it stands still", async () => {
  const { clock, lines, flaps } = bench();
  let changes = 0;
  for (; clock.monotonicMs() < DAY_MS; changes += 1) {
    flaps.take(changes % 2 === 0 ? "unplugged" : null);
    await clock.advance(2_000);
  }
  expect(lines.slice(0, CHANGES_IN_FULL + 1).map(({ kind }) => kind)).toEqual([
    ...Array<string>(CHANGES_IN_FULL).fill("changed"),
    "flapping",
  ]);
  expect(lines.length).toBeLessThanOrEqual(CHANGES_IN_FULL + 1 + 24 * 4);
  await clock.advance(20 * MINUTE_MS);
  expect(lines.slice(-2).map(({ kind, now }) => [kind, now])).toEqual([
    ["flapping", null],
    ["changed", null],
  ]);
  // The last one is told in both.
  expect(lines.reduce((sum, { count }) => sum + count, 0)).toBe(changes + 1);
  const { length } = lines;
  flaps.take("unplugged");
  expect(lines.slice(length).map(({ kind, now }) => [kind, now])).toEqual([["changed", "unplugged"]]);
  expect(clock.pendingCount).toBe(0);
});

test("whatever it does, the last line says how it stands, every change is counted, and nothing is left to wait for", async () => {
  const gaps = fc.array(fc.oneof(fc.nat(10_000), fc.nat(6 * MINUTE_MS)), { maxLength: 150, size: "max" });
  await fc.assert(
    fc.asyncProperty(gaps, fc.boolean(), async (gapsMs, isStopped) => {
      const { clock, lines, flaps } = bench();
      for (const [index, gapMs] of gapsMs.entries()) {
        await clock.advance(gapMs);
        flaps.take(index % 2 === 0 ? "unplugged" : null);
      }
      if (isStopped) flaps.flush();
      else await clock.runUntilIdle();
      const settled = lines.filter(
        ({ kind }, at) => kind === "changed" && lines[at - 1]?.kind === "flapping",
      );
      expect(lines.reduce((sum, { count }) => sum + count, 0)).toBe(gapsMs.length + settled.length);
      expect(lines.at(-1)?.now ?? null).toBe(gapsMs.length % 2 === 1 ? "unplugged" : null);
      expect(clock.pendingCount).toBe(0);
      flaps.flush();
      for (const { count } of lines) expect(count).toBeGreaterThan(0);
    }),
  );
});

test("of readers, relays and contacts alike; their states show every change all the same", async () => {
  const gate = new GatewayBench({
    accessPoints: [{ id: "north-in", inputs: { passage: { passageSeconds: 5 } } }],
  });
  const { gateway } = gate;
  const reader = gateway.readerEvents("north-in-1");
  const relay = gateway.relayEvents("north-in");
  const contact = gateway.inputEvents("north-in", "passage");
  const devices = [reader, relay, contact];
  for (const device of devices) device.up({});
  for (let second = 0; second < 3_600; second += 2) {
    for (const device of devices) device.down("a bad plug");
    const down = { state: "down", why: "a bad plug" };
    expect(gateway.readerStates()["north-in-1"]).toMatchObject(down);
    expect(gateway.relayStates()["north-in"]).toMatchObject(down);
    expect(gateway.inputStates()["north-in"]?.passage).toMatchObject(down);
    await gate.clock.advance(1_000);
    for (const device of devices) device.up({});
    expect(gateway.readerStates()["north-in-1"]).toMatchObject({ state: "up", why: null });
    expect(gateway.relayStates()["north-in"]).toMatchObject({ state: "up", why: null });
    expect(gateway.inputStates()["north-in"]?.passage).toMatchObject({ state: "open", why: null });
    await gate.clock.advance(1_000);
  }
  const linesOf = (kind: "reader" | "gateway", part: string) =>
    gate.dataOf(kind).filter(({ event }) => String(event).startsWith(part));
  // The reader's first `up` is told, too: what it goes over the bound with is one.
  expect(linesOf("reader", "flapping")).toMatchObject([
    { event: "flapping", reader: "north-in-1", count: 1, why: null, model: null },
    { event: "flapping", count: 899, why: "a bad plug" },
    { event: "flapping", count: 900 },
    { event: "flapping", count: 900 },
  ]);
  for (const device of ["relay", "input"]) {
    const flapping = linesOf("gateway", `${device}-flapping`);
    expect(flapping).toHaveLength(4);
    expect(flapping[0]).toMatchObject({ accessPoint: "north-in", count: 1, why: "a bad plug" });
    expect(linesOf("gateway", device)).toHaveLength(12 + 4);
  }
  expect(gate.log.messages("warn").length).toBeLessThan(2 * 20);
  await gateway.stopped();
  expect(gate.clock.pendingCount).toBe(0);
});
