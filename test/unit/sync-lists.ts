/** Lists for the tests of the index and of sync: made up, as text, and built. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { type CardAnswer, STATUSES, type Status } from "../../sync/card.ts";
import { Index } from "../../sync/index.ts";
import { ListBuilder, type ListOutcome } from "../../sync/index-builder.ts";
import type { Cut } from "../../sync/index-cuts.ts";
import type { IndexImage } from "../../sync/index-file.ts";
import { HEADER } from "../../sync/rows.ts";
import { TokenSeal } from "../../sync/token-seal.ts";

/** How the tests' own indexes are sealed. */
export const SEAL = new TokenSeal(new Uint8Array(32).fill(7));

export interface ListCard {
  number: string;
  status: Status;
  validUntilDay: number | null;
  uids: string[];
}

export function card(number: string, status: Status = "active", ...uids: string[]): ListCard {
  return { number, status, validUntilDay: null, uids };
}

/** A row of a delta: how a card is now, or that it is on the list no more. */
export type DeltaRow = Omit<ListCard, "status"> & { status: Status | "removed" };

/** What a delta from one list to another says. */
export function deltaOf(before: readonly ListCard[], after: readonly ListCard[]): DeltaRow[] {
  const texts = new Map(before.map((one) => [one.number, rowOf(one)]));
  const numbers = new Set(after.map(({ number }) => number));
  const changed = after.filter((one) => texts.get(one.number) !== rowOf(one));
  const gone = before.filter(({ number }) => !numbers.has(number)).map(({ number }) => removed(number));
  return [...changed, ...gone];
}

export function removed(number: string): DeltaRow {
  return { number, status: "removed", validUntilDay: null, uids: [] };
}

export function rowOf({ number, status, validUntilDay, uids }: DeltaRow): string {
  const day = validUntilDay === null ? "" : new Date(validUntilDay * 86_400_000).toISOString().slice(0, 10);
  return `${number},${status},${day},${uids.map((uid) => `uid:${uid}`).join(" ")}`;
}

export function textOf(cards: readonly DeltaRow[]): Uint8Array {
  return new TextEncoder().encode([HEADER, ...cards.map(rowOf), ""].join("\n"));
}

export function gzipOf(cards: readonly DeltaRow[]): Uint8Array {
  return gzipSync(textOf(cards));
}

/** An index's images, oldest first. */
export function imagesOf(index: Index | null): IndexImage[] {
  return (index?.layers ?? []).map(({ image }) => image).reverse();
}

/** What comes of a list after the one in `previous`. */
export function outcomeOf(
  cards: readonly ListCard[],
  previous: Index | null = null,
  revision = 1,
  cuts: readonly Cut[] = [],
  seal = SEAL,
): ListOutcome {
  const order = { revision, base: null, publishedAtMs: null, cards: cards.length };
  const builder = new ListBuilder(order, imagesOf(previous), cuts, [], seal);
  builder.push(textOf(cards));
  return builder.finish();
}

export function indexOf(
  cards: readonly ListCard[],
  previous: Index | null = null,
  revision = 1,
  cuts: readonly Cut[] = [],
  seal = SEAL,
): Index {
  const outcome = outcomeOf(cards, previous, revision, cuts, seal);
  if (outcome.kind === "refused") throw new Error(outcome.why);
  return new Index(outcome.image);
}

/** What an index must answer, by looking at every card. */
export function modelAnswer(cards: readonly ListCard[], has: (card: ListCard) => boolean): CardAnswer {
  const found = cards.filter(has);
  if (found.length > 1) return { kind: "ambiguous" };
  const [only] = found;
  if (only === undefined) return { kind: "unknown" };
  const { number, status, validUntilDay } = only;
  return { kind: "card", card: { number, status, validUntilDay } };
}

const digits = (count: number) => fc.stringMatching(new RegExp(`^[0-9]{${count}}$`));

/** Few issuers and few months, so that pages are shared; and others, so that they are not. */
export const anyNumber = fc
  .tuple(
    fc.oneof(fc.constantFrom("BB", "LL", "AA", "ZZ"), fc.stringMatching(/^[A-Z]{2}$/)),
    fc.oneof(fc.constantFrom("0000", "2401", "9999"), digits(4)),
    fc.oneof(
      fc.integer({ min: 0, max: 300 }).map((n) => String(n).padStart(6, "0")),
      digits(6),
    ),
  )
  .map(([issuer, month, serial]) => `${issuer}-${month}-${serial}`);

const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => Buffer.from(value).toString("hex").toUpperCase());
/** Few different bytes, so that cut tokens collide, and zeros, so that short tokens look like long ones. */
const poor = (bytes: number) =>
  fc
    .array(fc.constantFrom("00", "04", "A1"), { minLength: bytes, maxLength: bytes })
    .map((value) => value.join(""));

export const anyUid = fc
  .constantFrom(4, 7, 7, 7, 10)
  .chain((bytes) => fc.oneof(hex(bytes), poor(bytes)))
  .filter((uid) => !(uid.length === 8 && uid.startsWith("08")));

export const anyCards: fc.Arbitrary<ListCard[]> = fc.uniqueArray(
  fc.record({
    number: anyNumber,
    status: fc.constantFrom(...STATUSES),
    validUntilDay: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 80_000 })),
    uids: fc.array(anyUid, { maxLength: 3 }),
  }),
  { selector: (made) => made.number, maxLength: 60 },
);
