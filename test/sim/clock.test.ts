import { expect, it } from "vitest";
import { SimClock } from "./clock.ts";
import { SimRandom } from "./random.ts";

it("lets promise chains settle between timers, in simulated time only", async () => {
  const clock = new SimClock();
  const seen: string[] = [];
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const chain = async (name: string, stepMs: number) => {
    for (let step = 1; step <= 3; step++) {
      await wait(stepMs);
      for (let turn = 0; turn < 50; turn++) await null;
      seen.push(`${name}${step}@${clock.monotonicMs()}`);
    }
  };
  chain("a", 3_600_000);
  chain("b", 5_400_000);
  await clock.advance(4 * 3_600_000);
  expect(seen).toEqual(["a1@3600000", "b1@5400000", "a2@7200000", "b2@10800000", "a3@10800000"]);
  expect(clock.monotonicMs()).toBe(4 * 3_600_000);
});

it("jumps its wall clock without touching the monotonic one, and is trusted when told", async () => {
  const clock = new SimClock({ wallMs: 0, trustedAfterMs: 500 });
  await clock.advance(100);
  expect([clock.monotonicMs(), clock.wallMs(), clock.trusted()]).toEqual([100, 100, false]);
  clock.jumpWall(-1_000);
  expect([clock.monotonicMs(), clock.wallMs()]).toEqual([100, -900]);
  await clock.advance(400);
  expect(clock.trusted()).toBe(true);
  const never = new SimClock({ trustedAfterMs: Number.POSITIVE_INFINITY });
  expect(never.trusted()).toBe(false);
  never.trust();
  expect(never.trusted()).toBe(true);
});

it("ends a machine's timers with the machine, and goes on with the world's", async () => {
  const world = new SimClock();
  await world.advance(1_000);
  const machine = world.boot({ wallMs: 0 });
  expect([machine.monotonicMs(), machine.wallMs()]).toEqual([0, 0]);
  const fired: string[] = [];
  machine.after(10, () => fired.push("machine"));
  world.after(10, () => fired.push("world"));
  machine.end();
  machine.after(5, () => fired.push("set after the end"));
  await world.advance(100);
  expect(fired).toEqual(["world"]);
});

it("says when time stands still, when it never ends, and when two hands move it", async () => {
  const clock = new SimClock();
  const again = () => {
    clock.after(0, again);
  };
  const timer = clock.after(0, again);
  await expect(clock.advance(1)).rejects.toThrow("stands still");
  timer.cancel();

  const ticking = new SimClock();
  const tick = () => {
    ticking.after(1_000, tick);
  };
  tick();
  await expect(ticking.runUntilIdle(10_000)).rejects.toThrow("1 timers are still waiting");
  const first = ticking.advance(10);
  await expect(ticking.advance(10)).rejects.toThrow("moving already");
  await first;
});

it("gives the same chance for the same seed, another for another, and streams that do not disturb each other", () => {
  const draw = (random: SimRandom) => Array.from({ length: 5 }, () => random.word());
  expect(draw(new SimRandom(7))).toEqual(draw(new SimRandom(7)));
  expect(draw(new SimRandom(7))).not.toEqual(draw(new SimRandom(8)));
  const parent = new SimRandom(7);
  parent.word();
  expect(draw(parent.fork("disk"))).toEqual(draw(new SimRandom(7).fork("disk")));
  expect(draw(parent.fork("disk"))).not.toEqual(draw(parent.fork("broker")));
});

it("draws evenly enough to be called chance", () => {
  const random = new SimRandom("even");
  const counts = new Array<number>(10).fill(0);
  for (let draw = 0; draw < 10_000; draw++) counts[random.between(0, 9)]! += 1;
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  const mean = random.bytes(10_000).reduce((sum, byte) => sum + byte, 0) / 10_000;
  expect(Math.abs(mean - 127.5)).toBeLessThan(3);
});
