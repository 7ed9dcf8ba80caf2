import { describe, expect, test } from "vitest";
import type { CloudEvent } from "../../daemon/journal/record.ts";
import { SimGate } from "./gate.ts";
import { live } from "./life.ts";
import { PLANTS } from "./plants.ts";
import { CARDS, JOURNAL } from "./site.ts";
import { Violation } from "./violation.ts";

interface EventClock {
  trusted: boolean;
  boot: string;
  uptimeMs: number;
}

/** Storms in which a planted bug must have been seen. */
const SEEDS_MAX = 40;

describe("a planted bug is caught:", () => {
  test.each(PLANTS)("$bug", async ({ options, caughtAs }) => {
    for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
      const caught = await live(seed, options).then(
        () => null,
        (error: unknown) => error,
      );
      if (caught === null) continue;
      expect(caught).toBeInstanceOf(Violation);
      expect(String(caught)).toMatch(caughtAs);
      expect(String(caught)).toContain(`npm run sim -- --seed ${seed}`);
      return;
    }
    throw new Error(`${SEEDS_MAX} storms and not seen`);
  });
});

/** Seeds of long runs that failed, and what each found. */
const FOUND = [
  [7_001_534, "a full disk kept a torn tail where it was, and the judge read on behind the hole"],
  [
    7_004_126,
    "a life ended before it had cut a torn tail, and the judge took a line behind the hole for promised",
  ],
] as const;

describe("a storm of long ago loses nothing:", () => {
  test.each(FOUND)("seed %i, in which %s", async (seed) => {
    expect((await live(seed)).length).toBeGreaterThan(100);
  });
});

describe("a gate that was killed while it was open", () => {
  test("is released by its next start, though the disk does not answer", async () => {
    const gate = new SimGate(1);
    const { world } = gate;
    const relay = world.relay("in");
    await gate.start();
    await world.advance(5_000);
    gate.tap("in-1", CARDS[2]!.number);
    await world.advance(100);
    gate.kill();
    expect(relay.isEnergised).toBe(true);
    world.stallOf = () => 60_000;
    gate.boot();
    await world.advance(50);
    expect(relay.isEnergised).toBe(false);
    world.stallOf = () => 0;
    await world.advance(300_000);
    await gate.stop();
    await gate.checkWhole();
  });
});

describe("a gate whose clock starts in 1970", () => {
  test("lets a centre place what came before the clock was set", async () => {
    const gate = new SimGate(1);
    const { world } = gate;
    await gate.start();
    await world.advance(5_000);
    world.powerCut("torn");
    const bootMs = world.clock.wallMs();
    gate.boot({ wallMs: 0, trustedAfterMs: 90_000 });
    await world.advance(60_000);
    gate.tap("in-1", "BB-1234-567890");
    await world.advance(20_000);
    world.machine?.clock.jumpWall(bootMs);
    await world.advance(20_000);
    await gate.stop();
    await gate.checkWhole();
    const events = world.broker.delivered
      .filter(({ retain }) => !retain)
      .map(({ payload }) => JSON.parse(payload) as CloudEvent & { data: { clock: EventClock } });
    const [tap] = events.filter(({ type }) => type === "grindvakt.tap.v1");
    const [set] = events.filter(({ data }) => data.event === "clock-trusted");
    expect(tap?.time).toMatch(/^1970-/);
    expect(tap?.data.clock).toMatchObject({ trusted: false, boot: set?.data.clock.boot });
    const sinceMs = set!.data.clock.uptimeMs - tap!.data.clock.uptimeMs;
    expect(Math.abs(Date.parse(set!.time) - sinceMs - (bootMs + 60_000))).toBeLessThan(100);
    expect(events.filter(({ data }) => data.event === "started").at(-1)?.data.machine).toEqual({
      boot: "life-2",
      uptimeMs: 0,
    });
  });
});

test("a torn tail of the journal is cut off at the start, and the log and the centre hear of it", async () => {
  const gate = new SimGate(1);
  const { world } = gate;
  await gate.start();
  await world.advance(5_000);
  world.powerCut("lose");
  const segment = world.disk.paths().findLast((path) => path.startsWith(`${JOURNAL}/`))!;
  const torn = '{"seq":4711,"prev":';
  world.disk.put(segment, Buffer.concat([world.disk.seen(segment)!, Buffer.from(torn)]));
  gate.boot();
  await world.advance(5_000);
  expect(Buffer.from(world.disk.seen(segment)!).toString()).not.toContain(torn);
  expect(world.machine?.log.messages("warn")).toContain("cut a torn tail off the journal");
  await gate.stop();
  await gate.checkWhole();
  const starts = world.broker.delivered
    .filter(({ retain }) => !retain)
    .map(({ payload }) => (JSON.parse(payload) as CloudEvent).data)
    .filter(({ event }) => event === "started");
  expect(starts.map(({ tornBytes, damaged }) => [tornBytes, damaged])).toEqual([
    [0, false],
    [torn.length, false],
  ]);
});
