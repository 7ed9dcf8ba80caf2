/**
 * Readers that hand over a card in a report of their own make: where in it the card's bits are is the site's to say.
 * The reports are hostile: any bytes give a value or a refusal, in time that is linear in `FIELD_BITS_MAX`.
 */
import type { Bits } from "./wiegand.ts";

/** Twice the longest Wiegand reading, and more than any UID: a report says it in 64 bytes. */
export const FIELD_BITS_MAX = 512;

/**
 * Positions count from the first byte after the report's id, bits from a byte's upper end. `reportId`: of the reports
 * that hold cards, where the reader has several kinds; only then does a report begin with its id. `offsetBits`: where
 * the field begins. `lengthBits`: how long it is; or `lengthByte`: which byte says so, in `lengthUnit`. `order`: `lsb`
 * where the field's last byte is the first of the card's bits; a length that is no whole bytes then counts from the low
 * end of the number. `holds`: bits, or characters. `idle`: what the field is filled with while there is no card.
 */
export interface HidReportLayout {
  reportId?: number;
  offsetBits: number;
  lengthBits?: number;
  lengthByte?: number;
  lengthUnit: "bits" | "bytes";
  order: "msb" | "lsb";
  holds: "bits" | "text";
  idle: "zeros" | "ones";
}

/** `none`: no card, or a report of another kind. */
export type HidField =
  | { kind: "bits"; bits: Bits }
  | { kind: "text"; characters: Uint8Array }
  | { kind: "none" }
  | { kind: "refused"; why: string };

export function readReport(report: Uint8Array, layout: HidReportLayout): HidField {
  const { reportId, offsetBits, order, holds, idle } = layout;
  if (reportId !== undefined && report[0] !== reportId) return { kind: "none" };
  const content = reportId === undefined ? report : report.subarray(1);
  const countBits = lengthOf(content, layout);
  if (countBits === null)
    return refuse(`its ${content.length} bytes have no byte ${layout.lengthByte}, which says the length`);
  if (countBits === 0) return { kind: "none" };
  if (countBits > FIELD_BITS_MAX)
    return refuse(`it announces ${countBits} bits, at most ${FIELD_BITS_MAX} were expected`);
  const wholeBits = Math.ceil(countBits / 8) * 8;
  const takenBits = order === "lsb" ? wholeBits : countBits;
  if (offsetBits + takenBits > content.length * 8) {
    return refuse(
      `it ends after ${content.length * 8} bits, before the ${takenBits} bits from ${offsetBits} on`,
    );
  }
  const taken = slice(content, offsetBits, takenBits);
  const bytes = order === "lsb" ? slice(taken.reverse(), wholeBits - countBits, countBits) : taken;
  if (isFilled(bytes, countBits, idle)) return { kind: "none" };
  if (holds === "bits") return { kind: "bits", bits: { countBits, bytes } };
  if (countBits % 8 !== 0) return refuse(`${countBits} bits are no whole characters`);
  return { kind: "text", characters: withoutFill(bytes) };
}

/** Null where the report is too short to say. */
function lengthOf(
  content: Uint8Array,
  { lengthBits, lengthByte, lengthUnit }: HidReportLayout,
): number | null {
  if (lengthBits !== undefined) return lengthBits;
  const said = content[lengthByte ?? 0];
  if (said === undefined) return null;
  return lengthUnit === "bytes" ? said * 8 : said;
}

/** `countBits` from `offsetBits` on, the first uppermost; the last byte is filled up with zeros below. */
function slice(bytes: Uint8Array, offsetBits: number, countBits: number): Uint8Array {
  const first = offsetBits >> 3;
  const shift = offsetBits & 7;
  const taken = Uint8Array.from({ length: Math.ceil(countBits / 8) }, (_, at) => {
    const pair = ((bytes[first + at] ?? 0) << 8) | (bytes[first + at + 1] ?? 0);
    return (pair >> (8 - shift)) & 0xff;
  });
  const spareBits = taken.length * 8 - countBits;
  if (taken.length > 0) taken[taken.length - 1]! &= 0xff << spareBits;
  return taken;
}

function isFilled(bytes: Uint8Array, countBits: number, idle: "zeros" | "ones"): boolean {
  const spareBits = bytes.length * 8 - countBits;
  return bytes.every((byte, at) => {
    const ones = at === bytes.length - 1 ? (0xff << spareBits) & 0xff : 0xff;
    return byte === (idle === "ones" ? ones : 0);
  });
}

/** Fixed fields are filled up after the last character. */
function withoutFill(bytes: Uint8Array): Uint8Array {
  const end = bytes.findLastIndex((byte) => byte !== 0x00 && byte !== 0xff);
  return bytes.subarray(0, end + 1);
}

function refuse(why: string): HidField {
  return { kind: "refused", why };
}
