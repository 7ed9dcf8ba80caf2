import fc from "fast-check";
import { expect, test } from "vitest";
import { maskCards } from "../../daemon/mask.ts";
import { PACKED_NUMBERS, unpackNumber } from "../../sync/card.ts";

const number = fc.integer({ min: 0, max: PACKED_NUMBERS - 1 }).map(unpackNumber);

test("a card number keeps its letters and its last group", () => {
  expect(maskCards("BB-1234-567890")).toBe("BB-…-567890");
});

test("no whole card number is left in any text", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(number, fc.string()), { maxLength: 8 }), (parts) => {
      expect(maskCards(parts.join(""))).not.toMatch(/[A-Z]{2}-\d{4}-\d{6}/);
    }),
  );
});

test("text without card numbers stays as it is, and masking twice is masking once", () => {
  const text = '{"gateway": "gate-07", "boot": "7b1c1234-5678-9012", "time": "2026-11-22T06:58:12.345Z"}';
  expect(maskCards(text)).toBe(text);
  fc.assert(
    fc.property(fc.string(), number, (text, card) => {
      const once = maskCards(text + card);
      expect(maskCards(once)).toBe(once);
    }),
  );
});
