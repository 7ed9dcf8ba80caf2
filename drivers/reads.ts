/** From what a reader hands over to what was presented, by its `reads` setting: one way for all of them. */
import { decodeText, readCardNumber } from "./codec/card-text.ts";
import { readToken, type UidReads } from "./codec/token.ts";
import { type Bits, readWiegand, type WiegandReads, type WiegandToken } from "./codec/wiegand.ts";
import type { Reading } from "./driver.ts";

const TOKEN_PREFIX = "uid:";

/** What a line of text can hold. */
export type TextReads = "card-number" | UidReads;
/** What a reader can hand over that gives bits, or text, or either. */
export type Reads = TextReads | WiegandReads;

/** Text that may not be used is a `malformed` misread; its `step` says why and never repeats the text. */
export function readText(text: string, reads: TextReads, issuers: readonly string[]): Reading {
  if (reads !== "card-number") return readingOf(readToken(text, reads));
  const read = readCardNumber(text, issuers);
  if (read.kind === "refused") return malformed(read.why);
  return { kind: "credential", credential: read, assurance: "number" };
}

/** Characters as a reader has formatted them; one that may send bits, too. */
export function readCharacters(characters: Uint8Array, reads: Reads, issuers: readonly string[]): Reading {
  if (isWiegand(reads)) {
    return malformed(`text came where ${reads.wiegand} bits were expected: reads may have to be card-number`);
  }
  return readText(decodeText(characters), reads, issuers);
}

/** Bits: the bytes of a UID, or a UID in a Wiegand format. Never repeats them in a refusal. */
export function readBits(bits: Bits, reads: Reads, issuers: readonly string[]): Reading {
  const { countBits, bytes } = bits;
  if (reads === "card-number") {
    return malformed(`${countBits} bits came where text was expected: reads may have to be uid`);
  }
  if (isWiegand(reads)) return readingOf(readWiegand(bits, reads));
  if (countBits % 8 !== 0) {
    return malformed(`${countBits} bits are no whole bytes: reads may have to be { wiegand: ${countBits} }`);
  }
  const hex = Buffer.from(bytes).toString("hex");
  return readText(hex, reads === "uid" ? reads : { ...reads, uid: "hex" }, issuers);
}

/** What a person typed: a card number in any spelling, or `uid:` and a chip UID in hex. */
export function readCard(text: string, issuers: readonly string[]): Reading {
  const bare = text.trim();
  return bare.toLowerCase().startsWith(TOKEN_PREFIX)
    ? readText(bare.slice(TOKEN_PREFIX.length), "uid", issuers)
    : readText(bare, "card-number", issuers);
}

function readingOf(read: WiegandToken): Reading {
  if (read.kind === "refused") return malformed(read.why);
  if (read.kind === "unreadable") return unreadable(read.why);
  return { kind: "credential", credential: read, assurance: read.part === "whole" ? "uid" : "uid-cut" };
}

function isWiegand(reads: Reads): reads is WiegandReads {
  return typeof reads === "object" && "wiegand" in reads;
}

/** Something came, and nothing can be made of it. */
export function unreadable(step: string): Reading {
  return { kind: "misread", reason: "unreadable", step };
}

function malformed(step: string): Reading {
  return { kind: "misread", reason: "malformed", step };
}
