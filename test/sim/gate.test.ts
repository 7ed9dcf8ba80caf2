import { describe, expect, test } from "vitest";
import type { Files } from "../../drivers/ports.ts";
import { SimGate, Violation } from "./gate.ts";
import { SimRandom } from "./random.ts";
import type { Machine } from "./world.ts";

const SEEDS = Array.from({ length: 40 }, (_, seed) => seed + 1);
const SECONDS = 60;

/** A minute of a stormy site, with a few lives cut short, then calm, and everything must be whole. */
async function live(seed: number, plant?: (machine: Machine) => Files): Promise<string[]> {
  const gate = new SimGate(seed, plant);
  const { world } = gate;
  const random = new SimRandom(`life ${seed}`);
  await gate.start();
  await world.advance(5_000);
  gate.excusePulses();
  world.storm(["broker", "slow-disk", "failing-disk", "reader", "relay", "feed"]);
  for (let second = 0; second < SECONDS; second += 1) {
    await gate.second(random);
    if (!random.chance(0.05)) continue;
    gate.rememberDurable();
    if (random.chance(0.5)) world.kill();
    else world.powerCut("torn");
    await world.advance(2_000);
    gate.boot();
  }
  world.calm();
  await world.advance(120_000);
  await gate.stop();
  await gate.checkWhole();
  return world.trace;
}

describe("a gate in a storm", () => {
  test.each(SEEDS)("seed %i loses nothing, and does the same twice", async (seed) => {
    const trace = await live(seed);
    expect(trace.length).toBeGreaterThan(100);
    expect(await live(seed)).toEqual(trace);
  });

  test("a journal that forgets to sync is caught", async () => {
    const forgetful = ({ files }: Machine): Files => ({
      ...files,
      open: async (path, mode) => {
        const file = await files.open(path, mode);
        return path.includes("/journal/") ? { ...file, sync: async () => undefined } : file;
      },
    });
    const caught = await Promise.allSettled(SEEDS.slice(0, 5).map((seed) => live(seed, forgetful)));
    const violations = caught.filter((end) => end.status === "rejected" && end.reason instanceof Violation);
    expect(violations.length).toBeGreaterThan(0);
  });
});
