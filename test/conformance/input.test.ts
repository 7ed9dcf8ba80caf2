import { expect, it } from "vitest";
import { DEBOUNCE_MS, Debounce } from "../../drivers/debounce.ts";
import { stampOf } from "../../drivers/stamp.ts";
import { VirtualInput } from "../../drivers/virtual-input.ts";
import { inputConformance } from "./input.ts";
import { simulatedWorld } from "./world.ts";

inputConformance("virtual", false, async () => {
  const world = simulatedWorld();
  let input: VirtualInput | null = null;
  let level = false;
  const set = async (active: boolean): Promise<void> => {
    level = active;
    input?.set(active);
  };
  return {
    world,
    create: (events) => {
      input = new VirtualInput(world, events);
      input.set(level);
      return input;
    },
    set,
    bounce: async (levels) => {
      for (const active of levels) await set(active);
    },
    dispose: async () => {},
  };
});

it("a contact that chatters for an hour is told of at most as often as it stands still", async () => {
  const { clock } = simulatedWorld();
  const told: [boolean, number][] = [];
  const debounce = new Debounce(clock, (active, stamp) => told.push([active, stamp.monotonicMs]));
  for (let move = 0; move < 1_000; move += 1) {
    debounce.take(move % 2 === 0, stampOf(clock));
    await clock.advance(DEBOUNCE_MS - 1);
  }
  expect(told).toEqual([]);
  const closedMs = clock.monotonicMs();
  debounce.take(true, stampOf(clock));
  await clock.advance(DEBOUNCE_MS);
  expect(told).toEqual([[true, closedMs]]);
  debounce.take(false, stampOf(clock));
  debounce.stop();
  await clock.advance(1_000);
  expect(told).toHaveLength(1);
});
