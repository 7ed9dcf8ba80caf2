import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Sieve, sieveWords } from "../../sync/index-sieve.ts";

const PACKED_MAX = 26 * 26 * 1e10;

function sieveOf(keys: readonly number[]): Sieve {
  const sieve = new Sieve(new Uint32Array(sieveWords(keys.length)));
  for (const key of keys) sieve.add(key);
  return sieve;
}

describe("a sieve", () => {
  it("lets every key through that was added, and one of none nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: PACKED_MAX })), (keys) => {
        const sieve = sieveOf(keys);
        expect(keys.filter((key) => !sieve.mayHave(key))).toEqual([]);
      }),
    );
    expect(sieveOf([]).mayHave(27e10)).toBe(false);
  });

  it("keeps most others back, those beside them too", () => {
    const first = 27e10 + 2_401_000_000;
    const keys = Array.from({ length: 10_000 }, (_, i) => first + 20 * i);
    const sieve = sieveOf(keys);
    const passed = keys.filter((key) => sieve.mayHave(key + 1));
    expect(passed.length).toBeLessThan(keys.length / 8);
  });
});
