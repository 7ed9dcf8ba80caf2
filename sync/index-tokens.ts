/**
 * Tokens (chip UIDs of 4 and 7 bytes), exact, in 64 bits each. A UID is sealed (`token-seal.ts`), which spreads it evenly over
 * 56 bits. The first of these choose a bucket and need not be kept; the others, one bit for the UID's size and the
 * card's position make two 32-bit words. Nothing of the UID is lost, so there are no false positives, and who has the key
 * can read the UIDs back, as cutting them needs.
 *
 * A longer list needs more bits for a position and leaves fewer for the rest, so it has twice the buckets: a
 * bucket holds 64 to 128 tokens where each card has one.
 */
import { POSITIONS_MAX } from "./index-numbers.ts";
import { fromHalves, HALF_BITS, HALF_MASK, type TokenSeal, toHalves } from "./token-seal.ts";

/** Two tokens for each position there may be. */
export const TOKENS_MAX = 2 * POSITIONS_MAX;

/** 7 more bits for a position than for a bucket make 32 with the rest and the size. */
const POSITION_BITS_MORE = 7;
/** Of a hundred evenly spread entries nearly all lie within this many of where they should be: four lines of the cache. */
const GUESS_SPREAD = 12;

export const NOT_FOUND = -1;
export const AMBIGUOUS = -2;

/** Whether a card at a position is spoken of by a newer layer, so that what this one says of it does not count. */
export type IsHidden = (position: number) => boolean;

/** Visits every token, read into `key`, with its card, whatever number that has where it comes from. */
export type TokenWalk = (key: UidKey, visit: (card: number) => void) => void;

export interface TokenParts {
  /** Of each bucket its first entry, and at the end the count of all. */
  starts: Uint32Array;
  /**
   * Two words an entry, side by side so that one miss of the cache brings both. The first: the low 32 of the
   * scrambled bits, ascending within a bucket. The second, from the top: the rest of them, 1 for the size, and the
   * card's position.
   */
  entries: Uint32Array;
}

/** A sealed UID and its size; reused, so that a lookup allocates nothing. */
export class UidKey {
  upper = 0;
  lower = 0;
  /** 1 for UIDs that are not 7 bytes, or they could not be told from a longer one that ends in zeros. */
  short = 0;

  /** Takes 3, 4 or 7 bytes. */
  set(seal: TokenSeal, bytes: Uint8Array, from: number, sizeBytes: number): void {
    toHalves(bytes, from, sizeBytes, this);
    this.short = sizeBytes === 7 ? 0 : 1;
    seal.seal(this);
  }

  /** Puts the UID's bytes into `bytes` and returns how many: 7, or 4 for every shorter one. Leaves the key unsealed. */
  get(seal: TokenSeal, bytes: Uint8Array): number {
    seal.open(this);
    fromHalves(this, bytes, 0);
    return this.short === 1 ? 4 : 7;
  }

  /** The first or the last 3 or 4 bytes of the UID, as a number. Leaves the key unsealed. */
  takeCut(seal: TokenSeal, part: "first" | "last", sizeBytes: 3 | 4): number {
    seal.open(this);
    const isEnd = part === "last" && this.short === 0;
    const four = isEnd ? (this.upper << HALF_BITS) | this.lower : (this.upper << 4) | (this.lower >>> 24);
    if (sizeBytes === 4) return four >>> 0;
    return part === "first" ? four >>> 8 : four & 0xff_ffff;
  }
}

/** How many `starts` a table has whose positions are below `positions`. */
export function tokenStarts(positions: number): number {
  const positionBits = 32 - Math.clz32(Math.max(positions - 1, 0));
  return 2 ** Math.max(0, positionBits - POSITION_BITS_MORE) + 1;
}

function bucketBitsOf({ starts }: TokenParts): number {
  return 31 - Math.clz32(starts.length - 1);
}

function bucketOf(key: UidKey, bucketBits: number): number {
  return key.upper >>> (HALF_BITS - bucketBits);
}

function lowOf(key: UidKey): number {
  return ((key.upper << HALF_BITS) | key.lower) >>> 0;
}

/** What the second word has above the position: of the upper half what neither bucket nor first word say. */
function markOf(key: UidKey, bucketBits: number): number {
  return ((key.upper & (2 ** (HALF_BITS - bucketBits) - 1)) >>> 4) * 2 + key.short;
}

export class TokenTable {
  readonly parts: TokenParts;
  readonly #bucketBits: number;
  readonly #positionBits: number;

