import { describe, expect, test } from "vitest";
import type { CloudEvent } from "../../daemon/record.ts";
import type { Files } from "../../drivers/ports.ts";
import { SimGate, Violation } from "./gate.ts";
import { SimRandom } from "./random.ts";
import { TROUBLES } from "./storm.ts";
import type { Machine } from "./world.ts";

interface EventClock {
  trusted: boolean;
  boot: string;
  uptimeMs: number;
}

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed + 1);
const SECONDS = 60;

/** A minute of a stormy site, with a few lives cut short, then calm, and everything must be whole. */
async function live(
  seed: number,
  plant?: (machine: Machine) => Files,
  prepare: (gate: SimGate) => void = () => undefined,
): Promise<string[]> {
  const gate = new SimGate(seed, plant);
  prepare(gate);
  const { world } = gate;
  const random = new SimRandom(`life ${seed}`);
  await gate.start();
  await world.advance(5_000);
  gate.excusePulses();
  world.storm(TROUBLES);
  for (let second = 0; second < SECONDS; second += 1) {
    await gate.second(random);
    if (!random.chance(0.05)) continue;
    gate.rememberDurable();
    if (random.chance(0.5)) world.kill();
    else world.powerCut("torn");
    await world.advance(2_000);
    if (random.chance(0.3)) bootIn1970(gate, random.between(1_000, 60_000));
    else gate.boot();
  }
  world.calm();
  await world.advance(120_000);
  await gate.stop();
  await gate.checkWhole();
  return world.trace;
}

/** A machine without a battery for its clock, whose time service answers after a while: it sets the clock, and then vouches for it. */
function bootIn1970(gate: SimGate, trustedAfterMs: number): void {
  const { world } = gate;
  gate.boot({ wallMs: 0, trustedAfterMs });
  const clock = world.machine?.clock;
  clock?.after(trustedAfterMs - 1, () => clock.jumpWall(world.clock.wallMs() - clock.wallMs()));
}

describe("a gate in a storm", () => {
  test.each(SEEDS)("seed %i loses nothing, and does the same twice", async (seed) => {
    const trace = await live(seed);
    expect(trace.length).toBeGreaterThan(100);
    expect(await live(seed)).toEqual(trace);
  });

  test("a contact that is told of twice is caught", async () => {
    const prepare = ({ world }: SimGate): void => {
      world.input("in passage").stutters = true;
    };
    const caught = await Promise.allSettled(SEEDS.slice(0, 5).map((seed) => live(seed, undefined, prepare)));
    const violations = caught.filter((end) => end.status === "rejected" && end.reason instanceof Violation);
    expect(violations.length).toBeGreaterThan(0);
  });

  test("a clock that starts in 1970 and is set later lets a centre place what came before", async () => {
    const gate = new SimGate(1);
    const { world } = gate;
    await gate.start();
    await world.advance(5_000);
    world.powerCut("torn");
    const bootMs = world.clock.wallMs();
    gate.boot({ wallMs: 0, trustedAfterMs: 90_000 });
    await world.advance(60_000);
    world.reader("in-1").presentNumber("BB-1234-567890");
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

  const plants: [string, (machine: Machine) => Files][] = [
    [
      "a journal that forgets to sync",
      ({ disk, files }) => {
        disk.liesAbout = (path) => path.includes("/journal/");
        return files;
      },
    ],
    [
      "a site list that says it is written and is not",
      ({ files }) => ({
        ...files,
        replace: async (path, content) => {
          if (!path.includes("/site-list")) await files.replace(path, content);
        },
      }),
    ],
  ];
  test.each(plants)("%s is caught", async (_, plant) => {
    const caught = await Promise.allSettled(SEEDS.slice(0, 10).map((seed) => live(seed, plant)));
    const violations = caught.filter((end) => end.status === "rejected" && end.reason instanceof Violation);
    expect(violations.length).toBeGreaterThan(0);
  });
});
