/**
 * From what is held and the lists of a way to what will be held: pure, in the worker or in place. A whole list becomes
 * the lowest layer; deltas become one layer above it, together with the newest layer that was held.
 */
import type { Correction } from "./feed-corrections.ts";
import { ListBuilder, type ListOrder, type ListOutcome } from "./index-builder.ts";
import type { Cut } from "./index-cuts.ts";
import type { IndexImage } from "./index-file.ts";
import { mergeLayers } from "./index-merge.ts";
import type { TokenSeal } from "./token-seal.ts";

/** What holds when a way is begun. */
export interface BuildBasis {
  /** Layers that stay as they are, oldest first; none: nothing is held. */
  lower: readonly IndexImage[];
  /** The newest layer, where deltas have made one; those to come are merged with it. */
  top: IndexImage | null;
  cuts: readonly Cut[];
  corrections: readonly Correction[];
  /** Of what is built. */
  seal: TokenSeal;
}

/** `whole`: a new lowest layer, which replaces all others; null: those of the basis stay. */
export interface Built {
  whole: IndexImage | null;
  top: IndexImage | null;
  ignoredRows: number;
}

export class BuildSession {
  readonly #basis: BuildBasis;
  #whole: IndexImage | null = null;
  #top: IndexImage | null;
  #ignoredRows = 0;

  constructor(basis: BuildBasis) {
    this.#basis = basis;
    this.#top = basis.top;
  }

  /** For the next list of the way. */
  builder(order: ListOrder): ListBuilder {
    const { cuts, corrections, seal } = this.#basis;
    return new ListBuilder(order, this.#held, cuts, corrections, seal);
  }

  /** Takes what became of a list. */
  take(order: ListOrder, { image, ignoredRows }: Extract<ListOutcome, { kind: "built" }>): void {
    const { cuts, seal } = this.#basis;
    this.#ignoredRows += ignoredRows;
    if (order.base === null) {
      this.#whole = image;
      this.#top = null;
    } else {
      this.#top = this.#top === null ? image : mergeLayers([this.#top, image], cuts, false, seal);
    }
  }

  get built(): Built {
    return { whole: this.#whole, top: this.#top, ignoredRows: this.#ignoredRows };
  }

  get #held(): IndexImage[] {
    const lower = this.#whole === null ? this.#basis.lower : [this.#whole];
    return this.#top === null ? [...lower] : [...lower, this.#top];
  }
}
