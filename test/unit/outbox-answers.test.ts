/** What the broker answers, late, out of order or not at all: how much may be under way, and how far the cursor moves. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ACKNOWLEDGED, Desk, ids, SESSION } from "./outbox-desk.ts";

describe("answers", () => {
  test("in any order move the cursor only past what was taken, all of it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 1 }), async (order) => {
        const desk = new Desk();
        desk.answer = null;
        await desk.open(8);
        desk.outbox.connected(SESSION);
        await desk.clock.advance(1);
        expect(desk.ids).toEqual(ids(1, 8));
        for (const index of order) desk.published[index]?.answer(ACKNOWLEDGED);
        await desk.clock.advance(5_000);
        let passed = 0;
        while (order.includes(passed)) passed += 1;
        expect(desk.outbox.state.acknowledgedSeq).toBe(passed);
        expect(desk.cursor()).toBe(passed === 0 ? null : passed);
        await desk.outbox.stop();
      }),
      { numRuns: 60 },
    );
  });

  test("that do not come: no more is sent than the broker takes at once, less one for the states", async () => {
    for (const [receiveMaximum, most] of [
      [1, 1],
      [2, 1],
      [20, 19],
      [65_535, 128],
    ] as const) {
      const desk = new Desk();
      desk.answer = null;
      await desk.open(1_000);
      desk.outbox.connected({ ...SESSION, receiveMaximum });
      await desk.clock.advance(60_000);
      expect(desk.published.length).toBe(most);
      await desk.outbox.stop();
    }
  });

  test("`lost` send again from the first that was not taken, after a second", async () => {
    const desk = new Desk();
    desk.answer = null;
    await desk.open(4);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(1);
    desk.published[0]?.answer(ACKNOWLEDGED);
    desk.published[1]?.answer({ kind: "lost", why: "no answer" });
    for (const late of [2, 3]) desk.published[late]?.answer(ACKNOWLEDGED);
    await desk.clock.advance(900);
    expect(desk.published.length).toBe(4);
    desk.answer = () => ACKNOWLEDGED;
    await desk.clock.advance(200);
    expect(desk.ids.slice(4)).toEqual(ids(2, 4));
    await desk.outbox.stop();
  });

  test("of an older round still count against what the broker takes at once", async () => {
    const desk = new Desk();
    desk.answer = null;
    await desk.open(50);
    desk.outbox.connected({ ...SESSION, receiveMaximum: 5 });
    await desk.clock.advance(20);
    desk.published[0]?.answer({ kind: "refused", why: "quota exceeded" });
    await desk.clock.advance(120_000);
    expect(desk.published.length).toBe(4);
    expect(desk.outbox.state.refused).toBe("quota exceeded");
    for (const { answer } of desk.published.slice(1, 4)) answer(ACKNOWLEDGED);
    await desk.clock.advance(120_000);
    expect(desk.ids.slice(4)).toEqual(["gate-07/1"]);
    await desk.outbox.stop();
  });
});
