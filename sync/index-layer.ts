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
import type { TokenSeal } from "./token-seal.ts";

/** A UID that is asked for, or what a reader left of it: sealed once for all layers of one key. Reused. */
export class AskedUid {
  readonly bytes = new Uint8Array(UID_BYTES_MAX);
  #sizeBytes = 0;
  readonly #key = new UidKey();
  #seal: TokenSeal | null = null;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Of what lies in `bytes` now. */
  set sizeBytes(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#seal = null;
  }

  sealedBy(seal: TokenSeal): UidKey {
    // Of other sizes there are none to be found.
    if (seal !== this.#seal) this.#key.set(seal, this.bytes, 0, this.#sizeBytes);
    this.#seal = seal;
    return this.#key;
  }
}

export class Layer {
  readonly image: IndexImage;
  readonly numbers: NumberTable;
  readonly tokens: TokenTable;
  readonly longTokens: LongTokenTable;
  readonly #cuts: readonly (TokenTable | null)[];
  /** Null: every lookup is searched for. */
  readonly #numberSieve: Sieve | null;
  readonly #tokenSieve: Sieve | null;

  constructor(image: IndexImage) {
    const { parts } = image;
    this.image = image;
    this.numbers = new NumberTable(parts.numbers, parts.wide);
    this.tokens = new TokenTable(parts.tokens);
    this.longTokens = new LongTokenTable(parts.longTokens, image.seal);
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
  findWhole(uid: AskedUid, isHidden: IsHidden | null): number {
    const { sizeBytes } = uid;
    if (sizeBytes === UID_BYTES_MAX) return this.longTokens.find(uid.bytes, isHidden);
    if (sizeBytes !== 4 && sizeBytes !== 7) return NOT_FOUND;
    const key = uid.sealedBy(this.image.seal);
    if (this.#tokenSieve?.mayHave(key.lower) === false) return NOT_FOUND;
    return this.tokens.find(key, isHidden);
  }

  /** Whether a cut token has to be looked for among all, and these are many. */
  mustSearch(cut: Cut): boolean {
    return this.#cuts[placeOfCut(cut)] === null && this.tokens.buckets > BUCKETS_AT_ONCE;
  }

  /** The position of the card with this cut token, as `findCut` has it, by a look at all: at its end the answer. */
  search(uid: Uint8Array, cut: Cut, isHidden: IsHidden | null): Generator<void, number> {
    const { tokens, longTokens } = this;
    return searchForCut(uid, cut, { tokens, longTokens, seal: this.image.seal }, isHidden);
  }

  /** The same for what a reader left of a token. Not for what must be searched. */
  findCut(uid: AskedUid, part: "first" | "last", isHidden: IsHidden | null): number {
    const { sizeBytes } = uid;
    if (sizeBytes === 7) {
      const skip = part === "first" ? 0 : UID_BYTES_MAX - 7;
      const long = this.longTokens.findCut(uid.bytes, skip, 7, isHidden);
      return either(this.findWhole(uid, isHidden), long);
    }
    if (sizeBytes !== 3 && sizeBytes !== 4) return this.findWhole(uid, isHidden);
    const cut = { part, sizeBytes } as const;
    const table = this.#cuts[placeOfCut(cut)]!;
    if (table === null) return endOf(this.search(uid.bytes, cut, isHidden));
    return table.find(uid.sealedBy(this.image.seal), isHidden);
  }
}

function endOf(search: Generator<void, number>): number {
  for (;;) {
    const step = search.next();
    if (step.done === true) return step.value;
  }
}
