/**
 * Card numbers as people and readers write them, to the one form the rest of the gateway knows:
 * `BB-1234-567890`, two letters and ten digits. There is no check digit to hold them against.
 */
import { isUtf8 } from "node:buffer";

export type CardText = { kind: "number"; number: string } | { kind: "refused"; why: string };

/** Longer text is no card number however it is spaced. */
export const CARD_TEXT_CHARACTERS_MAX = 128;

/**
 * What people put between the groups, or paste along with them: spaces, hyphens and dashes of every make
 * (U+0096 and U+0097 are the dashes of Windows-1252), the soft hyphen, and marks without width.
 */
const SEPARATORS = /[\s\-\u0096\u0097\u00ad\u200b-\u200f\u2010-\u2015\u2060\u2212\ufe58\ufe63\uff0d\ufeff]/g;

/** Bytes from a cable as text: UTF-8 where it is that, else one character a byte. Never throws. */
export function decodeText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString(isUtf8(bytes) ? "utf8" : "latin1");
}

/**
 * The card number in `text`, or what is wrong with it in words that never repeat the text: a reader that is set
 * up wrongly sends tokens. `issuers`: accepted prefixes, upper case.
 */
export function readCardNumber(text: string, issuers: readonly string[]): CardText {
  if (text.length > CARD_TEXT_CHARACTERS_MAX) return refuse(`${text.length} characters are no card number`);
  const bare = text.replace(SEPARATORS, "");
  if (bare === "") return refuse("there is no card number in it");
  if (!/^[A-Za-z]{2}[0-9]{10}$/.test(bare)) return refuse(describe(bare));
  const letters = bare.slice(0, 2).toUpperCase();
  if (!issuers.includes(letters)) {
    return refuse(`card maker ${letters} is not accepted here, only ${issuers.join(", ")}`);
  }
  return { kind: "number", number: `${letters}-${bare.slice(2, 6)}-${bare.slice(6)}` };
}

function describe(bare: string): string {
  if (/^[0-9A-Fa-f]+$/.test(bare) && [8, 14, 20].includes(bare.length)) {
    return `${bare.length} hex digits look like a chip's UID: the reader's \`reads\` may have to be uid`;
  }
  if (/^[0-9]+$/.test(bare)) {
    return `${bare.length} digits without the two letters: the reader's \`reads\` may have to be a UID in decimal`;
  }
  if (/[^A-Za-z0-9]/.test(bare)) return "it has characters that no card number has";
  const letters = /^[A-Za-z]*/.exec(bare)?.[0].length ?? 0;
  return `a card number is 2 letters and 10 digits; this begins with ${letters} letters and has ${bare.length} characters`;
}

function refuse(why: string): CardText {
  return { kind: "refused", why };
}
