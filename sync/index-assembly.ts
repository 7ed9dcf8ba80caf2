/**
 * From cards, wherever they come from, to an image: pages and buckets counted, filled and sorted. Pure; it runs in a
 * worker, or in place for small lists.
 */
import { type Cut, fillCut, placeOfCut } from "./index-cuts.ts";
import { allocateImage, type IndexFacts, type IndexImage, sealImage } from "./index-file.ts";
import { fillLongTokens, LongTokenTable, type LongTokenWalk } from "./index-long-tokens.ts";
import { NumberTable, planPages } from "./index-numbers.ts";
import { Sieve } from "./index-sieve.ts";
import { fillTokens, TokenTable, type TokenWalk, UidKey } from "./index-tokens.ts";
import type { TokenSeal } from "./token-seal.ts";

/** Standings are numbered in 16 bits; a list has some thousands of them, one for each day and status. */
const STANDINGS_MAX = 65_536;
const ISSUERS = 26 * 26;
const ISSUER_NUMBERS = 1e10;

/** Where an image's cards come from. What is walked comes in any order, and in the same one each time. */
export interface CardSource {
  count: number;
  tokenCount: number;
  longTokenCount: number;
  /** How the tokens that are walked are sealed, and those of the image will be. */
  seal: TokenSeal;
  kinds: CardKinds;
  /** `code`: the place of the card's standing in `kinds`. */
  walkNumbers(visit: (packed: number, code: number) => void): void;
  walkTokens: TokenWalk;
  walkLongTokens: LongTokenWalk;
  /** The position of a card that a walk of tokens visits. */
  positionOf(card: number, numbers: NumberTable): number;
}

/** `twice`: a packed number that is there twice. */
export type Assembled = { kind: "made"; image: IndexImage } | { kind: "twice"; packed: number };

/** `isUpper`: the image will lie above others. */
export function assemble(
  source: CardSource,
  facts: IndexFacts,
  cuts: readonly Cut[],
  isUpper: boolean,
): Assembled {
  const { kinds, count } = source;
  const issuers = kinds.issuers();
  const image = allocateImage(
    {
      ...planPages(issuers.length, count),
      issuers: issuers.length,
      positions: count,
      standings: kinds.standings.size,
      tokens: source.tokenCount,
      longTokens: source.longTokenCount,
      cuts,
      sieved: isUpper,
    },
    facts,
    source.seal,
  );
  const { parts } = image;
  parts.numbers.issuers.set(issuers);
  parts.standings.set([...kinds.standings.keys()]);
  const numbers = new NumberTable(parts.numbers, parts.wide);
  const packed = numbers.fill((visit) => source.walkNumbers(visit));
  if (packed >= 0) return { kind: "twice", packed };
  const positionOf = (card: number) => source.positionOf(card, numbers);
  fillTokens(parts.tokens, source.walkTokens, positionOf);
  fillLongTokens(parts.longTokens, source.walkLongTokens, positionOf);
  for (const cut of cuts) fillCutOf(image, cut);
  fillSieves(image, numbers);
  sealImage(image);
  return { kind: "made", image };
}

function fillCutOf({ parts, seal }: IndexImage, cut: Cut): void {
  const table = parts.cuts[placeOfCut(cut)];
  const tokens = new TokenTable(parts.tokens);
  if (table != null)
    fillCut(table, cut, { tokens, longTokens: new LongTokenTable(parts.longTokens, seal), seal });
}

function fillSieves({ parts }: IndexImage, numbers: NumberTable): void {
  if (parts.numberSieve !== null) {
    const sieve = new Sieve(parts.numberSieve);
    numbers.forEach((packed) => {
      sieve.add(packed);
    });
  }
  if (parts.tokenSieve !== null) {
    const sieve = new Sieve(parts.tokenSieve);
    const key = new UidKey();
    new TokenTable(parts.tokens).forEach(key, () => sieve.add(key.lower));
  }
}

/** The issuers and the standings that occur among some cards. */
export class CardKinds {
  /** Of each standing its place. */
  readonly standings = new Map<number, number>();
  readonly #seen = new Uint8Array(ISSUERS);

  /** The place of a card's standing, or -1 when there are more different ones than can be numbered. */
  add(packed: number, standing: number): number {
    this.#seen[Math.floor(packed / ISSUER_NUMBERS)] = 1;
    const known = this.standings.get(standing);
    if (known !== undefined) return known;
    const code = this.standings.size;
    if (code === STANDINGS_MAX) return -1;
    this.standings.set(standing, code);
    return code;
  }

  /** Ascending. */
  issuers(): number[] {
    return [...this.#seen.keys()].filter((issuer) => this.#seen[issuer] === 1);
  }
}
