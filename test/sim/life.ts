/** A minute of a stormy site from one seed, with lives cut short; then calm, and everything must be whole. */
import { type Plant, SimGate } from "./gate.ts";
import { SimRandom } from "./random.ts";
import type { SiteOptions } from "./site.ts";
import { TROUBLES } from "./storm.ts";
import { Violation } from "./violation.ts";

const SECONDS = 45;
/** How often somebody pulls the plug, a second. */
const CUTS = 0.06;
/** Disk calls ahead in which the power goes: within a second or two. */
const IOS_AHEAD_MAX = 60;

export interface LiveOptions {
  site?: SiteOptions;
  plant?: Plant;
  prepare?: (gate: SimGate) => void;
}

/** The trace. Rejects with a `Violation` that says how to see it again. */
export async function live(seed: number, { plant, prepare, site }: LiveOptions = {}): Promise<string[]> {
  const gate = new SimGate(seed, plant, site);
  prepare?.(gate);
  try {
    await storm(gate, new SimRandom(`life ${seed}`));
  } catch (error) {
    if (error instanceof Violation)
      error.message += `\n  again, with its trace: npm run sim -- --seed ${seed} --trace`;
    throw error;
  }
  return gate.world.trace;
}

async function storm(gate: SimGate, random: SimRandom): Promise<void> {
  const { world } = gate;
  await gate.start();
  await world.advance(2_000);
  world.storm(TROUBLES);
  for (let second = 0; second < SECONDS; second += 1) {
    await gate.second(random);
    if (random.chance(CUTS)) await end(gate, random);
    if (world.machine !== null) continue;
    await world.advance(random.between(100, 3_000));
    if (random.chance(0.3)) gate.bootIn1970(random.between(1_000, 60_000));
    else gate.boot();
    if (!random.chance(0.5)) continue;
    await world.advance(3_000);
    gate.commander.again();
  }
  world.disk.cutAt(Number.POSITIVE_INFINITY);
  world.calm();
  await world.advance(60_000);
  await gate.stop();
  await gate.checkWhole();
}

/** At any moment, also in the middle of a pulse or a write. */
async function end(gate: SimGate, random: SimRandom): Promise<void> {
  if (random.chance(0.4))
    return gate.powerCutAtIo(random.between(1, IOS_AHEAD_MAX), random.pick(["lose", "keep", "torn"]));
  for (let tap = 0; tap < 2; tap += 1) gate.tap(random.pick(["in-1", "out-1"]), "BB-2611-000001");
  await gate.world.advance(random.between(0, 999));
  if (random.chance(0.6)) gate.kill();
  else gate.powerCut("torn");
}
