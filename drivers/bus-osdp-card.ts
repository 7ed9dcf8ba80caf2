/** From what an OSDP reader hands over to what was presented, by its `reads` setting. */
import { decodeText } from "./codec/card-text.ts";
import type { Bits } from "./codec/osdp-layout.ts";
import type { Reading } from "./driver.ts";
import { readText, type TextReads } from "./reads.ts";

/** Raw bits (7.10): the bytes of a UID, the first bit sent uppermost. Never repeats them in a refusal. */
export function readBits(bits: Bits, reads: TextReads, issuers: readonly string[]): Reading {
  const { countBits, bytes } = bits;
  if (reads === "card-number") {
    return malformed(`${countBits} bits came where text was expected: reads may have to be uid`);
  }
  if (countBits % 8 !== 0) {
    return malformed(`${countBits} bits are no whole bytes: reads may have to be { wiegand: ${countBits} }`);
  }
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return readText(hex, reads === "uid" ? reads : { ...reads, uid: "hex" }, issuers);
}

/** Characters (7.11), as the reader has formatted them. */
export function readCharacters(
  characters: Uint8Array,
  reads: TextReads,
  issuers: readonly string[],
): Reading {
  return readText(decodeText(characters), reads, issuers);
}

function malformed(step: string): Reading {
  return { kind: "misread", reason: "malformed", step };
}
