/**
 * Tokens of 10 bytes: allowed by ISO/IEC 14443-3 and hardly ever met, so a plain sorted list beside the index.
 */
import { AMBIGUOUS, type IsHidden, NOT_FOUND } from "./index-tokens.ts";
import { UID_BYTES_MAX } from "./rows.ts";
import type { TokenSeal } from "./token-seal.ts";

export interface LongTokenParts {
  /** Ten bytes each, sealed, ascending. */
  uids: Uint8Array;
  positions: Uint32Array;
}

export class LongTokenTable {
  readonly #parts: LongTokenParts;
  readonly #seal: TokenSeal;
  readonly #sealed = new Uint8Array(UID_BYTES_MAX);
  /** Opened when a cut one is first asked for: these are looked at one by one. */
  #opened: Uint8Array | null = null;

  constructor(parts: LongTokenParts, seal: TokenSeal) {
    this.#parts = parts;
    this.#seal = seal;
  }

  get size(): number {
    return this.#parts.positions.length;
  }

  /** The position of the card with this UID that is not hidden, or `NOT_FOUND`, or `AMBIGUOUS`. */
  find(uid: Uint8Array, isHidden: IsHidden | null): number {
    const { uids, positions } = this.#parts;
    if (positions.length === 0) return NOT_FOUND;
    const sealed = this.#sealed;
    sealed.set(uid.subarray(0, UID_BYTES_MAX));
    this.#seal.sealLong(sealed);
    let from = 0;
    let to = positions.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (compare(uids, middle * UID_BYTES_MAX, sealed, 0, UID_BYTES_MAX) < 0) from = middle + 1;
      else to = middle;
    }
    let found = NOT_FOUND;
    for (; from < positions.length; from++) {
      if (compare(uids, from * UID_BYTES_MAX, sealed, 0, UID_BYTES_MAX) !== 0) break;
      if (isHidden?.(positions[from]!) !== true) found = either(found, positions[from]!);
    }
    return found;
  }

  /** The same for UIDs cut to the `sizeBytes` that begin at their byte `skip`. Looks at every one. */
  findCut(cut: Uint8Array, skip: number, sizeBytes: number, isHidden: IsHidden | null): number {
    const { positions } = this.#parts;
    const uids = this.#openAll();
    let found = NOT_FOUND;
    for (let i = 0; i < positions.length; i++) {
      if (compare(uids, i * UID_BYTES_MAX + skip, cut, 0, sizeBytes) !== 0) continue;
      if (isHidden?.(positions[i]!) !== true) found = either(found, positions[i]!);
    }
    return found;
  }

  /** Sealed. */
  readonly forEach: LongTokenWalk = (visit) => {
    const { uids, positions } = this.#parts;
    for (let i = 0; i < positions.length; i++) visit(uids, i * UID_BYTES_MAX, positions[i]!);
  };

  /** In clear. */
  readonly forEachOpen: LongTokenWalk = (visit) => {
    const { positions } = this.#parts;
    const uids = this.#openAll();
    for (let i = 0; i < positions.length; i++) visit(uids, i * UID_BYTES_MAX, positions[i]!);
  };

  #openAll(): Uint8Array {
    if (this.#opened !== null) return this.#opened;
    const opened = this.#parts.uids.slice();
    for (let at = 0; at < opened.length; at += UID_BYTES_MAX)
      this.#seal.openLong(opened.subarray(at, at + UID_BYTES_MAX));
    this.#opened = opened;
    return opened;
  }
}

/** Two answers to one question: a card, unless they are two cards. */
export function either(one: number, other: number): number {
  if (one === NOT_FOUND || one === other) return other;
  return other === NOT_FOUND ? one : AMBIGUOUS;
}

/** Visits every UID, ten bytes of `uids` from `from`, with its card, whatever number that has where it comes from. */
export type LongTokenWalk = (visit: (uids: Uint8Array, from: number, card: number) => void) => void;

/** Fills empty parts with UIDs that come sealed; `positionOf` turns a card into its position. */
export function fillLongTokens(
  parts: LongTokenParts,
  walk: LongTokenWalk,
  positionOf: (card: number) => number,
): void {
  const entries: { uid: Uint8Array; position: number }[] = [];
  walk((uids, from, card) => {
    entries.push({ uid: uids.slice(from, from + UID_BYTES_MAX), position: positionOf(card) });
  });
  entries.sort((one, other) => compare(one.uid, 0, other.uid, 0, UID_BYTES_MAX));
  entries.forEach(({ uid, position }, i) => {
    parts.uids.set(uid, i * UID_BYTES_MAX);
    parts.positions[i] = position;
  });
}

function compare(
  one: Uint8Array,
  oneFrom: number,
  other: Uint8Array,
  otherFrom: number,
  size: number,
): number {
  for (let i = 0; i < size; i++) {
    const difference = one[oneFrom + i]! - other[otherFrom + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
