/** From the text a reader sends to what was presented, by its `reads` setting: one way for every text reader. */

import { readCardNumber } from "./codec/card-text.ts";
import { readToken, type UidReads } from "./codec/token.ts";
import type { Reading } from "./driver.ts";

const TOKEN_PREFIX = "uid:";

export type TextReads = "card-number" | UidReads;

/** Text that may not be used is a `malformed` misread; its `step` says why and never repeats the text. */
export function readText(text: string, reads: TextReads, issuers: readonly string[]): Reading {
  if (reads === "card-number") {
    const read = readCardNumber(text, issuers);
    if (read.kind === "refused") return { kind: "misread", reason: "malformed", step: read.why };
    return { kind: "credential", credential: read, assurance: "number" };
  }
  const read = readToken(text, reads);
  if (read.kind === "refused") return { kind: "misread", reason: "malformed", step: read.why };
  return { kind: "credential", credential: read, assurance: read.part === "whole" ? "uid" : "uid-cut" };
}

/** What a person typed: a card number in any spelling, or `uid:` and a chip UID in hex. */
export function readCard(text: string, issuers: readonly string[]): Reading {
  const bare = text.trim();
  return bare.toLowerCase().startsWith(TOKEN_PREFIX)
    ? readText(bare.slice(TOKEN_PREFIX.length), "uid", issuers)
    : readText(bare, "card-number", issuers);
}
