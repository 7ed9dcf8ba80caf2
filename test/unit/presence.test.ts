import fc from "fast-check";
import { expect, test } from "vitest";
import type { Whereabouts } from "../../daemon/decide.ts";
import { createPresence } from "../../daemon/presence.ts";

const RESET_MS = 1_000;

test("a card is where it last went, until the time is up", () => {
  const passage = fc.record({
    card: fc.constantFrom("a", "b", "c"),
    direction: fc.constantFrom("entry" as const, "exit" as const),
    passedMs: fc.nat(600),
  });
  fc.assert(
    fc.property(fc.array(passage, { maxLength: 40 }), fc.nat(1_500), (passages, laterMs) => {
      const presence = createPresence();
      const expected = new Map<string, { where: Whereabouts; atMs: number }>();
      let nowMs = 0;
      for (const { card, direction, passedMs } of passages) {
        nowMs += passedMs;
        presence.granted(card, direction, nowMs);
        expected.set(card, { where: direction === "entry" ? "inside" : "outside", atMs: nowMs });
      }
      nowMs += laterMs;
      for (const card of ["a", "b", "c", "never seen"]) {
        const last = expected.get(card);
        const known = last !== undefined && nowMs - last.atMs < RESET_MS;
        expect(presence.whereabouts(card, nowMs, RESET_MS)).toBe(known ? last.where : "unknown");
      }
    }),
  );
});

test("the time is up to the millisecond", () => {
  const presence = createPresence();
  presence.granted("a", "entry", 5);
  expect(presence.whereabouts("a", 5 + RESET_MS - 1, RESET_MS)).toBe("inside");
  expect(presence.whereabouts("a", 5 + RESET_MS, RESET_MS)).toBe("unknown");
});

test("of more cards than it can hold, it forgets those not seen for the longest", () => {
  const presence = createPresence();
  const most = 100_000;
  for (let card = 0; card < most; card += 1) presence.granted(`card ${card}`, "entry", card);
  presence.granted("card 0", "exit", most);
  presence.granted("one more", "entry", most);
  const where = (card: string) => presence.whereabouts(card, most, Number.POSITIVE_INFINITY);
  expect([where("card 0"), where("card 1"), where("card 2"), where("one more")]).toEqual([
    "outside",
    "unknown",
    "inside",
    "inside",
  ]);
});