  constructor(parts: TokenParts) {
    this.parts = parts;
    this.#bucketBits = bucketBitsOf(parts);
    this.#positionBits = this.#bucketBits + POSITION_BITS_MORE;
  }

  get size(): number {
    return this.parts.entries.length / 2;
  }

  /** The position of the card with this token that is not hidden, or `NOT_FOUND`, or `AMBIGUOUS` where several have it. */
  find(key: UidKey, isHidden: IsHidden | null): number {
    const { starts, entries } = this.parts;
    const positionBits = this.#positionBits;
    const bucket = bucketOf(key, this.#bucketBits);
    const low = lowOf(key);
    const mark = markOf(key, this.#bucketBits);
    const start = starts[bucket]!;
    const end = starts[bucket + 1]!;
    let found = NOT_FOUND;
    for (let i = firstFrom(entries, start, end, low); i < end && entries[2 * i] === low; i++) {
      const second = entries[2 * i + 1]!;
      if (second >>> positionBits !== mark) continue;
      const position = second & (2 ** positionBits - 1);
      if (position === found || isHidden?.(position) === true) continue;
      if (found !== NOT_FOUND) return AMBIGUOUS;
      found = position;
    }
    return found;
  }

  /** Of 64 to 128 tokens each, where each card has one. */
  get buckets(): number {
    return this.parts.starts.length - 1;
  }

  /** Every token, read into `key`, with its card's position. */
  readonly forEach: TokenWalk = (key, visit) => this.forEachIn(0, this.buckets, key, visit);

  /** Those of some buckets. */
  forEachIn(from: number, to: number, key: UidKey, visit: (position: number) => void): void {
    const { starts, entries } = this.parts;
    const bucketBits = this.#bucketBits;
    const positionBits = this.#positionBits;
    for (let bucket = from; bucket < Math.min(to, this.buckets); bucket++) {
      const end = starts[bucket + 1]!;
      for (let i = starts[bucket]!; i < end; i++) {
        const low = entries[2 * i]!;
        const second = entries[2 * i + 1]!;
        const mark = second >>> positionBits;
        key.upper = (bucket << (HALF_BITS - bucketBits)) | ((mark >>> 1) << 4) | (low >>> HALF_BITS);
        key.lower = low & HALF_MASK;
        key.short = mark & 1;
        visit(second & (2 ** positionBits - 1));
      }
    }
  }
}

/** The first entry of `[start, end)` whose first word is not below `low`. */
function firstFrom(entries: Uint32Array, start: number, end: number, low: number): number {
  let from = start;
  let to = end;
  if (to - from > 2 * GUESS_SPREAD) {
    // The words are spread evenly: look around the place where this one should be.
    const guess = from + Math.floor(((to - from) * low) / 2 ** 32);
    const before = guess - GUESS_SPREAD;
    const after = guess + GUESS_SPREAD;
    if (before > from && entries[2 * before]! < low) from = before + 1;
    if (after < to && entries[2 * after]! >= low) to = after;
  }
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (entries[2 * middle]! < low) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Fills empty parts; `walk` is called twice, and `positionOf` turns a card into its position. */
export function fillTokens(parts: TokenParts, walk: TokenWalk, positionOf: (card: number) => number): void {
  const { starts, entries } = parts;
  const bucketBits = bucketBitsOf(parts);
  const key = new UidKey();
  walk(key, () => {
    starts[bucketOf(key, bucketBits) + 1]! += 1;
  });
  for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1]!;
  const next = starts.slice();
  walk(key, (card) => {
    const place = 2 * next[bucketOf(key, bucketBits)]!++;
    entries[place] = lowOf(key);
    entries[place + 1] = markOf(key, bucketBits) * 2 ** (bucketBits + POSITION_BITS_MORE) + positionOf(card);
  });
  for (let bucket = 0; bucket + 1 < starts.length; bucket++) {
    sortEntries(entries, starts[bucket]!, starts[bucket + 1]!);
  }
}

/** Insertion: a bucket is short, as a seal spreads evenly, and many equal tokens are already in order. */
function sortEntries(entries: Uint32Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const low = entries[2 * i]!;
    const second = entries[2 * i + 1]!;
    let at = 2 * i;
    for (; at > 2 * start && entries[at - 2]! > low; at -= 2) {
      entries[at] = entries[at - 2]!;
      entries[at + 1] = entries[at - 1]!;
    }
    entries[at] = low;
    entries[at + 1] = second;
  }
}
