import { expect, test } from "vitest";
import { ClockWatch } from "../../daemon/gate/clock-watch.ts";
import { SimClock } from "../sim/clock.ts";

function watched(clock: SimClock): { watch: ClockWatch; told: number[] } {
  const told: number[] = [];
  const watch = new ClockWatch(clock, () => told.push(clock.monotonicMs()));
  watch.start();
  return { watch, told };
}

test("a clock that comes to be trusted is told of once, within a second", async () => {
  const clock = new SimClock({ wallMs: 0, trustedAfterMs: 90_500 });
  const { told } = watched(clock);
  await clock.advance(90_000);
  expect(told).toEqual([]);
  await clock.advance(1_500);
  await clock.advance(3_600_000);
  expect(told).toEqual([91_000]);
});

test("a clock that was trusted from the beginning, and one that never is, say nothing and leave no timer", async () => {
  const trusted = new SimClock();
  expect(watched(trusted).told).toEqual([]);
  await trusted.runUntilIdle(0);
  const never = new SimClock({ trustedAfterMs: Number.POSITIVE_INFINITY });
  const { watch, told } = watched(never);
  await never.advance(10_000);
  watch.stop();
  await never.runUntilIdle(0);
  expect(told).toEqual([]);
});
