/**
 * Tokens as a reader that cuts them gives them: the first or the last 3 or 4 bytes. A table by these takes 8 bytes a
 * token and is therefore in an index only where a reader of the site cuts; without one every token is looked at, some at a time.
 */
import { either, type LongTokenTable } from "./index-long-tokens.ts";
import {
  fillTokens,
  type IsHidden,
  type TokenParts,
  type TokenTable,
  type TokenWalk,
  UidKey,
} from "./index-tokens.ts";
import { UID_BYTES_MAX } from "./rows.ts";
import type { TokenSeal } from "./token-seal.ts";

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

/** Whole tokens, and what opens them. */
export interface WholeTokens {
  tokens: TokenTable;
  longTokens: LongTokenTable;
  seal: TokenSeal;
}

/** Fills empty parts with every token cut short and sealed again, those of that size included. */
export function fillCut(parts: TokenParts, cut: Cut, whole: WholeTokens): void {
  fillTokens(parts, cutWalk(cut, whole), (position) => position);
}

/** Looked at without a break: some thousand tokens, a fraction of a millisecond. */
export const BUCKETS_AT_ONCE = 64;

/**
 * The position of the card with this cut token that is not hidden, by a look at each one; or `NOT_FOUND`, or `AMBIGUOUS`. `uid`:
 * the bytes that the reader left.
 */
export function* searchForCut(
  uid: Uint8Array,
  { part, sizeBytes }: Cut,
  { tokens, longTokens, seal }: WholeTokens,
  isHidden: IsHidden | null,
): Generator<void, number> {
  const wanted = uid.subarray(0, sizeBytes).reduce((value, byte) => value * 256 + byte, 0);
  let found = longTokens.findCut(uid, part === "first" ? 0 : UID_BYTES_MAX - sizeBytes, sizeBytes, isHidden);
  const key = new UidKey();
  for (let bucket = 0; bucket < tokens.buckets; bucket += BUCKETS_AT_ONCE) {
    tokens.forEachIn(bucket, bucket + BUCKETS_AT_ONCE, key, (position) => {
      if (key.takeCut(seal, part, sizeBytes) !== wanted) return;
      if (isHidden?.(position) !== true) found = either(found, position);
    });
    yield;
  }
  return found;
}

function cutWalk(cut: Cut, { tokens, longTokens, seal }: WholeTokens): TokenWalk {
  const skipOf = (sizeBytes: number) => (cut.part === "first" ? 0 : sizeBytes - cut.sizeBytes);
  return (key, visit) => {
    const whole = new UidKey();
    const uid = new Uint8Array(7);
    tokens.forEach(whole, (position) => {
      const sizeBytes = whole.get(seal, uid);
      key.set(seal, uid, skipOf(sizeBytes), cut.sizeBytes);
      visit(position);
    });
    longTokens.forEachOpen((uids, from, position) => {
      key.set(seal, uids, from + skipOf(UID_BYTES_MAX), cut.sizeBytes);
      visit(position);
    });
  };
}
