import { describe, expect, it } from "vitest";
import { cutOf, type Reads } from "../../config/reads.ts";

const text = { uid: "hex", order: "msb" } as const;
const bits = { identityOf16Bits: true, order: "msb" } as const;

describe("how a reader cuts UIDs", () => {
  it.each<[Reads, ReturnType<typeof cutOf>]>([
    ["card-number", null],
    ["uid", null],
    [{ ...text, bytes: 4 }, null],
    [
      { ...text, bytes: 4, cut: "first" },
      { part: "first", sizeBytes: 4 },
    ],
    [
      { ...text, bytes: 3, cut: "last" },
      { part: "last", sizeBytes: 3 },
    ],
    [{ ...text, bytes: 7, cut: "last" }, null],
    [
      { ...bits, wiegand: 26 },
      { part: "last", sizeBytes: 3 },
    ],
    [
      { ...bits, wiegand: 26, order: "lsb" },
      { part: "first", sizeBytes: 3 },
    ],
    [
      { ...bits, wiegand: 26, cut: "first" },
      { part: "first", sizeBytes: 3 },
    ],
    [{ ...bits, wiegand: 34 }, null],
    [
      { ...bits, wiegand: 34, cut: "last" },
      { part: "last", sizeBytes: 4 },
    ],
    [
      { ...bits, wiegand: 40, cut: "first" },
      { part: "first", sizeBytes: 4 },
    ],
    [{ ...bits, wiegand: 58, cut: "first" }, null],
  ])("is known of reads %j", (reads, cut) => {
    expect(cutOf(reads)).toEqual(cut);
  });
});
