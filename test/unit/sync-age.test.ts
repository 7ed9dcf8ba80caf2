/** The edges of a list's age: the millisecond at which it is late or stale, and what is known where a clock is not. */
import { describe, expect, it } from "vitest";
import { type AgeFacts, ageOf } from "../../sync/sync-age.ts";
import { SimClock } from "../sim/clock.ts";

const LIMITS = { lateAfterMinutes: 15, staleAfterHours: 24 };
const MINUTE_MS = 60_000;
const NOON_MS = Date.parse("2026-11-23T11:00:00Z");

/** The age at noon, of what `facts` says. */
function ageAtNoon(facts: Partial<AgeFacts>, trusted = true) {
  const clock = new SimClock({ wallMs: NOON_MS, trustedAfterMs: trusted ? 0 : Number.POSITIVE_INFINITY });
  const none = { refreshed: null, restoredAtMs: null, startedMonotonicMs: 0, hasList: true };
  return ageOf({ ...none, ...facts }, LIMITS, clock);
}

const refreshedAgo = (ms: number) => ({ refreshed: { monotonicMs: -ms, wallMs: NOON_MS - ms } });

describe("a list", () => {
  it.each([
    ["fresh", 0],
    ["fresh", 15 * MINUTE_MS - 1],
    ["late", 15 * MINUTE_MS],
    ["late", 24 * 60 * MINUTE_MS - 1],
    ["stale", 24 * 60 * MINUTE_MS],
  ])("is %s %i ms after its refresh, in this run and after a restart", (freshness, ms) => {
    const age = { freshness, ageSeconds: Math.floor(ms / 1_000), refreshedAtMs: NOON_MS - ms };
    expect(ageAtNoon(refreshedAgo(ms))).toEqual(age);
    expect(ageAtNoon({ restoredAtMs: NOON_MS - ms })).toEqual(age);
  });

  it("is at best late while the clock is not trusted, whatever was known before", () => {
    expect(ageAtNoon(refreshedAgo(0), false).freshness).toBe("late");
    expect(ageAtNoon({ restoredAtMs: NOON_MS }, false)).toEqual({
      freshness: "late",
      ageSeconds: null,
      refreshedAtMs: null,
    });
  });

  it("is of no known age where its refresh lies in the future", () => {
    const age = { freshness: "late", ageSeconds: null, refreshedAtMs: null };
    expect(ageAtNoon({ restoredAtMs: NOON_MS + 1 })).toEqual(age);
  });
});
