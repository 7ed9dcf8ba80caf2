/**
 * From the text of a list to an index image: a whole list to one that stands alone, a delta to a layer over what is held.
 * Pure and synchronous: it runs in a worker (`build-worker.ts`) or, in the simulation and for small lists, in place.
 */
import { type Correction, forgottenBetween } from "./feed-corrections.ts";
import { Index } from "./index.ts";
import { assemble } from "./index-assembly.ts";
import type { Cut } from "./index-cuts.ts";
import type { IndexImage } from "./index-file.ts";
import { Gathering } from "./index-gathering.ts";
import type { Layer } from "./index-layer.ts";
import { POSITIONS_MAX } from "./index-numbers.ts";
import {
  finalStatusOf,
  goneStanding,
  isFinalStanding,
  isListed,
  packStanding,
  settleStanding,
} from "./index-standing.ts";
import { sharedPages } from "./pages.ts";
import { REMOVED, type Row, type RowFault, RowParser } from "./rows.ts";
import type { TokenSeal } from "./token-seal.ts";

/** A list as the signed metadata describes it. `base` null: a whole one. `cards`: on the list at `revision`. */
export interface ListOrder {
  revision: number;
  base: number | null;
  publishedAtMs: number | null;
  cards: number;
}

export type BuildRefusalName = "bad-row" | "bad-gzip" | "wrong-count" | "too-large";

/** `ignoredRows`: rows the one-way rule kept out. */
export type ListOutcome =
  | { kind: "built"; image: IndexImage; ignoredRows: number }
  | { kind: "refused"; name: BuildRefusalName; why: string };

/** Takes a list's text in pieces, then makes an image of it. */
export class ListBuilder {
  readonly #order: ListOrder;
  readonly #cuts: readonly Cut[];
  readonly #previous: Index | null;
  /** Cards whose end the root's threshold says is to be forgotten, and which ends. */
  readonly #forgotten: ReadonlyMap<number, ReadonlySet<number>>;
  readonly #parser: RowParser;
  readonly #gathering: Gathering;
  #fault: RowFault | null = null;

  /** For a whole list, of each layer and position held whether the new list has the card, too. */
  readonly #seen: ReadonlyMap<Layer, Uint8Array>;
  /** Of `forgotten`, those that have a row. */
  readonly #said = new Set<number>();
  /** Cards on the list. */
  #listed: number;
  #ignoredRows = 0;

