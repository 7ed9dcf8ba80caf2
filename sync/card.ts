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

const LETTERS = 26;
const DIGITS = 10_000_000_000;

/** One more than the largest packed number. */
export const PACKED_NUMBERS = LETTERS * LETTERS * DIGITS;

/** Packs a canonical card number (`BB-1234-567890`) into an integer below `PACKED_NUMBERS` (43 bits), in the order of the text. */
export function packNumber(number: string): number {
  const issuer = (number.charCodeAt(0) - 65) * LETTERS + (number.charCodeAt(1) - 65);
  return issuer * DIGITS + Number(number.slice(3, 7)) * 1_000_000 + Number(number.slice(8, 14));
}

/** The canonical text of a packed number. */
export function unpackNumber(packed: number): string {
  const issuer = Math.floor(packed / DIGITS);
  const digits = String(packed % DIGITS).padStart(10, "0");
  const letters = String.fromCharCode(65 + Math.floor(issuer / LETTERS), 65 + (issuer % LETTERS));
  return `${letters}-${digits.slice(0, 4)}-${digits.slice(4)}`;
}

/** Whether `text` is a card number in canonical form. */
export function isCanonical(text: string): boolean {
  return /^[A-Z]{2}-\d{4}-\d{6}$/.test(text);
}

/** A card as the list has it. `validUntilDay`: days since 1970-01-01, inclusive; null: no end. */
export interface Card {
  number: string;
  status: Status;
  validUntilDay: number | null;
}

/** What the list answers. A cut token may fit several cards: `ambiguous`. */
export type CardAnswer = { kind: "card"; card: Card } | { kind: "ambiguous" } | { kind: "unknown" };

/** The list as a decision sees it: immutable, synchronous, fast. Implemented by `index.ts`. */
export interface CardIndex {
  readonly cards: number;
  byNumber(number: string): CardAnswer;
  /** `uid`: hex, upper case, chip order. `part`: `first` or `last` where the reader cut it to these bytes. */
  byToken(uid: string, part: "whole" | "first" | "last"): CardAnswer;
}

/** How old what we know is, as configured by `lateAfterMinutes` and `staleAfterHours`. */
export type Freshness = "fresh" | "late" | "stale";
