/**
 * Card numbers, statuses and the one-way rule: the words the list is made of.
 */

/** What the centre may say of a card. `expired` is no status: it follows from `valid_until`. */
export const STATUSES = [
  "not-activated",
  "active",
  "blocked",
  "suspended",
  "terminated",
  "superseded",
] as const;
export type Status = (typeof STATUSES)[number];

/** Statuses that never go back to another one. */
export function isFinal(status: Status): boolean {
  return status === "terminated" || status === "superseded";
}

/** The one-way rule: whether a list may say `after` of a card it once called `before`. */
export function mayBecome(before: Status, after: Status): boolean {
  return before === after || !isFinal(before);
}

const LETTERS = 26;
const DIGITS = 10_000_000_000;
const HYPHEN = 45;

/** One more than the largest packed number. */
export const PACKED_NUMBERS = LETTERS * LETTERS * DIGITS;

/** Packs a canonical card number (`BB-1234-567890`) into an integer below `PACKED_NUMBERS` (43 bits), in the order of the text. */
export function packNumber(number: string): number {
  const issuer = (number.charCodeAt(0) - 65) * LETTERS + (number.charCodeAt(1) - 65);
  return issuer * DIGITS + Number(number.slice(3, 7)) * 1_000_000 + Number(number.slice(8, 14));
}

/** The same for any text: -1 when it is not canonical. In one pass, as it stands in the way of every tap. */
export function packCanonical(text: string): number {
  if (text.length !== 14 || text.charCodeAt(2) !== HYPHEN || text.charCodeAt(7) !== HYPHEN) return -1;
  const first = text.charCodeAt(0) - 65;
  const second = text.charCodeAt(1) - 65;
  if (first < 0 || first >= LETTERS || second < 0 || second >= LETTERS) return -1;
  const front = packDigits(text, 3, 7);
  const back = packDigits(text, 8, 14);
  if (front < 0 || back < 0) return -1;
  return (first * LETTERS + second) * DIGITS + front * 1_000_000 + back;
}

function packDigits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * The canonical text of a packed number. Character by character and in 32-bit integers: padding and slicing take several times as
 * long.
 */
export function unpackNumber(packed: number): string {
  const issuer = Math.floor(packed / DIGITS);
  const digits = packed - issuer * DIGITS;
  const front = (digits / 1_000_000) | 0;
  const back = (digits - front * 1_000_000) | 0;
  return String.fromCharCode(
    65 + Math.floor(issuer / LETTERS),
    65 + (issuer % LETTERS),
    HYPHEN,
    digitOf(front, 1000),
    digitOf(front, 100),
    digitOf(front, 10),
    digitOf(front, 1),
    HYPHEN,
    digitOf(back, 100_000),
    digitOf(back, 10_000),
    digitOf(back, 1000),
    digitOf(back, 100),
    digitOf(back, 10),
    digitOf(back, 1),
  );
}

function digitOf(value: number, power: number): number {
  return 48 + (((value / power) | 0) % 10);
}

/** Whether `text` is a card number in canonical form. */
export function isCanonical(text: string): boolean {
  return packCanonical(text) >= 0;
}

/** A card as the list has it. `validUntilDay`: days since 1970-01-01, inclusive; null: no end. */
export interface Card {
  number: string;
  status: Status;
  validUntilDay: number | null;
}

/**
 * What the list answers. A cut token may fit several cards: `ambiguous`. `unready`: the table that it would be found by is being
 * made.
 */
export type CardAnswer =
  | { kind: "card"; card: Card }
  | { kind: "ambiguous" }
  | { kind: "unknown" }
  | { kind: "unready" };

/** Some revision after `after` (null: any), and `by` at the latest. */
export interface RevisionSpan {
  after: number | null;
  by: number;
}

/** The list as a decision sees it: immutable, synchronous, fast. Implemented by `index.ts`. */
export interface CardIndex {
  readonly cards: number;
  byNumber(number: string): CardAnswer;
  /** Since which revision the card's row is as it is, as closely as the index knows; null: the card is not known. */
  sinceOf(number: string): RevisionSpan | null;
  /** `uid`: hex, upper case, chip order. `part`: `first` or `last` where the reader cut it to these bytes. */
  byToken(uid: string, part: "whole" | "first" | "last"): CardAnswer;
  /**
   * Where `byToken` is not ready for this token: looks at all of them, some thousands at each `next`, and at its end `byToken`
   * answers. Null where it does so now.
   */
  search(uid: string, part: "whole" | "first" | "last"): Iterator<void, void> | null;
}

/** How old what we know is, as configured by `lateAfterMinutes` and `staleAfterHours`. */
export type Freshness = "fresh" | "late" | "stale";
