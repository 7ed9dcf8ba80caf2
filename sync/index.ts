/**
 * The list as a decision sees it: card numbers and tokens to status and last valid day. It lies in layers that never
 * change, of which the newest that knows a card has the word. `docs/card-index.md` says why it is built like this,
 * with measurements.
 */
import {
  type CardAnswer,
  type CardIndex,
  packCanonical,
  type RevisionSpan,
  STATUSES,
  unpackNumber,
} from "./card.ts";
import type { Cut } from "./index-cuts.ts";
import type { IndexFacts, IndexImage } from "./index-file.ts";
import { AskedUid, Layer } from "./index-layer.ts";
import { dayOf, statusCodeOf } from "./index-standing.ts";
import { AMBIGUOUS, type IsHidden, NOT_FOUND } from "./index-tokens.ts";

const UNKNOWN: CardAnswer = { kind: "unknown" };
const SEVERAL: CardAnswer = { kind: "ambiguous" };
const UNREADY: CardAnswer = { kind: "unready" };
/** The value of an upper-case hex digit by its code, or -1. */
const HEX_DIGITS = Int8Array.from({ length: 128 }, (_, code) =>
  "0123456789ABCDEF".indexOf(String.fromCharCode(code)),
);

export class Index implements CardIndex {
  /** Newest first. */
  layers: readonly Layer[] = [];
  /** Of each layer what newer ones hide of it; null: nothing. */
  #hidden: readonly (IsHidden | null)[] = [];
  readonly #uid = new AskedUid();
  /** What the last search found. */
  #searched: { uid: string; part: Cut["part"]; answer: CardAnswer } | null = null;

  /** `images`: oldest first, at least one. */
  constructor(...images: readonly IndexImage[]) {
    this.lieIn(images);
  }

  /** Takes other images of the same list (a merged one for several): no answer changes. Oldest first. */
  lieIn(images: readonly IndexImage[]): void {
    const layers = images.map((image) => new Layer(image)).reverse();
    this.layers = layers;
    this.#hidden = layers.map((layer, i) => {
      const newer = layers.slice(0, i);
      if (newer.length === 0) return null;
      return (position) => isIn(newer, layer.numbers.at(position));
    });
  }

  get images(): IndexImage[] {
    return this.layers.map(({ image }) => image);
  }

  get facts(): IndexFacts {
    return this.layers[0]!.image.facts;
  }

  get cards(): number {
    return this.facts.cards;
  }

  /** How the card with this packed number stands, as `packStanding` has it, or -1. */
  standingOf(packed: number): number {
    for (const layer of this.layers) {
      const position = layer.find(packed);
      if (position >= 0) return layer.standingAt(position);
    }
    return -1;
  }

  byNumber(number: string): CardAnswer {
    const packed = packCanonical(number);
    const standing = packed < 0 ? -1 : this.standingOf(packed);
    return standing < 0 ? UNKNOWN : answerOf(number, standing);
  }

  /** A row lies in the layer that brought it: the layers below are of revisions that had another. */
  sinceOf(number: string): RevisionSpan | null {
    const packed = packCanonical(number);
    const at = packed < 0 ? -1 : this.layers.findIndex((layer) => layer.find(packed) >= 0);
    const layer = this.layers[at];
    if (layer === undefined) return null;
    return {
      after: this.layers[at + 1]?.image.facts.revision ?? null,
      by: layer.image.facts.revision,
    };
  }

  byToken(uid: string, part: "whole" | "first" | "last"): CardAnswer {
    const sizeBytes = this.#readUid(uid);
    if (this.#mustSearch(cutOf(part, sizeBytes))) {
      return this.#searched?.uid === uid && this.#searched.part === part ? this.#searched.answer : UNREADY;
    }
    let answer = UNKNOWN;
    for (let i = 0; i < this.layers.length && answer !== SEVERAL; i++) {
      const layer = this.layers[i]!;
      const isHidden = this.#hidden[i]!;
      const position =
        part === "whole" ? layer.findWhole(this.#uid, isHidden) : layer.findCut(this.#uid, part, isHidden);
      answer = together(answer, layer, position);
    }
    return answer;
  }

  search(uid: string, part: "whole" | "first" | "last"): Iterator<void, void> | null {
    const cut = cutOf(part, this.#readUid(uid));
    return cut !== null && this.#mustSearch(cut) ? this.#search(uid, cut) : null;
  }

  /** In the layers there are at its beginning: no answer changes when they are merged. */
  *#search(uid: string, cut: Cut): Generator<void, void> {
    const bytes = this.#uid.bytes.slice(0, cut.sizeBytes);
    const { layers } = this;
    const hidden = this.#hidden;
    let answer = UNKNOWN;
    for (const [i, layer] of layers.entries()) {
      answer = together(answer, layer, yield* layer.search(bytes, cut, hidden[i]!));
    }
    this.#searched = { uid, part: cut.part, answer };
  }

  #mustSearch(cut: Cut | null): boolean {
    return cut !== null && this.layers.some((layer) => layer.mustSearch(cut));
  }

  /** Reads hex into `this.#uid` and returns how many bytes, or 0 when it is no UID. */
  #readUid(text: string): number {
    this.#uid.sizeBytes = readHex(text, this.#uid.bytes);
    return this.#uid.sizeBytes;
  }
}

/** A token's way to its bytes is a tenth of its lookup: a table, and no branch for a digit. */
function readHex(text: string, bytes: Uint8Array): number {
  const sizeBytes = text.length >> 1;
  if (text.length % 2 !== 0 || sizeBytes > bytes.length) return 0;
  let codes = 0;
  let values = 0;
  for (let i = 0; i < sizeBytes; i++) {
    const first = text.charCodeAt(2 * i);
    const second = text.charCodeAt(2 * i + 1);
    const value = (HEX_DIGITS[first & 127]! << 4) | HEX_DIGITS[second & 127]!;
    codes |= first | second;
    values |= value;
    bytes[i] = value;
  }
  return codes > 127 || values < 0 ? 0 : sizeBytes;
}

/** Null for what no table is kept of. */
function cutOf(part: "whole" | "first" | "last", sizeBytes: number): Cut | null {
  return part !== "whole" && (sizeBytes === 3 || sizeBytes === 4) ? { part, sizeBytes } : null;
}

/** What newer layers answer and what this one does: two cards are several. */
function together(newer: CardAnswer, layer: Layer, position: number): CardAnswer {
  if (position === NOT_FOUND) return newer;
  if (position === AMBIGUOUS || newer !== UNKNOWN) return SEVERAL;
  return answerOf(unpackNumber(layer.numbers.at(position)), layer.standingAt(position));
}

function isIn(layers: readonly Layer[], packed: number): boolean {
  return layers.some((layer) => layer.find(packed) >= 0);
}

function answerOf(number: string, standing: number): CardAnswer {
  const status = STATUSES[statusCodeOf(standing)];
  if (status === undefined) return UNKNOWN;
  const day = dayOf(standing);
  return { kind: "card", card: { number, status, validUntilDay: day < 0 ? null : day } };
}
