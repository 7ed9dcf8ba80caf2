/**
 * Two layers made one: what the newer says of a card, else what the older says. Numbers are in order in both, so
 * nothing is sorted but what is new, and beside the images only a word a card is needed.
 */
import { assemble, CardKinds, type CardSource } from "./index-assembly.ts";
import type { Cut } from "./index-cuts.ts";
import type { IndexImage } from "./index-file.ts";
import { Layer } from "./index-layer.ts";
import type { LongTokenWalk } from "./index-long-tokens.ts";
import { isFinalStanding, isListed } from "./index-standing.ts";
import { type TokenWalk, UidKey } from "./index-tokens.ts";
import { words } from "./pages.ts";

/** Where a card goes that is not in the new image. */
const NOWHERE = 0xffff_ffff;

/**
 * Merges layers, oldest first, into one of the newest's revision with tables for `cuts`; of one alone it makes such an
 * image. `bottom`: nothing lies below, so that cards that are gone and need not be remembered are dropped.
 */
export function mergeLayers(
  images: readonly IndexImage[],
  cuts: readonly Cut[],
  bottom: boolean,
): IndexImage {
  const [oldest, ...newer] = images;
  // The newer ones are small: they are made one first, so that the great one is walked once.
  const last = newer.pop() ?? null;
  const upper = newer.reduceRight((above, below) => mergeTwo(below, above, [], false), last);
  return mergeTwo(oldest!, upper, cuts, bottom);
}

function mergeTwo(
  lower: IndexImage,
  upper: IndexImage | null,
  cuts: readonly Cut[],
  bottom: boolean,
): IndexImage {
  const merge = new Merge(new Layer(lower), upper === null ? null : new Layer(upper), bottom);
  const assembled = assemble(merge, (upper ?? lower).facts, cuts, !bottom);
  if (assembled.kind === "twice") throw new Error("a card is twice in a merged list");
  return assembled.image;
}

/** The cards of both layers. A card's number here is its position in the lower one or, beyond these, in the upper one. */
class Merge implements CardSource {
  count = 0;
  tokenCount = 0;
  longTokenCount = 0;
  readonly kinds = new CardKinds();
  readonly #lower: Layer;
  readonly #upper: Layer | null;
  /** The upper layer's numbers, ascending. */
  readonly #upperNumbers: Float64Array;
  /** Of each card the position it will have. */
  readonly #positions: Uint32Array;

  constructor(lower: Layer, upper: Layer | null, bottom: boolean) {
    this.#lower = lower;
    this.#upper = upper;
    this.#upperNumbers = new Float64Array(upper?.numbers.size ?? 0);
    upper?.numbers.forEach((packed, position) => {
      this.#upperNumbers[position] = packed;
    });
    this.#positions = words(lower.numbers.size + this.#upperNumbers.length).fill(NOWHERE);
    this.#walkBoth((packed, standing, card) => {
      if (bottom && !isListed(standing) && !isFinalStanding(standing)) return;
      if (this.kinds.add(packed, standing) < 0) throw new Error("more standings than can be numbered");
      this.#positions[card] = this.count++;
    });
    this.walkTokens(new UidKey(), () => {
      this.tokenCount += 1;
    });
    this.walkLongTokens(() => {
      this.longTokenCount += 1;
    });
  }

  walkNumbers(visit: (packed: number, code: number) => void): void {
    this.#walkBoth((packed, standing, card) => {
      if (this.#positions[card] !== NOWHERE) visit(packed, this.kinds.standings.get(standing)!);
    });
  }

  readonly walkTokens: TokenWalk = (key, visit) => {
    this.#lower.tokens.forEach(key, (position) => {
      if (this.#positions[position] !== NOWHERE) visit(position);
    });
    this.#upper?.tokens.forEach(key, (position) => visit(this.#lower.numbers.size + position));
  };

  readonly walkLongTokens: LongTokenWalk = (visit) => {
    this.#lower.longTokens.forEach((uids, from, position) => {
      if (this.#positions[position] !== NOWHERE) visit(uids, from, position);
    });
    this.#upper?.longTokens.forEach((uids, from, position) => {
      visit(uids, from, this.#lower.numbers.size + position);
    });
  };

  positionOf(card: number): number {
    return this.#positions[card]!;
  }

  /** Every card once, in the order of numbers. */
  #walkBoth(visit: (packed: number, standing: number, card: number) => void): void {
    const lower = this.#lower;
    const upper = this.#upper;
    const upperNumbers = this.#upperNumbers;
    let next = 0;
    const visitUpper = () => {
      visit(upperNumbers[next]!, upper!.standingAt(next), lower.numbers.size + next);
      next += 1;
    };
    lower.numbers.forEach((packed, position) => {
      while (upperNumbers[next]! < packed) visitUpper();
      if (upperNumbers[next] === packed) visitUpper();
      else visit(packed, lower.standingAt(position), position);
    });
    while (next < upperNumbers.length) visitUpper();
  }
}
