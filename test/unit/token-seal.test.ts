import { hkdfSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHalves, TokenSeal, toHalves, UNKEYED } from "../../sync/token-seal.ts";

/** Speck as its paper has it, for words of any size: what the seal is held against. */
function speck(wordBits: number, roundKeys: readonly bigint[], [x, y]: [bigint, bigint]): [bigint, bigint] {
  const bits = BigInt(wordBits);
  const mask = (1n << bits) - 1n;
  const rol = (word: bigint, by: bigint) => ((word << by) | (word >> (bits - by))) & mask;
  for (const key of roundKeys) {
    x = ((rol(x, bits - 8n) + y) & mask) ^ key;
    y = rol(y, 3n) ^ x;
  }
  return [x, y];
}

/** The paper's key schedule: the seal has one of its own. */
function schedule(wordBits: number, [first, ...others]: readonly bigint[], rounds: number): bigint[] {
  const keys = [first!];
  const rest = [...others];
  for (let i = 0; keys.length < rounds; i++) {
    const [l, k] = speck(wordBits, [BigInt(i)], [rest[i]!, keys[i]!]);
    rest.push(l);
    keys.push(k);
  }
  return keys;
}

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const anyBytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const half = fc.integer({ min: 0, max: 2 ** 28 - 1 });
const seals = [new TokenSeal(KEY), new TokenSeal(new Uint8Array(32).fill(255)), UNKEYED];

function sealed(seal: TokenSeal, upper: number, lower: number): { upper: number; lower: number } {
  const halves = { upper, lower };
  seal.seal(halves);
  return halves;
}

describe("the seal of tokens", () => {
  it("is Speck: what it is held against gives the published vectors", () => {
    const keys64 = schedule(32, [0x03020100n, 0x0b0a0908n, 0x13121110n, 0x1b1a1918n], 27);
    expect(speck(32, keys64, [0x3b726574n, 0x7475432dn])).toEqual([0x8c6fa548n, 0x454e028bn]);
    const keys48 = schedule(24, [0x020100n, 0x0a0908n, 0x121110n, 0x1a1918n], 23);
    expect(speck(24, keys48, [0x6d2073n, 0x696874n])).toEqual([0x735e10n, 0xb6445dn]);
  });

  it("is that with words of 28 bits, 27 rounds, and keys from HKDF", () => {
    const drawn = Buffer.from(hkdfSync("sha256", KEY, "", "grindvakt token seal 1", 5 * 27 * 4 + 8));
    const roundKeys = Array.from({ length: 27 }, (_, i) => BigInt(drawn.readUInt32LE(4 * i) & 0xfffffff));
    expect(seals[0]!.check).toBe(drawn.subarray(-8).toString("hex"));
    fc.assert(
      fc.property(half, half, (upper, lower) => {
        const [x, y] = speck(28, roundKeys, [BigInt(upper), BigInt(lower)]);
        expect(sealed(seals[0]!, upper, lower)).toEqual({ upper: Number(x), lower: Number(y) });
      }),
    );
  });

  it.each(seals)("can be undone (%#)", (seal) => {
    fc.assert(
      fc.property(half, half, (upper, lower) => {
        const halves = sealed(seal, upper, lower);
        expect(Math.min(halves.upper, halves.lower)).toBeGreaterThanOrEqual(0);
        expect(Math.max(halves.upper, halves.lower)).toBeLessThan(2 ** 28);
        seal.open(halves);
        expect(halves).toEqual({ upper, lower });
      }),
    );
    fc.assert(
      fc.property(anyBytes(10), (uid) => {
        const bytes = Uint8Array.from(uid);
        seal.sealLong(bytes);
        seal.openLong(bytes);
        expect(bytes).toEqual(uid);
      }),
    );
  });

  it("changes half of all bits when one bit changes, of short UIDs and of long ones", () => {
    const seal = seals[0]!;
    const flips = (size: number, change: (bytes: Uint8Array) => void) => {
      const counts = new Float64Array(size * 8);
      const samples = 400;
      for (let sample = 0; sample < samples; sample++) {
        const bytes = Uint8Array.from({ length: size }, (_, i) => (sample * (2 * i + 1)) >>> (i % 3));
        const other = Uint8Array.from(bytes);
        other[(sample >> 3) % size]! ^= 1 << (sample & 7);
        change(bytes);
        change(other);
        for (let bit = 0; bit < counts.length; bit++)
          counts[bit]! += (((bytes[bit >> 3]! ^ other[bit >> 3]!) >> (bit & 7)) & 1) / samples;
      }
      return counts;
    };
    const sealShort = (bytes: Uint8Array) => {
      const halves = { upper: 0, lower: 0 };
      toHalves(bytes, 0, 7, halves);
      seal.seal(halves);
      fromHalves(halves, bytes, 0);
    };
    for (const share of [...flips(7, sealShort), ...flips(10, (bytes) => seal.sealLong(bytes))]) {
      expect(share).toBeGreaterThan(0.35);
      expect(share).toBeLessThan(0.65);
    }
  });

  it("is another one with another key, and says which it is of", () => {
    const other = new TokenSeal(Uint8Array.from(KEY, (byte, i) => (i === 31 ? byte ^ 1 : byte)));
    expect(other.isOf(seals[0]!)).toBe(false);
    expect(new TokenSeal(KEY).isOf(seals[0]!)).toBe(true);
    expect(UNKEYED.isOf(seals[0]!)).toBe(false);
    expect(sealed(other, 1, 2)).not.toEqual(sealed(seals[0]!, 1, 2));
    expect(seals[0]!.check).not.toContain(Buffer.from(KEY).toString("hex").slice(0, 16));
  });

  it("takes a key of 32 bytes and no other, and keeps a copy of it", () => {
    for (const size of [0, 16, 31, 33]) expect(() => new TokenSeal(new Uint8Array(size))).toThrow("32 bytes");
    const key = Uint8Array.from(KEY);
    const seal = new TokenSeal(key);
    key.fill(0);
    expect(seal.key).toEqual(KEY);
  });
});
