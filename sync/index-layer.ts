/**
 * One layer of the index: an image and the lookups in it, by position. The oldest layer is a whole list; each newer one
 * says of some cards what holds instead.
 */
import { BUCKETS_AT_ONCE, type Cut, placeOfCut, searchForCut } from "./index-cuts.ts";
import type { IndexImage } from "./index-file.ts";
import { either, LongTokenTable } from "./index-long-tokens.ts";
import { NumberTable } from "./index-numbers.ts";
import { Sieve } from "./index-sieve.ts";
import { type IsHidden, NOT_FOUND, TokenTable, UidKey } from "./index-tokens.ts";
import { UID_BYTES_MAX } from "./rows.ts";

export class Layer {
  readonly image: IndexImage;
  readonly numbers: NumberTable;
  readonly tokens: TokenTable;
  readonly longTokens: LongTokenTable;
  readonly #cuts: readonly (TokenTable | null)[];
  readonly #key = new UidKey();
  /** Null: every lookup is searched for. */
  readonly #numberSieve: Sieve | null;
  readonly #tokenSieve: Sieve | null;

  constructor(image: IndexImage) {
    const { parts } = image;
    this.image = image;
    this.numbers = new NumberTable(parts.numbers, parts.wide);
    this.tokens = new TokenTable(parts.tokens);
    this.longTokens = new LongTokenTable(parts.longTokens);
    this.#cuts = parts.cuts.map((cut) => (cut === null ? null : new TokenTable(cut)));
    this.#numberSieve = parts.numberSieve === null ? null : new Sieve(parts.numberSieve);
    this.#tokenSieve = parts.tokenSieve === null ? null : new Sieve(parts.tokenSieve);
  }

  /** The position of a packed number, or `NOT_FOUND`. */
  find(packed: number): number {
    if (this.#numberSieve?.mayHave(packed) === false) return NOT_FOUND;
    return this.numbers.find(packed);
  }

  /** Status and last day at a position, as `packStanding` has them. */
  standingAt(position: number): number {
    return this.image.parts.standings[this.numbers.codeAt(position)]!;
  }

  /** The position of the card with this token that is not hidden, or `NOT_FOUND`, or `AMBIGUOUS`. */
  findWhole(uid: Uint8Array, sizeBytes: number, isHidden: IsHidden | null): number {
    if (sizeBytes === UID_BYTES_MAX) return this.longTokens.find(uid, isHidden);
    if (sizeBytes !== 4 && sizeBytes !== 7) return NOT_FOUND;
    this.#key.set(uid, 0, sizeBytes);
    if (this.#tokenSieve?.mayHave(this.#key.lower) === false) return NOT_FOUND;
    return this.tokens.find(this.#key, isHidden);
  }

  /** Whether a cut token has to be looked for among all, and these are many. */
  mustSearch(cut: Cut): boolean {
    return this.#cuts[placeOfCut(cut)] === null && this.tokens.buckets > BUCKETS_AT_ONCE;
  }

  /** The position of the card with this cut token, as `findCut` has it, by a look at all: at its end the answer. */
  search(uid: Uint8Array, cut: Cut, isHidden: IsHidden | null): Generator<void, number> {
    return searchForCut(uid, cut, this.tokens, this.longTokens, isHidden);
  }

  /** The same for the `sizeBytes` that a reader left of a token. Not for what must be searched. */
  findCut(uid: Uint8Array, sizeBytes: number, part: "first" | "last", isHidden: IsHidden | null): number {
    if (sizeBytes === 7) {
      const skip = part === "first" ? 0 : UID_BYTES_MAX - 7;
      const long = this.longTokens.findCut(uid, skip, 7, isHidden);
      return either(this.findWhole(uid, 7, isHidden), long);
    }
    if (sizeBytes !== 3 && sizeBytes !== 4) return this.findWhole(uid, sizeBytes, isHidden);
    const cut = { part, sizeBytes } as const;
    const table = this.#cuts[placeOfCut(cut)]!;
    if (table === null) return endOf(this.search(uid, cut, isHidden));
    this.#key.set(uid, 0, sizeBytes);
    return table.find(this.#key, isHidden);
  }
}

function endOf(search: Generator<void, number>): number {
  for (;;) {
    const step = search.next();
    if (step.done === true) return step.value;
  }
}