  /** `held`: what the list comes after, oldest layer first. */
  constructor(
    order: ListOrder,
    held: readonly IndexImage[],
    cuts: readonly Cut[],
    corrections: readonly Correction[],
    seal: TokenSeal,
  ) {
    this.#order = order;
    this.#cuts = cuts;
    this.#previous = held.length === 0 ? null : new Index(...held);
    this.#forgotten = forgottenBetween(corrections, this.#previous?.facts.revision ?? -1, order.revision);
    const isDelta = order.base !== null;
    const layers = isDelta ? [] : (this.#previous?.layers ?? []);
    this.#seen = new Map(layers.map((layer) => [layer, sharedPages(layer.numbers.size)]));
    this.#listed = isDelta ? (this.#previous?.cards ?? 0) : 0;
    const expected = isDelta ? 0 : Math.min(order.cards + countFinal(layers), POSITIONS_MAX);
    this.#gathering = new Gathering(expected, seal);
    this.#parser = new RowParser({ delta: isDelta }, (row) => this.#take(row));
  }

  /** Takes the next bytes of the text; false once the list is refused and no more need come. */
  push(bytes: Uint8Array): boolean {
    this.#fault = this.#parser.push(bytes);
    return this.#fault === null;
  }

  finish(): ListOutcome {
    this.#fault = this.#parser.finish();
    if (this.#fault !== null) return refuse("bad-row", `row ${this.#fault.row}: ${this.#fault.why}`);
    const why = this.#remember();
    if (why !== null) return refuse("too-large", why);
    const { revision, base, publishedAtMs, cards } = this.#order;
    const facts = { revision, publishedAtMs, cards };
    const assembled = assemble(this.#gathering, facts, this.#cuts, base !== null);
    if (assembled.kind === "twice") return refuse("bad-row", this.#describeTwice(assembled.packed));
    if (this.#listed !== cards) {
      return refuse("wrong-count", `it leaves ${this.#listed} cards, its signed description says ${cards}`);
    }
    return { kind: "built", image: assembled.image, ignoredRows: this.#ignoredRows };
  }

  #take(row: Row): string | null {
    const { packed } = row;
    const { base, cards } = this.#order;
    const isWhole = base === null;
    if (isWhole && this.#gathering.count === cards) return `one row more than the ${cards} there may be`;
    const before = this.#standingBefore(packed);
    if (this.#forgotten.has(packed)) this.#said.add(packed);
    const said = row.status === REMOVED ? goneStanding(-1) : packStanding(row.status, row.day);
    const settled = settleStanding(this.#isForgotten(packed, before) ? -1 : before, said);
    if (settled.ignored) this.#ignoredRows += 1;
    if (isListed(settled.standing)) this.#listed += 1;
    if (!isWhole && before >= 0 && isListed(before)) this.#listed -= 1;
    const why = this.#gathering.add(packed, settled.standing);
    if (why !== null || row.status === REMOVED) return why;
    return this.#gathering.addTokens(row);
  }

  #standingBefore(packed: number): number {
    if (this.#previous === null) return -1;
    for (const layer of this.#previous.layers) {
      const position = layer.find(packed);
      if (position < 0) continue;
      const seen = this.#seen.get(layer);
      if (seen !== undefined) seen[position] = 1;
      return layer.standingAt(position);
    }
    return -1;
  }

  #isForgotten(packed: number, standing: number): boolean {
    return standing >= 0 && this.#forgotten.get(packed)?.has(finalStatusOf(standing)) === true;
  }

  /** What the rows do not say: of a whole list the ends of cards it no longer has, of a delta those to be forgotten. */
  #remember(): string | null {
    for (const layer of this.#seen.keys()) {
      const why = this.#rememberEnds(layer);
      if (why !== null) return why;
    }
    if (this.#order.base === null) return null;
    for (const packed of this.#forgotten.keys()) {
      const standing = this.#standingBefore(packed);
      if (isListed(standing) || !this.#isForgotten(packed, standing) || this.#said.has(packed)) continue;
      const why = this.#gathering.add(packed, goneStanding(-1));
      if (why !== null) return why;
    }
    return null;
  }

  /** Cards of a layer with a final status that the new list no longer has. */
  #rememberEnds(layer: Layer): string | null {
    const seen = this.#seen.get(layer)!;
    let fault: string | null = null;
    layer.numbers.forEach((packed, position) => {
      const standing = layer.standingAt(position);
      if (seen[position] === 1 || !isFinalStanding(standing) || fault !== null) return;
      // A newer layer has the word on this card; should it hold it in mind, it is remembered there.
      const isNewest = this.#previous?.layers.find((other) => other.find(packed) >= 0) === layer;
      if (isNewest && !this.#isForgotten(packed, standing)) {
        fault = this.#gathering.add(packed, goneStanding(standing));
      }
    });
    return fault;
  }

  #describeTwice(packed: number): string {
    const rows: number[] = [];
    for (let card = 0; rows.length < 2 && card < this.#gathering.count; card++) {
      if (this.#gathering.numberOf(card) === packed) rows.push(card + 2);
    }
    return `row ${rows[1]}: the same card number as row ${rows[0]}`;
  }
}

function countFinal(layers: readonly Layer[]): number {
  let count = 0;
  for (const layer of layers) {
    for (let position = 0; position < layer.numbers.size; position++) {
      if (isFinalStanding(layer.standingAt(position))) count += 1;
    }
  }
  return count;
}

function refuse(name: BuildRefusalName, why: string): ListOutcome {
  return { kind: "refused", name, why };
}
