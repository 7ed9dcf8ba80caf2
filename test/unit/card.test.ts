import fc from "fast-check";
import { expect, test } from "vitest";
import { isCanonical, isFinal, PACKED_NUMBERS, packNumber, STATUSES, unpackNumber } from "../../sync/card.ts";

const letter = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZ");
const number = fc
  .tuple(letter, letter, fc.nat(9_999), fc.nat(999_999))
  .map(([a, b, first, second]) => `${a}${b}-${pad(first, 4)}-${pad(second, 6)}`);

function pad(digits: number, count: number): string {
  return String(digits).padStart(count, "0");
}

test("a card number packs into 43 bits and comes back as it was", () => {
  fc.assert(
    fc.property(number, (text) => {
      const packed = packNumber(text);
      expect(isCanonical(text)).toBe(true);
      expect(Number.isSafeInteger(packed) && packed >= 0 && packed < PACKED_NUMBERS).toBe(true);
      expect(unpackNumber(packed)).toBe(text);
    }),
  );
  expect(PACKED_NUMBERS).toBeLessThan(2 ** 43);
});

test("every packed number is a card number", () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat().map((any) => any % PACKED_NUMBERS),
      (packed) => {
        expect(isCanonical(unpackNumber(packed))).toBe(true);
        expect(packNumber(unpackNumber(packed))).toBe(packed);
      },
    ),
  );
});

test("packed numbers stand in the order of their texts", () => {
  fc.assert(
    fc.property(number, number, (a, b) => {
      expect(Math.sign(packNumber(a) - packNumber(b))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
  expect([unpackNumber(0), unpackNumber(PACKED_NUMBERS - 1)]).toEqual(["AA-0000-000000", "ZZ-9999-999999"]);
});

test.each([
  "bb-1234-567890",
  "BB1234567890",
  "BB-1234-56789",
  "BB-1234-567890\n",
  " BB-1234-567890",
  "ÅB-1234-567890",
  "BB-1234-56789٠",
])("%j is not in canonical form", (text) => {
  expect(isCanonical(text)).toBe(false);
});

test("only an ended and a replaced card never come back", () => {
  expect(STATUSES.filter(isFinal)).toEqual(["terminated", "superseded"]);
});
