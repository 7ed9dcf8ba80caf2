import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FIELD_BITS_MAX, type HidReportLayout, readReport } from "../../drivers/codec/hid-report.ts";

const LAYOUT: HidReportLayout = {
  offsetBits: 0,
  lengthBits: 32,
  lengthUnit: "bits",
  order: "msb",
  holds: "bits",
  idle: "zeros",
};

/** `count:hex` for bits, the text for characters, else the kind or the refusal. */
function read(hex: string, layout: Partial<HidReportLayout>): string {
  const field = readReport(Buffer.from(hex, "hex"), { ...LAYOUT, ...layout });
  if (field.kind === "bits")
    return `${field.bits.countBits}:${Buffer.from(field.bits.bytes).toString("hex")}`;
  if (field.kind === "text") return Buffer.from(field.characters).toString("latin1");
  return field.kind === "refused" ? field.why : field.kind;
}

/** A field whose length a byte says. */
function byByte(lengthByte: number, more: Partial<HidReportLayout> = {}): HidReportLayout {
  const { lengthBits: _, ...layout } = LAYOUT;
  return { ...layout, lengthByte, ...more };
}

describe("a field of a report", () => {
  it.each([
    ["stands at the beginning", "04a1b2c300000000", {}, "32:04a1b2c3"],
    ["stands behind other bytes", "ffff04a1b2c3", { offsetBits: 16 }, "32:04a1b2c3"],
    ["stands across bytes", "f04a1b2c3f", { offsetBits: 4 }, "32:04a1b2c3"],
    ["is no whole bytes", "ff80000000", { offsetBits: 0, lengthBits: 9 }, "9:ff80"],
    ["is the low end of a number", "02aabbcc", { offsetBits: 6, lengthBits: 26 }, "26:aaaef300"],
    ["is sent last byte first", "c3b2a10400000000", { order: "lsb" }, "32:04a1b2c3"],
    [
      "is the low end of a number sent last byte first",
      "ccbbaa0200000000",
      { order: "lsb", lengthBits: 26 },
      "26:aaaef300",
    ],
    ["comes with the report's id", "0104a1b2c3", { reportId: 1 }, "32:04a1b2c3"],
    ["is in no report with another id", "0204a1b2c3", { reportId: 1 }, "none"],
    ["is empty while there is no card", "0000000000000000", {}, "none"],
    ["is full while there is no card", "ffffffffff", { idle: "ones", lengthBits: 30 }, "none"],
    ["holds characters", "4242313233340000", { holds: "text", lengthBits: 64 }, "BB1234"],
    [
      "is no whole characters",
      "424231",
      { holds: "text", lengthBits: 20 },
      "20 bits are no whole characters",
    ],
    ["is beyond the end", "04a1b2", {}, "it ends after 24 bits, before the 32 bits from 0 on"],
    ["is beyond the end of nothing", "", {}, "it ends after 0 bits, before the 32 bits from 0 on"],
  ] as [string, string, Partial<HidReportLayout>, string][])("%s", (_, hex, layout, expected) => {
    expect(read(hex, layout)).toBe(expected);
  });

  it.each([
    ["in bits", "2004a1b2c3", byByte(0, { offsetBits: 8 }), "32:04a1b2c3"],
    ["in bytes", "0704a1b2c3d4e5f6", byByte(0, { offsetBits: 8, lengthUnit: "bytes" }), "56:04a1b2c3d4e5f6"],
    ["behind the field", "aaaa8000000000001a", byByte(8), "26:aaaa8000"],
    ["as zero while there is no card", "0004a1b2c3", byByte(0, { offsetBits: 8 }), "none"],
    ["nowhere", "04a1", byByte(8), "its 2 bytes have no byte 8, which says the length"],
    [
      "as more than there is",
      "2104a1b2c3",
      byByte(0, { offsetBits: 8 }),
      "it ends after 40 bits, before the 33 bits from 8 on",
    ],
    [
      "as more than can be",
      "ff",
      byByte(0, { lengthUnit: "bytes" }),
      `it announces 2040 bits, at most ${FIELD_BITS_MAX} were expected`,
    ],
  ] as [string, string, HidReportLayout, string][])("has its length said %s", (_, hex, layout, expected) => {
    const field = readReport(Buffer.from(hex, "hex"), layout);
    const said =
      field.kind === "bits"
        ? `${field.bits.countBits}:${Buffer.from(field.bits.bytes).toString("hex")}`
        : field.kind;
    expect(field.kind === "refused" ? field.why : said).toBe(expected);
  });
});

const layouts: fc.Arbitrary<HidReportLayout> = fc
  .record({
    reportId: fc.option(fc.nat(2), { nil: undefined }),
    offsetBits: fc.nat(80),
    lengthBits: fc.option(fc.integer({ min: 1, max: FIELD_BITS_MAX }), { nil: undefined }),
    lengthByte: fc.nat(70),
    lengthUnit: fc.constantFrom<"bits" | "bytes">("bits", "bytes"),
    order: fc.constantFrom<"msb" | "lsb">("msb", "lsb"),
    holds: fc.constantFrom<"bits" | "text">("bits", "text"),
    idle: fc.constantFrom<"zeros" | "ones">("zeros", "ones"),
  })
  .map(({ reportId, lengthBits, lengthByte, ...layout }) => ({
    ...layout,
    ...(reportId === undefined ? {} : { reportId }),
    ...(lengthBits === undefined ? { lengthByte } : { lengthBits }),
  }));

/** What a number in base 2 has at these places: the slow way. */
function bitsOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
}

it("any report gives a value or a refusal, and the value is what stands there", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), layouts, (report, layout) => {
      const field = readReport(report, layout);
      if (field.kind === "refused") expect(field.why).toMatch(/^\S+ \S+/);
      if (field.kind === "text") expect(field.characters.length).toBeLessThanOrEqual(FIELD_BITS_MAX / 8);
      if (field.kind !== "bits") return;
      const { countBits, bytes } = field.bits;
      expect(bytes).toHaveLength(Math.ceil(countBits / 8));
      expect(bitsOf(bytes).slice(countBits)).not.toContain("1");
      const all = bitsOf(layout.reportId === undefined ? report : report.subarray(1));
      const whole = Math.ceil(countBits / 8) * 8;
      const there = all.slice(
        layout.offsetBits,
        layout.offsetBits + (layout.order === "lsb" ? whole : countBits),
      );
      const expected =
        layout.order === "msb"
          ? there
          : (there.match(/.{8}/g) ?? [])
              .reverse()
              .join("")
              .slice(whole - countBits);
      expect(bitsOf(bytes).slice(0, countBits)).toBe(expected);
    }),
    { numRuns: 10_000 },
  );
});
