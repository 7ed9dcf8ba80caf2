/**
 * Tokens as a reader that cuts them gives them: the first or the last 3 or 4 bytes. A table by these takes 8 bytes a
 * token and is therefore in an index only where a reader of the site cuts; without one every token is looked at.
 */
import { either, type LongTokenTable } from "./index-long-tokens.ts";
import {
  fillTokens,
  type IsHidden,
  NOT_FOUND,
  type TokenParts,
  type TokenTable,
  type TokenWalk,
  UidKey,
} from "./index-tokens.ts";
import { UID_BYTES_MAX } from "./rows.ts";

export interface Cut {
  part: "first" | "last";
  sizeBytes: 3 | 4;
}

/** All there are; an index file has a place for each of them. */
export const CUTS: readonly Cut[] = [
  { part: "first", sizeBytes: 3 },
  { part: "first", sizeBytes: 4 },
  { part: "last", sizeBytes: 3 },
  { part: "last", sizeBytes: 4 },
];

/** A cut's place in `CUTS`. */
export function placeOfCut({ part, sizeBytes }: Cut): number {
  return (part === "first" ? 0 : 2) + sizeBytes - 3;
}

/** Fills empty parts with every token cut short, those of that size included. */
export function fillCut(parts: TokenParts, cut: Cut, tokens: TokenTable, longTokens: LongTokenTable): void {
  fillTokens(parts, cutWalk(cut, tokens, longTokens), (position) => position);
}

/** The position of the card with this cut token that is not hidden, by a look at each one; or `NOT_FOUND`, or `AMBIGUOUS`. */
export function scanForCut(
  wanted: UidKey,
  cut: Cut,
  tokens: TokenTable,
  longTokens: LongTokenTable,
  isHidden: IsHidden | null,
): number {
  const key = new UidKey();
  let found = NOT_FOUND;
  cutWalk(
    cut,
    tokens,
    longTokens,
  )(key, (position) => {
    if (key.upper !== wanted.upper || key.lower !== wanted.lower) return;
    if (isHidden?.(position) !== true) found = either(found, position);
  });
  return found;
}

function cutWalk(cut: Cut, tokens: TokenTable, longTokens: LongTokenTable): TokenWalk {
  const skipOf = (sizeBytes: number) => (cut.part === "first" ? 0 : sizeBytes - cut.sizeBytes);
  return (key, visit) => {
    const whole = new UidKey();
    const uid = new Uint8Array(7);
    tokens.forEach(whole, (position) => {
      const sizeBytes = whole.get(uid);
      key.set(uid, skipOf(sizeBytes), cut.sizeBytes);
      visit(position);
    });
    longTokens.forEach((uids, from, position) => {
      key.set(uids, from + skipOf(UID_BYTES_MAX), cut.sizeBytes);
      visit(position);
    });
  };
}
