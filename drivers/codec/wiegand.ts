/**
 * Wiegand readings to chip UIDs. A reading is a number of bits and nothing else: its length alone tells the format, whose
 * row here says which bits check which, and which are the card's. The bits came out of a reader that wrapped a UID
 * in a format made for facility codes and card numbers; `docs/wiegand.md` says what the field does and what follows.
 */
import { readToken, type Token } from "./token.ts";

/** Bits as a reader gives them: the first bit sent is the uppermost of the first byte, the last byte filled up below. */
export interface Bits {
  countBits: number;
  bytes: Uint8Array;
}

/**
 * Which format, and how the UID lies in it. `order`: whether the chip's first byte is sent first (`msb`) or last. `cut`:
 * which end of a longer UID was kept; 26 bits always cut, and without a word keep the low end of the number.
 */
export interface WiegandReads {
  wiegand: 26 | 32 | 34 | 37 | 40 | 56 | 58;
  identityOf16Bits: boolean;
  order: "msb" | "lsb";
  cut?: "first" | "last";
}

/** `hex`: the bits between the parities, in whole bytes, filled up with zeros above. */
export type Unwrapped =
  | { kind: "unwrapped"; hex: string }
  | { kind: "refused"; reason: "malformed" | "unreadable"; why: string };

export type WiegandToken = Token | { kind: "unreadable"; why: string };

/** Bits of a reading, from 0, the first sent; both ends belong to it. */
type Span = readonly [first: number, last: number];

/** The bit `at` makes the ones of `covers`, itself included, `even` or `odd` in number. */
interface Parity {
  at: number;
  covers: Span;
  sum: "even" | "odd";
}

interface Format {
  parities: readonly Parity[];
  value: Span;
}

/** The formats in use for UIDs, by their length in bits. Those with two parities check a half each; 37 has one bit in both. */
const FORMATS: Readonly<Record<WiegandReads["wiegand"], Format>> = {
  26: { parities: [even(0, [1, 12]), odd(25, [13, 24])], value: [1, 24] },
  32: { parities: [], value: [0, 31] },
  34: { parities: [even(0, [1, 16]), odd(33, [17, 32])], value: [1, 32] },
  37: { parities: [even(0, [1, 18]), odd(36, [18, 35])], value: [1, 35] },
  40: { parities: [], value: [0, 39] },
  56: { parities: [], value: [0, 55] },
  58: { parities: [even(0, [1, 28]), odd(57, [29, 56])], value: [1, 56] },
};

export const WIEGAND_LENGTHS = Object.keys(FORMATS).map(Number) as readonly WiegandReads["wiegand"][];

function even(at: number, covers: Span): Parity {
  return { at, covers, sum: "even" };
}

function odd(at: number, covers: Span): Parity {
  return { at, covers, sum: "odd" };
}

/** Takes a reading out of its format. Never throws; a refusal never repeats the bits. */
export function unwrap(bits: Bits): Unwrapped {
  const { countBits, bytes } = bits;
  if (bytes.length !== Math.ceil(countBits / 8)) {
    return malformed(`${countBits} bits were announced, and ${bytes.length} bytes came`);
  }
  const length = WIEGAND_LENGTHS.find((known) => known === countBits);
  if (length === undefined) return malformed(`${countBits} bits are no Wiegand format that is known here`);
  const { parities, value } = FORMATS[length];
  if (!parities.every((parity) => holds(bits, parity))) {
    return { kind: "refused", reason: "unreadable", why: `the parity of the ${countBits} bits is wrong` };
  }
  const widthBits = value[1] - value[0] + 1;
  const hex = numberIn(bits, value).toString(16).toUpperCase();
  return { kind: "unwrapped", hex: hex.padStart(Math.ceil(widthBits / 8) * 2, "0") };
}

