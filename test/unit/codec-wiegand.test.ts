import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Bits,
  readWiegand,
  unwrap,
  WIEGAND_LENGTHS,
  type WiegandReads,
} from "../../drivers/codec/wiegand.ts";
import { readBits, readCharacters } from "../../drivers/reads.ts";

/** Bits as they would be written on paper: `0 00000100 …`. */
function bitsOf(text: string): Bits {
  const bare = text.replaceAll(/[^01]/g, "");
  const bytes = bare.match(/.{1,8}/g)?.map((byte) => Number.parseInt(byte.padEnd(8, "0"), 2)) ?? [];
  return { countBits: bare.length, bytes: Uint8Array.from(bytes) };
}

/** What a reader makes of a number: written here a second time, from the formats' descriptions. */
function wrap(value: bigint, countBits: number): Bits {
  const parity = [26, 34, 37, 58].includes(countBits);
  const width = parity ? countBits - 2 : countBits;
  const text = value.toString(2).padStart(width, "0");
  if (!parity) return bitsOf(text);
  const half = Math.ceil(width / 2);
  const ones = (part: string) => part.replaceAll("0", "").length;
  return bitsOf(`${ones(text.slice(0, half)) % 2}${text}${(ones(text.slice(-half)) + 1) % 2}`);
}

const reads = (wiegand: WiegandReads["wiegand"], more: Partial<WiegandReads> = {}): WiegandReads => ({
  wiegand,
  identityOf16Bits: false,
  order: "msb",
  ...more,
});
const said = (bits: Bits, how: WiegandReads): string => {
  const read = readWiegand(bits, how);
  return read.kind === "token" ? `${read.uid} ${read.part}` : `${read.kind}: ${read.why}`;
};

describe("a reading by hand", () => {
  // The reading that every description of the 26-bit format works through: facility 1, number 1.
  it("of 26 bits gives facility code and number, one behind the other", () => {
    expect(unwrap(bitsOf("1 00000001 0000000000000001 0"))).toEqual({
      kind: "unwrapped",
      hex: "010001",
    });
  });

  it.each([
    ["1 00000001 0000000000000001 1", "the last bit"],
    ["0 00000001 0000000000000001 0", "the first bit"],
    ["1 00000011 0000000000000001 0", "a bit of the first half"],
    ["1 00000001 0000000000000011 0", "a bit of the second half"],
  ])("of 26 bits with a fault of parity is unreadable: %s", (text) => {
    expect(said(bitsOf(text), reads(26, { identityOf16Bits: true }))).toBe(
      "unreadable: the parity of the 26 bits is wrong",
    );
  });

  it("of 37 bits has one bit that both parities see", () => {
    const middle = bitsOf(`1 ${"0".repeat(17)} 1 ${"0".repeat(17)} 0`);
    expect(unwrap(middle)).toEqual({ kind: "unwrapped", hex: "0000020000" });
    expect(unwrap(bitsOf(`0 ${"0".repeat(17)} 1 ${"0".repeat(17)} 0`)).kind).toBe("refused");
    expect(unwrap(bitsOf(`1 ${"0".repeat(17)} 1 ${"0".repeat(17)} 1`)).kind).toBe("refused");
  });
});

