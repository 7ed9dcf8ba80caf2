import fc from "fast-check";
import { expect, test } from "vitest";
import { createNoise, createTally } from "../../daemon/gate/noise.ts";
import type { Clock } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";

const MINUTE_MS = 60_000;
const EVENTS_A_MINUTE = 10;

/** Readings after each of these times, then quiet. */
async function listen(gapsMs: readonly number[]) {
  const clock = new SimClock();
  const admitted: number[] = [];
  const summaries: { atMs: number; count: number }[] = [];
  const noise = createNoise(clock, (count) => summaries.push({ atMs: clock.monotonicMs(), count }));
  for (const gapMs of gapsMs) {
    await clock.advance(gapMs);
    if (noise.admit()) admitted.push(clock.monotonicMs());
  }
  await clock.runUntilIdle();
  return { admitted, summaries, endMs: clock.monotonicMs() };
}

test("every reading is an event of its own or is counted once, never more than the bound", async () => {
  const bursts = fc.array(fc.oneof(fc.constant(0), fc.nat(20), fc.nat(90_000)), {
    maxLength: 120,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(bursts, async (gapsMs) => {
      const { admitted, summaries, endMs } = await listen(gapsMs);
      const counted = summaries.reduce((sum, { count }) => sum + count, 0);
      expect(admitted.length + counted).toBe(gapsMs.length);
      for (const { count } of summaries) expect(count).toBeGreaterThan(0);
      // One summary a minute.
      for (const [index, { atMs }] of summaries.entries())
        if (index > 0) expect(atMs - summaries[index - 1]!.atMs).toBeGreaterThanOrEqual(MINUTE_MS);
      // Over any time, ten a minute that has begun.
      const minutes = Math.floor(endMs / MINUTE_MS) + 1;
      expect(admitted.length).toBeLessThanOrEqual(EVENTS_A_MINUTE * minutes);
    }),
    { numRuns: 60 },
  );
});

test("a cable that never rests costs ten events and one summary a minute", async () => {
  const perMinute = 600;
  const minutes = 5;
  const { admitted, summaries } = await listen(Array.from({ length: perMinute * minutes }, () => 100));
  expect(admitted.length).toBe(EVENTS_A_MINUTE * minutes);
  expect(summaries.length).toBe(minutes);
  for (const { count } of summaries) expect(count).toBe(perMinute - EVENTS_A_MINUTE);
});

test("a few misreads are events and nothing else", async () => {
  const { admitted, summaries } = await listen(Array.from({ length: EVENTS_A_MINUTE }, () => 1));
  expect(admitted.length).toBe(EVENTS_A_MINUTE);
  expect(summaries).toEqual([]);
});

test("the summary comes a minute after the first reading that was only counted", async () => {
  const { summaries } = await listen([5_000, ...Array.from({ length: 14 }, () => 1_000)]);
  expect(summaries).toEqual([{ atMs: 15_000 + MINUTE_MS, count: 5 }]);
});

test("a summary that comes late has everything counted until then, once", () => {
  let nowMs = 0;
  const late: (() => void)[] = [];
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    trusted: () => true,
    after: (_delayMs, fire) => {
      late.push(fire);
      return { cancel() {} };
    },
  };
  const counts: number[] = [];
  const noise = createNoise(clock, (count) => counts.push(count));
  for (const readings of [14, 25]) {
    for (let reading = 0; reading < readings; reading += 1) noise.admit();
    nowMs += MINUTE_MS;
  }
  for (const fire of late) fire();
  expect(counts).toEqual([4 + 15]);
});

test("a tally of few or many is told once, a minute after the first; quiet is not told of", async () => {
  const clock = new SimClock();
  const told: { atMs: number; count: number }[] = [];
  const tally = createTally(clock, (count) => told.push({ atMs: clock.monotonicMs(), count }));
  tally.add();
  await clock.advance(MINUTE_MS - 1);
  expect(told).toEqual([]);
  await clock.advance(3 * MINUTE_MS);
  expect(told).toEqual([{ atMs: MINUTE_MS, count: 1 }]);
  const againMs = clock.monotonicMs();
  for (let times = 0; times < 36; times += 1) tally.add();
  await clock.runUntilIdle();
  expect(told.slice(1)).toEqual([{ atMs: againMs + MINUTE_MS, count: 36 }]);
});

test("what was counted can be told before its time, is not told again then, and the next has its own minute", async () => {
  const clock = new SimClock();
  const counts: number[] = [];
  const noise = createNoise(clock, (count) => counts.push(count));
  noise.flush();
  for (let reading = 0; reading < EVENTS_A_MINUTE + 7; reading += 1) noise.admit();
  await clock.advance(MINUTE_MS / 2);
  noise.flush();
  noise.flush();
  expect(counts).toEqual([7]);
  noise.admit();
  await clock.advance(MINUTE_MS - 1);
  expect(counts).toEqual([7]);
  await clock.advance(2 * MINUTE_MS);
  expect(counts).toEqual([7, 1]);
});
