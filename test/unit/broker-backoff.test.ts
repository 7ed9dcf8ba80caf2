import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  Backoff,
  GOOD_AFTER_MS,
  type LossCause,
  PAUSE_MS_FIRST,
  PAUSE_MS_MAX,
  TAKEN_OVER_PAUSE_MS_FIRST,
  TAKEN_OVER_PAUSE_MS_MAX,
  TAKEOVER_FORGOTTEN_AFTER_MS,
  WORDLESS_LIFE_MS_MAX,
  WORDLESS_LOSSES_MAX,
} from "../../drivers/broker-backoff.ts";

function backoffAt(fraction: number): Backoff {
  return new Backoff({ bytes: (count) => new Uint8Array(count), fraction: () => fraction });
}

/** Almost the whole pause. */
const latest = 1 - 2 ** -40;

function pauses(count: number, next: () => number): number[] {
  return Array.from({ length: count }, () => Math.round(next()));
}

describe("the pause before the next connection", () => {
  test("grows to its cap while no door opens", () => {
    const backoff = backoffAt(latest);
    expect(pauses(7, () => backoff.afterFailure())).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000]);
  });

  test("is half of it at least", () => {
    expect(backoffAt(0).afterFailure()).toBe(PAUSE_MS_FIRST / 2);
  });

  test("is short again after a good connection, and grows after short ones", () => {
    const backoff = backoffAt(latest);
    pauses(5, () => backoff.afterFailure());
    expect(pauses(2, () => backoff.afterLoss("other", GOOD_AFTER_MS))).toEqual([500, 500]);
    expect(pauses(2, () => backoff.afterLoss("other", 1))).toEqual([1000, 2000]);
  });

  test("is long after a takeover, longer after the next, and short again when all was well for long", () => {
    const backoff = backoffAt(latest);
    const takenOver = () => backoff.afterLoss("taken-over", GOOD_AFTER_MS);
    expect(pauses(6, takenOver)).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 300_000]);
    expect(Math.round(backoff.afterLoss("taken-over", TAKEOVER_FORGOTTEN_AFTER_MS))).toBe(
      TAKEN_OVER_PAUSE_MS_FIRST,
    );
  });

  test("takes five short connections in a row that end without a word for a takeover", () => {
    const backoff = backoffAt(latest);
    const wordless = () => backoff.afterLoss("wordless", GOOD_AFTER_MS);
    expect(pauses(4, wordless)).toEqual([500, 500, 500, 500]);
    expect(backoff.suspectsTakeover).toBe(false);
    expect(pauses(4, wordless)).toEqual([15_000, 30_000, 60_000, 60_000]);
    expect(backoff.suspectsTakeover).toBe(true);
  });

  test.each<[string, (backoff: Backoff) => number]>([
    ["a refused connection", (backoff) => backoff.afterFailure()],
    ["a loss with another cause", (backoff) => backoff.afterLoss("other", 1)],
    ["a longer connection", (backoff) => backoff.afterLoss("wordless", WORDLESS_LIFE_MS_MAX)],
  ])("%s between them speaks against it", (_, between) => {
    const backoff = backoffAt(latest);
    for (let round = 0; round < 10; round++) {
      for (let count = 1; count < WORDLESS_LOSSES_MAX; count++) backoff.afterLoss("wordless", 1);
      between(backoff);
      expect(backoff.suspectsTakeover).toBe(false);
    }
  });

  test("is never longer than its caps, nor nothing", () => {
    const step = fc.tuple(
      fc.constantFrom<LossCause | "failure">("taken-over", "wordless", "other", "failure"),
      fc.nat(2 * TAKEOVER_FORGOTTEN_AFTER_MS),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.double({ min: 0, max: latest, noNaN: true }),
        (steps, fraction) => {
          const backoff = backoffAt(fraction);
          for (const [cause, livedMs] of steps) {
            const pauseMs = cause === "failure" ? backoff.afterFailure() : backoff.afterLoss(cause, livedMs);
            const maxMs = cause === "failure" || cause === "other" ? PAUSE_MS_MAX : TAKEN_OVER_PAUSE_MS_MAX;
            expect(pauseMs).toBeGreaterThanOrEqual(PAUSE_MS_FIRST / 2);
            expect(pauseMs).toBeLessThanOrEqual(maxMs);
          }
        },
      ),
    );
  });
});