describe("a UID in Wiegand bits", () => {
  it.each<[hex: string, how: WiegandReads, becomes: string]>([
    ["04A1B2C3", reads(32), "04A1B2C3 whole"],
    ["C3B2A104", reads(32, { order: "lsb" }), "04A1B2C3 whole"],
    ["04A1B2C3", reads(34), "04A1B2C3 whole"],
    ["04A1B2C3", reads(34, { cut: "first" }), "04A1B2C3 first"],
    ["C3D4E5F6", reads(34, { cut: "last" }), "C3D4E5F6 last"],
    ["F6E5D4C3", reads(34, { order: "lsb", cut: "last" }), "C3D4E5F6 last"],
    ["04A1B2C3", reads(37), "04A1B2C3 whole"],
    ["0304A1B2C3", reads(37, { cut: "last" }), "04A1B2C3 last"],
    ["04A1B2C3D4", reads(40), "04A1B2C3 whole"],
    ["D4C3B2A104", reads(40, { order: "lsb" }), "04A1B2C3 whole"],
    ["04A1B2C3D4", reads(40, { cut: "first" }), "04A1B2C3 first"],
    ["B2C3D4E5F6", reads(40, { cut: "last" }), "C3D4E5F6 last"],
    ["D4C3B2A104", reads(40, { order: "lsb", cut: "first" }), "04A1B2C3 first"],
    ["F6E5D4C3B2", reads(40, { order: "lsb", cut: "last" }), "C3D4E5F6 last"],
    ["04A1B2C3D4E5F6", reads(56), "04A1B2C3D4E5F6 whole"],
    ["04A1B2C3D4E5F6", reads(58), "04A1B2C3D4E5F6 whole"],
    ["F6E5D4C3B2A104", reads(58, { order: "lsb" }), "04A1B2C3D4E5F6 whole"],
    ["D4E5F6", reads(26, { identityOf16Bits: true }), "D4E5F6 last"],
    ["B2A104", reads(26, { identityOf16Bits: true, order: "lsb" }), "04A1B2 first"],
    ["04A1B2", reads(26, { identityOf16Bits: true, cut: "first" }), "04A1B2 first"],
  ])("%s by %j", (hex, how, becomes) => {
    expect(said(wrap(BigInt(`0x${hex}`), how.wiegand), how)).toBe(becomes);
  });

  it.each<[what: string, bits: Bits, how: WiegandReads, why: string]>([
    ["26 bits", wrap(0xd4e5f6n, 26), reads(26), "26 bits are too few to be an identity"],
    ["another length", wrap(1n, 32), reads(34), "32 bits came where `reads` says 34"],
    [
      "bits that are not there",
      { countBits: 34, bytes: Uint8Array.of(1) },
      reads(34),
      "34 bits were announced, and 1 bytes came",
    ],
    [
      "a fifth byte's bits",
      wrap(0x304a1b2c3n, 37),
      reads(37),
      "more than 4 bytes came: where the reader cuts, `reads` must say `cut`",
    ],
    ["a random UID", wrap(0x08a1b2c3n, 34), reads(34), "a random UID, which is another at every reading"],
    [
      "a longer UID's beginning",
      wrap(0x8804a1b2n, 32),
      reads(32),
      "the beginning of a longer UID, cut by the reader",
    ],
    [
      "a check byte that is none",
      wrap(0x04a1b2c3d5n, 40),
      reads(40),
      "5 bytes are no whole UID, nor 4 and their check byte: where the reader cuts, `reads` must say `cut`",
    ],
    ["zeros", wrap(0n, 34), reads(34), "a UID of nothing but zeros is no identity"],
  ])("is refused: %s", (_what, bits, how, why) => {
    expect(said(bits, how)).toBe(`refused: ${why}`);
  });

  it("comes back from every format, and with one bit changed is unreadable where there is parity", () => {
    const uid = fc.uint8Array({ minLength: 7, maxLength: 7 });
    const lengths = fc.constantFrom(...WIEGAND_LENGTHS.filter((bits) => bits !== 26));
    fc.assert(
      fc.property(
        uid,
        lengths,
        fc.constantFrom("msb" as const, "lsb" as const),
        fc.nat(),
        (random, wiegand, order, flip) => {
          const bytes = Uint8Array.from([0x04, ...random.slice(1)]).slice(0, wiegand > 40 ? 7 : 4);
          const checked =
            wiegand === 40 ? Uint8Array.from([...bytes, bytes.reduce((a, b) => a ^ b, 0)]) : bytes;
          const sent = order === "lsb" ? checked.toReversed() : checked;
          const bits = wrap(BigInt(`0x${Buffer.from(sent).toString("hex")}`), wiegand);
          const how = reads(wiegand, { order });
          expect(readWiegand(bits, how)).toEqual({
            kind: "token",
            uid: Buffer.from(bytes).toString("hex").toUpperCase(),
            part: "whole",
          });
          const at = flip % wiegand;
          bits.bytes[at >> 3]! ^= 0x80 >> (at & 7);
          if ([34, 37, 58].includes(wiegand)) expect(readWiegand(bits, how).kind).toBe("unreadable");
        },
      ),
    );
  });

  it("any bits give a token or a refusal that does not repeat them", () => {
    const how = fc.record(
      {
        wiegand: fc.constantFrom(...WIEGAND_LENGTHS),
        identityOf16Bits: fc.boolean(),
        order: fc.constantFrom("msb" as const, "lsb" as const),
        cut: fc.constantFrom("first" as const, "last" as const),
      },
      { requiredKeys: ["wiegand", "identityOf16Bits", "order"] },
    );
    const any = fc.record({ countBits: fc.nat({ max: 80 }), bytes: fc.uint8Array({ maxLength: 12 }) });
    const fitting = fc
      .tuple(fc.constantFrom(...WIEGAND_LENGTHS), fc.bigInt({ min: 0n, max: (1n << 58n) - 1n }))
      .map(([countBits, value]) => {
        const width = [26, 34, 37, 58].includes(countBits) ? countBits - 2 : countBits;
        return wrap(value & ((1n << BigInt(width)) - 1n), countBits);
      });
    fc.assert(
      fc.property(fc.oneof(any, fitting), how, fc.boolean(), (bits, chosen, follow) => {
        const wiegand = WIEGAND_LENGTHS.find((length) => follow && length === bits.countBits);
        const read = readWiegand(bits, wiegand === undefined ? chosen : { ...chosen, wiegand });
        if (read.kind === "token") expect(read.uid).toMatch(/^([0-9A-F]{2}){3,7}$/);
        else if (bits.bytes.length > 2)
          expect(read.why).not.toContain(Buffer.from(bits.bytes).toString("hex"));
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("a reader that sends bits", () => {
  const bits = wrap(0x04a1b2c3n, 34);

  it("is read by what the site says", () => {
    expect(readBits(bits, reads(34), ["BB"])).toEqual({
      kind: "credential",
      credential: { kind: "token", uid: "04A1B2C3", part: "whole" },
      assurance: "uid",
    });
    expect(readBits(bits, reads(34, { cut: "last" }), ["BB"])).toMatchObject({ assurance: "uid-cut" });
  });

  it("and garbled is unreadable, and not a card with another number", () => {
    const garbled = { ...bits, bytes: bits.bytes.with(1, bits.bytes[1]! ^ 1) };
    expect(readBits(garbled, reads(34), ["BB"])).toMatchObject({ kind: "misread", reason: "unreadable" });
  });

  it("and sends text after all is refused in words", () => {
    expect(readCharacters(Buffer.from("BB-1234-567890"), reads(34), ["BB"])).toEqual({
      kind: "misread",
      reason: "malformed",
      step: "text came where 34 bits were expected: reads may have to be card-number",
    });
  });
});
