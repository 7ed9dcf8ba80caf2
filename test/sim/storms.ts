/** Storms as tests: 80 seeds in two files, so that two cores share them. The check of a landing lives through more. */
import { describe, expect, test } from "vitest";
import { ON_SITE } from "./gate.ts";
import { live } from "./life.ts";

/** One seed in so many is lived twice and must leave the same trace: a new life finds more than a second look at an old one. */
const TWICE_EVERY = 5;

export function storms(first: number, last: number): void {
  const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const site = { published: new Map() };
  describe("a gate in a storm", () => {
    let rollCalls = 0;
    test.each(seeds)("loses nothing, and keeps all that DESIGN promises, in seed %i", async (seed) => {
      const trace = await live(seed, { site });
      expect(trace.length).toBeGreaterThan(100);
      rollCalls += trace.filter((line) => line.includes(ON_SITE) && !line.includes(` 0 ${ON_SITE}`)).length;
      if (seed % TWICE_EVERY === 0) expect(await live(seed, { site })).toEqual(trace);
    });

    test("and in its lives knew after a start who is on site, more often than there were seeds", () => {
      expect(rollCalls).toBeGreaterThan(seeds.length);
    });
  });
}
