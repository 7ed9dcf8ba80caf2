/**
 * Cards as the rows of a list bring them, in columns of some 17 bytes a card with one token, until an image is made of
 * them.
 */
import { CardKinds, type CardSource } from "./index-assembly.ts";
import type { LongTokenWalk } from "./index-long-tokens.ts";
import { type NumberTable, POSITIONS_MAX } from "./index-numbers.ts";
import { TOKENS_MAX, type TokenWalk, UidKey } from "./index-tokens.ts";
import { sharedPages, shorts, words } from "./pages.ts";
import { type Row, UID_BYTES_MAX } from "./rows.ts";
import type { TokenSeal } from "./token-seal.ts";

const CAPACITY_MIN = 1024;
/** Columns that double would need three times their size when they grow. */
const GROWTH = 1.25;

export class Gathering implements CardSource {
  count = 0;
  tokenCount = 0;
  readonly kinds = new CardKinds();
  readonly seal: TokenSeal;

  /** Of each card the upper and the lower bits of its number, the place of its standing, and how many tokens follow. */
  #uppers: Uint32Array;
  #lowers: Uint16Array;
  #codes: Uint16Array;
  #tokensOf: Uint8Array;
  /** Of each token of 4 or 7 bytes, in the order of cards, the upper half with its size, and the lower. */
  #tokenUppers: Uint32Array;
  #tokenLowers: Uint32Array;
  readonly #longTokens: { uid: Uint8Array; card: number }[] = [];
  readonly #key = new UidKey();

  /** `expected`: about how many cards will come. */
  constructor(expected: number, seal: TokenSeal) {
    this.seal = seal;
    const capacity = Math.max(CAPACITY_MIN, expected);
    this.#uppers = words(capacity);
    this.#lowers = shorts(capacity);
    this.#codes = shorts(capacity);
    this.#tokensOf = sharedPages(capacity);
    this.#tokenUppers = words(capacity);
    this.#tokenLowers = words(capacity);
  }

  get longTokenCount(): number {
    return this.#longTokens.length;
  }

  /** Takes a card without tokens, or says why it cannot be. */
  add(packed: number, standing: number): string | null {
    if (this.count === POSITIONS_MAX) return `more than ${POSITIONS_MAX} cards, those remembered included`;
    const code = this.kinds.add(packed, standing);
    if (code < 0) return `more than ${this.kinds.standings.size} different pairs of status and last day`;
    if (this.count === this.#uppers.length) this.#growCards();
    this.#uppers[this.count] = packed / 65_536;
    this.#lowers[this.count] = packed;
    this.#codes[this.count] = code;
    this.count += 1;
    return null;
  }

  /** Takes the tokens of the card that was added last. */
  addTokens({ tokenCount, tokenSizes, tokenBytes }: Row): string | null {
    const card = this.count - 1;
    for (let i = 0; i < tokenCount; i++) {
      const from = i * UID_BYTES_MAX;
      if (tokenSizes[i] === UID_BYTES_MAX) {
        const uid = tokenBytes.slice(from, from + UID_BYTES_MAX);
        this.seal.sealLong(uid);
        this.#longTokens.push({ uid, card });
        continue;
      }
      if (this.tokenCount === TOKENS_MAX) return `more than ${TOKENS_MAX} tokens in the list`;
      if (this.tokenCount === this.#tokenUppers.length) this.#growTokens();
      this.#key.set(this.seal, tokenBytes, from, tokenSizes[i]!);
      this.#tokenUppers[this.tokenCount] = this.#key.upper * 2 + this.#key.short;
      this.#tokenLowers[this.tokenCount] = this.#key.lower;
      this.#tokensOf[card]! += 1;
      this.tokenCount += 1;
    }
    return null;
  }

  /** The packed number of a card, in the order they were added. */
  numberOf(card: number): number {
    return this.#uppers[card]! * 65_536 + this.#lowers[card]!;
  }

  walkNumbers(visit: (packed: number, code: number) => void): void {
    for (let card = 0; card < this.count; card++) visit(this.numberOf(card), this.#codes[card]!);
  }

  readonly walkTokens: TokenWalk = (key, visit) => {
    let at = 0;
    for (let card = 0; card < this.count; card++) {
      for (const end = at + this.#tokensOf[card]!; at < end; at++) {
        const upper = this.#tokenUppers[at]!;
        key.upper = upper >>> 1;
        key.short = upper & 1;
        key.lower = this.#tokenLowers[at]!;
        visit(card);
      }
    }
  };

  readonly walkLongTokens: LongTokenWalk = (visit) => {
    for (const { uid, card } of this.#longTokens) visit(uid, 0, card);
  };

  positionOf(card: number, numbers: NumberTable): number {
    return numbers.find(this.numberOf(card));
  }

  #growCards(): void {
    const capacity = Math.ceil(this.count * GROWTH);
    this.#uppers = grown(this.#uppers, words(capacity));
    this.#lowers = grown(this.#lowers, shorts(capacity));
    this.#codes = grown(this.#codes, shorts(capacity));
    this.#tokensOf = grown(this.#tokensOf, sharedPages(capacity));
  }

  #growTokens(): void {
    const capacity = Math.ceil(this.tokenCount * GROWTH);
    this.#tokenUppers = grown(this.#tokenUppers, words(capacity));
    this.#tokenLowers = grown(this.#tokenLowers, words(capacity));
  }
}

function grown<Column extends { set(from: Column): void }>(column: Column, larger: Column): Column {
  larger.set(column);
  return larger;
}
