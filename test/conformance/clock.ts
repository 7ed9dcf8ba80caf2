import { describe, expect, it } from "vitest";
import type { Clock } from "../../drivers/ports.ts";

/** A clock, and how to let at least `ms` of its time pass. */
export interface ClockUnderTest {
  clock: Clock;
  pass(ms: number): Promise<void>;
}

/** What every Clock promises in `drivers/ports.ts`. */
export function clockConformance(name: string, create: () => ClockUnderTest): void {
  describe(`clock: ${name}`, () => {
    it("fires once, at or after its delay, and never from inside the call", async () => {
      const { clock, pass } = create();
      const startMs = clock.monotonicMs();
      const firedMs: number[] = [];
      clock.after(20, () => firedMs.push(clock.monotonicMs()));
      clock.after(0, () => firedMs.push(clock.monotonicMs()));
      clock.after(-5, () => firedMs.push(clock.monotonicMs()));
      expect(firedMs).toEqual([]);
      await pass(100);
      expect(firedMs).toHaveLength(3);
      expect(firedMs[2]! - startMs).toBeGreaterThanOrEqual(20);
    });

    it("fires earlier deadlines first, equal ones in the order they were set", async () => {
      const { clock, pass } = create();
      const order: string[] = [];
      clock.after(30, () => order.push("late"));
      clock.after(10, () => order.push("early"));
      clock.after(0, () => order.push("now"));
      clock.after(0, () => order.push("then"));
      await pass(100);
      expect(order).toEqual(["now", "then", "early", "late"]);
    });

    it("keeps a deadline although the loop was busy when it was set and while it ran", async () => {
      const { clock, pass } = create();
      const busyUntilMs = performance.now() + 30;
      while (performance.now() < busyUntilMs);
      const startMs = clock.monotonicMs();
      let firedMs = 0;
      clock.after(15, () => {
        firedMs = clock.monotonicMs();
      });
      await pass(60);
      expect(firedMs - startMs).toBeGreaterThanOrEqual(15);
    });

    it("does not fire what was cancelled, also by a timer of the same instant; a late cancel does no harm", async () => {
      const { clock, pass } = create();
      const fired: string[] = [];
      const never = clock.after(10, () => fired.push("cancelled before"));
      never.cancel();
      never.cancel();
      const first = clock.after(20, () => {
        fired.push("first");
        second.cancel();
      });
      const second = clock.after(20, () => fired.push("cancelled by the first"));
      await pass(100);
      first.cancel();
      expect(fired).toEqual(["first"]);
    });

    it("takes a delay longer than 2^31 ms for what it is", async () => {
      const { clock, pass } = create();
      let fired = false;
      const timer = clock.after(2 ** 31 + 5_000, () => {
        fired = true;
      });
      await pass(30);
      timer.cancel();
      expect(fired).toBe(false);
    });

    it("runs timers that are set by timers", async () => {
      const { clock, pass } = create();
      let depth = 0;
      const deeper = () => {
        depth += 1;
        if (depth < 5) clock.after(1, deeper);
      };
      deeper();
      await pass(100);
      expect(depth).toBe(5);
    });

    it("never goes backwards, and tells a wall time in whole milliseconds", () => {
      const { clock } = create();
      let before = clock.monotonicMs();
      for (let look = 0; look < 1_000; look++) {
        const now = clock.monotonicMs();
        expect(now).toBeGreaterThanOrEqual(before);
        before = now;
      }
      expect(Number.isInteger(clock.wallMs())).toBe(true);
    });
  });
}
