/**
 * `reads`: what a reader hands over. The same chip UID comes in many clothes; the site says in which.
 */
import { choice, optional, type Schema, section, yesOrNo } from "./words.ts";

/** A chip UID as text. `bytes`: how many of them the reader gives; `cut`: which end of a longer UID they are. */
export interface UidText {
  uid: "hex" | "dec";
  order: "msb" | "lsb";
  bytes: 3 | 4 | 7 | 10;
  cut?: "first" | "last";
}

export interface WiegandBits {
  wiegand: 26 | 32 | 34 | 37 | 40 | 56 | 58;
  identityOf16Bits: boolean;
  order: "msb" | "lsb";
  cut?: "first" | "last";
}

/** What a line of text can hold. */
export type TextReads = "card-number" | "uid" | UidText;
export type Reads = TextReads | WiegandBits;

/** Which end of a chip's UID is left, and how many bytes of it. */
export interface CutUid {
  part: "first" | "last";
  sizeBytes: 3 | 4;
}

/** How a reader cuts UIDs, so that the card list is made to be asked so; null: it does not, or leaves 7 bytes. */
export function cutOf(reads: Reads): CutUid | null {
  if (typeof reads === "string") return null;
  const { cut, order } = reads;
  if ("uid" in reads) {
    const { bytes } = reads;
    return cut !== undefined && (bytes === 3 || bytes === 4) ? { part: cut, sizeBytes: bytes } : null;
  }
  // The low end of a UID taken as one number.
  if (reads.wiegand === 26) return { part: cut ?? (order === "msb" ? "last" : "first"), sizeBytes: 3 };
  return cut === undefined || reads.wiegand >= 56 ? null : { part: cut, sizeBytes: 4 };
}

const order = choice("Whether the chip's first byte is written first (msb) or last (lsb).", ["msb", "lsb"], {
  default: "msb",
});

const UID_TEXT = section("A chip UID written as text.", {
  uid: choice("Hexadecimal or decimal digits.", ["hex", "dec"]),
  order,
  bytes: choice("How many bytes the reader hands over.", [3, 4, 7, 10]),
  cut: optional(
    choice("Which end of a longer UID these bytes are; without it they are all of it.", ["first", "last"]),
  ),
});

const WIEGAND_BITS = section("A chip UID wrapped in Wiegand bits.", {
  wiegand: choice("How many bits the reader sends.", [26, 32, 34, 37, 40, 56, 58]),
  identityOf16Bits: yesOrNo("Accepts 26 bits, of which only 16 tell one card from another."),
  order,
  cut: optional(
    choice("Which end of a longer UID these bits are; without it they are all of it.", ["first", "last"]),
  ),
});

export function reads<T extends Reads>(byDefault: "card-number" | "uid"): Schema<T> {
  return {
    description:
      "What the reader hands over: the printed card number, or the chip's UID and how it is written.",
    default: byDefault,
    "x-allowed": "card-number, uid, { uid, order, bytes, cut } or { wiegand, order, cut }",
    type: ["string", "object"],
    if: { type: "string" },
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own keyword.
    then: { enum: ["card-number", "uid"] },
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own keyword.
    else: { if: { required: ["wiegand"] }, then: WIEGAND_BITS, else: UID_TEXT },
  };
}
