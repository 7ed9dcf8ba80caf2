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
import { UID_BYTES_MAX } from "./rows.ts";
import type { TokenSeal } from "./token-seal.ts";

/** Where a card goes that is not in the new image. */
const NOWHERE = 0xffff_ffff;

/**
 * Merges layers, oldest first, into one of the newest's revision with tables for `cuts`, sealed with `seal`; of one alone it makes
 * such an image. `bottom`: nothing lies below, so that cards that are gone and need not be remembered are dropped.
 */
export function mergeLayers(
  images: readonly IndexImage[],
  cuts: readonly Cut[],
  bottom: boolean,
  seal: TokenSeal,
): IndexImage {
  const [oldest, ...newer] = images;
  // The newer ones are small: they are made one first, so that the great one is walked once.
  const last = newer.pop() ?? null;
  const upper = newer.reduceRight((above, below) => mergeTwo(below, above, [], false, seal), last);
  return mergeTwo(oldest!, upper, cuts, bottom, seal);
}

function mergeTwo(
  lower: IndexImage,
  upper: IndexImage | null,
  cuts: readonly Cut[],
  bottom: boolean,
  seal: TokenSeal,
): IndexImage {
  const merge = new Merge(new Layer(lower), upper === null ? null : new Layer(upper), bottom, seal);
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
  readonly seal: TokenSeal;
  readonly #lower: Layer;
  readonly #upper: Layer | null;
  /** The upper layer's numbers, ascending. */
  readonly #upperNumbers: Float64Array;
  /** Of each card the position it will have. */
  readonly #positions: Uint32Array;

  constructor(lower: Layer, upper: Layer | null, bottom: boolean, seal: TokenSeal) {
    this.seal = seal;
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
    walkTokensOf(this.#lower, this.seal, key, (position) => {
      if (this.#positions[position] !== NOWHERE) visit(position);
    });
    if (this.#upper === null) return;
    walkTokensOf(this.#upper, this.seal, key, (position) => visit(this.#lower.numbers.size + position));
  };

  readonly walkLongTokens: LongTokenWalk = (visit) => {
    walkLongTokensOf(this.#lower, this.seal, (uids, from, position) => {
      if (this.#positions[position] !== NOWHERE) visit(uids, from, position);
    });
    if (this.#upper === null) return;
    walkLongTokensOf(this.#upper, this.seal, (uids, from, position) => {
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

/** A layer's tokens as `seal` seals them: as they lie there, unless that is another one's work. */
function walkTokensOf(
  { image, tokens }: Layer,
  seal: TokenSeal,
  key: UidKey,
  visit: (card: number) => void,
): void {
  if (image.seal.isOf(seal)) return tokens.forEach(key, visit);
  const uid = new Uint8Array(UID_BYTES_MAX);
  const theirs = new UidKey();
  tokens.forEach(theirs, (position) => {
    const sizeBytes = theirs.get(image.seal, uid);
    key.set(seal, uid, 0, sizeBytes);
    visit(position);
  });
}

function walkLongTokensOf(
  { image, longTokens }: Layer,
  seal: TokenSeal,
  visit: Parameters<LongTokenWalk>[0],
): void {
  if (image.seal.isOf(seal)) return longTokens.forEach(visit);
  longTokens.forEachOpen((uids, from, position) => {
    const uid = uids.slice(from, from + UID_BYTES_MAX);
    seal.sealLong(uid);
    visit(uid, 0, position);
  });
}
