/**
 * Chip UIDs in the clothes that readers give them, to the one form the card list knows: hex, upper case, in the
 * order the chip sends them (ISO/IEC 14443-3, 6.5.4: uid0 first). Cut UIDs say which end is left.
 */

/**
 * How a reader writes a UID. `uid` alone: hex as the chip gives it, whole. `order`: which end of the UID comes
 * first, `msb` being the chip's own order. `bytes`: how many bytes the reader sends. `cut`: which end of the
 * chip's UID these bytes are; without it they are all of it.
 */
export type UidReads =
  | "uid"
  | { uid: "hex" | "dec"; order: "msb" | "lsb"; bytes: 3 | 4 | 7 | 10; cut?: "first" | "last" };

export type Token =
  | { kind: "token"; uid: string; part: "whole" | "first" | "last" }
  | { kind: "refused"; why: string };

/** Ten bytes are 25 decimal digits, or 20 hex digits with separators and `0x`; the rest is room for zeros. */
const TOKEN_CHARACTERS_MAX = 64;

/** Single, double and triple size (ISO/IEC 14443-3, table 7). */
const WHOLE_BYTES = [4, 7, 10];
/** What 26-bit Wiegand keeps: 16 bits, which is no identity. */
const IDENTITY_BYTES_MIN = 3;

/** The token in `text`, or what is wrong with it, in words that never repeat it. */
export function readToken(text: string, reads: UidReads): Token {
  if (text.length > TOKEN_CHARACTERS_MAX) return refuse(`${text.length} characters are no UID`);
  const hex = reads !== "uid" && reads.uid === "dec" ? decimalToHex(text, reads.bytes) : bareHex(text);
  if (typeof hex !== "string") return hex;
  const bytes = hex.length / 2;
  if (bytes < IDENTITY_BYTES_MIN) return refuse(`${bytes * 8} bits are too few to be an identity`);
  if (reads === "uid") return check(hex, "whole");
  if (bytes !== reads.bytes) {
    return refuse(`${bytes} bytes came where \`reads\` says ${reads.bytes}`);
  }
  return check(reads.order === "lsb" ? reverse(hex) : hex, reads.cut ?? "whole");
}

/** Whether `uid` (canonical hex) may stand for somebody. */
function check(uid: string, part: "whole" | "first" | "last"): Token {
  const bytes = uid.length / 2;
  if (/^0+$/.test(uid)) return refuse("a UID of nothing but zeros is no identity");
  if (/^F+$/.test(uid)) return refuse("a UID of nothing but ones is no identity");
  if (part === "whole" && !WHOLE_BYTES.includes(bytes)) {
    return refuse(
      `${bytes} bytes are no whole UID (4, 7 or 10); where the reader cuts, \`reads\` must say \`cut\``,
    );
  }
  // The first byte tells (ISO/IEC 14443-3, table 8), so of a UID whose beginning was cut off nothing can be said.
  if (bytes <= 4 && part !== "last") {
    if (uid.startsWith("08")) return refuse("a random UID, which is another at every reading");
    if (part === "whole" && uid.startsWith("88"))
      return refuse("the beginning of a longer UID, cut by the reader");
  }
  return { kind: "token", uid, part };
}

function bareHex(text: string): string | Token {
  const hex = text
    .replace(/[\s:-]/g, "")
    .replace(/^0x/i, "")
    .toUpperCase();
  if (hex === "") return refuse("there is no UID in it");
  if (/^[A-Z]{2}[0-9]{10}$/.test(hex)) {
    return refuse("it looks like a card number: the reader's `reads` may have to be card-number");
  }
  if (!/^[0-9A-F]+$/.test(hex)) return refuse("it has characters that no hex number has");
  if (hex.length % 2 !== 0) return refuse(`${hex.length} hex digits are not whole bytes`);
  return hex;
}

function decimalToHex(text: string, bytes: number): string | Token {
  const digits = text.trim();
  if (digits === "") return refuse("there is no UID in it");
  if (!/^[0-9]+$/.test(digits)) return refuse("it has characters that no decimal number has");
  const hex = BigInt(digits).toString(16).toUpperCase();
  if (hex.length > bytes * 2) return refuse(`the number does not fit in ${bytes} bytes`);
  return hex.padStart(bytes * 2, "0");
}

function reverse(hex: string): string {
  return (hex.match(/../g) ?? []).reverse().join("");
}

function refuse(why: string): Token {
  return { kind: "refused", why };
}