/** The chip UID in a reading, or what is wrong; `unreadable` where the line garbled it. */
export function readWiegand(bits: Bits, reads: WiegandReads): WiegandToken {
  if (bits.countBits !== reads.wiegand) {
    return { kind: "refused", why: `${bits.countBits} bits came where \`reads\` says ${reads.wiegand}` };
  }
  const unwrapped = unwrap(bits);
  if (unwrapped.kind === "refused") {
    const { reason, why } = unwrapped;
    return { kind: reason === "unreadable" ? reason : "refused", why };
  }
  if (reads.wiegand === 26 && !reads.identityOf16Bits) {
    return { kind: "refused", why: "26 bits are too few to be an identity" };
  }
  return readUid(unwrapped.hex, reads);
}

function readUid(hex: string, { wiegand, order, cut }: WiegandReads): Token {
  switch (wiegand) {
    case 26:
      // The low end of a UID taken as one number: its last bytes, or in the other order the chip's first.
      return readToken(hex, {
        uid: "hex",
        order,
        bytes: 3,
        cut: cut ?? (order === "msb" ? "last" : "first"),
      });
    case 32:
    case 34:
      return readToken(hex, { uid: "hex", order, bytes: 4, ...(cut === undefined ? {} : { cut }) });
    case 37:
      return readLowBytes(hex, order, cut);
    case 40:
      return cut === undefined
        ? readChecked(hex, order)
        : readToken(keptOf40(hex, order, cut), fourBytes(order, cut));
    case 56:
    case 58:
      return readToken(hex, { uid: "hex", order, bytes: 7 });
  }
}

/** 35 bits are four bytes and three bits of a fifth: of a whole UID these are zero, of a cut one its neighbour's. */
function readLowBytes(hex: string, order: "msb" | "lsb", cut: "first" | "last" | undefined): Token {
  if (cut === undefined && !hex.startsWith("00")) {
    return { kind: "refused", why: "more than 4 bytes came: where the reader cuts, `reads` must say `cut`" };
  }
  return readToken(hex.slice(2), fourBytes(order, cut));
}

/** A whole UID in five bytes: four, and their check byte as the chip sends it (ISO/IEC 14443-3, 6.5.4: the XOR of them). */
function readChecked(hex: string, order: "msb" | "lsb"): Token {
  const [first, ...others] = Buffer.from(hex, "hex");
  const uid = order === "msb" ? hex.slice(0, 8) : hex.slice(2);
  const isChecked = others.reduce((sum, byte) => sum ^ byte, first ?? 0) === 0;
  if (isChecked) return readToken(uid, fourBytes(order));
  return {
    kind: "refused",
    why: "5 bytes are no whole UID, nor 4 and their check byte: where the reader cuts, `reads` must say `cut`",
  };
}

/** The card list is asked for 4 bytes at most of a cut UID: of five the outer ones, whose place in the UID is certain. */
function keptOf40(hex: string, order: "msb" | "lsb", cut: "first" | "last"): string {
  return (order === "msb") === (cut === "first") ? hex.slice(0, 8) : hex.slice(2);
}

function fourBytes(order: "msb" | "lsb", cut?: "first" | "last") {
  return { uid: "hex", order, bytes: 4, ...(cut === undefined ? {} : { cut }) } as const;
}

// ---------------------------------------------------------------- bits

function holds(bits: Bits, { at, covers, sum }: Parity): boolean {
  let ones = bitAt(bits, at);
  for (let index = covers[0]; index <= covers[1]; index += 1) ones += bitAt(bits, index);
  return ones % 2 === (sum === "even" ? 0 : 1);
}

function numberIn(bits: Bits, [first, last]: Span): bigint {
  let number = 0n;
  for (let index = first; index <= last; index += 1) number = (number << 1n) | BigInt(bitAt(bits, index));
  return number;
}

function bitAt({ bytes }: Bits, index: number): number {
  return ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
}

function malformed(why: string): Unwrapped {
  return { kind: "refused", reason: "malformed", why };
}
