/**
 * A made-up list as long as one likes: numbers spread over the months of fifteen years, one 7-byte token each, statuses as a
 * site meets them. The same count gives the same list.
 */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { STATUSES, type Status, unpackNumber } from "../sync/card.ts";
import type { CardRow } from "../sync/publish-csv.ts";
import { HEADER } from "../sync/rows.ts";
import { type Seals, TokenSeal } from "../sync/token-seal.ts";

const ISSUER_NUMBERS = 1e10;
const BB = 27;
const MONTHS = 180;
const MONTH_NUMBERS = 1e6;
const FIRST_YEAR = 10;
/** Of each eight cards, in turn. */
export const STATUS_TURN: readonly Status[] = [
  ...Array<Status>(4).fill("active"),
  "blocked",
  "suspended",
  "terminated",
  "superseded",
];
const FIRST_DAY = 20_000;
export const DAYS = 1_800;
const LINES_AT_ONCE = 10_000;

/** The same in every program of a run. */
export const SEALS: Seals = { own: new TokenSeal(new Uint8Array(32).fill(9)), others: [] };

export class MadeUpCards {
  /** Packed, ascending. */
  readonly numbers: Float64Array;

  constructor(count: number) {
    // Some come out twice.
    const drawn = Float64Array.from({ length: Math.ceil(count * 1.1) }, (_, i) => numberAt(i, count)).sort();
    this.numbers = drawn.filter((number, i) => number !== drawn[i - 1]).slice(0, count);
  }

  get count(): number {
    return this.numbers.length;
  }

  number(i: number): string {
    return unpackNumber(this.numbers[i]!);
  }

  /** Hex, and another one for each number: from `count` on, those of strangers. */
  uid(i: number): string {
    const low = (Math.imul(i, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
    const middle = Math.imul(i ^ (i >>> 9), 0x85ebca6b) >>> 16;
    return `04${middle.toString(16).padStart(4, "0")}${low.toString(16).padStart(8, "0")}`.toUpperCase();
  }

  day(i: number): number {
    return FIRST_DAY + (i % DAYS);
  }

  status(i: number): Status {
    return STATUS_TURN[i % STATUS_TURN.length]!;
  }

  /** A number that is not on the list, right beside that of card `i`. */
  missing(i: number): string {
    let other = this.numbers[i]! + 1;
    for (let next = i + 1; this.numbers[next] === other; next++) other += 1;
    return unpackNumber(other);
  }

  *rows(): Generator<CardRow> {
    for (let i = 0; i < this.count; i++) {
      yield {
        number: this.number(i),
        status: this.status(i),
        validUntilDay: this.day(i),
        tokens: [this.uid(i)],
      };
    }
  }

  /** The whole list as a target's text. */
  *text(): Generator<string> {
    let lines = `${HEADER}\n`;
    for (let i = 0; i < this.count; i++) {
      lines += this.line(i, this.status(i));
      if (i % LINES_AT_ONCE !== LINES_AT_ONCE - 1) continue;
      yield lines;
      lines = "";
    }
    yield lines;
  }

  /** A delta that says of `rows` cards, from card `first` on and spread over the list, that they are `status`. */
  *delta(rows: number, first: number, status: Status): Generator<string> {
    yield `${HEADER}\n`;
    const step = Math.floor(this.count / rows);
    for (let row = 0; row < rows; row++) yield this.line(first + row * step, status);
  }

  private line(i: number, status: Status): string {
    const day = new Date(this.day(i) * 86_400_000).toISOString().slice(0, 10);
    return `${this.number(i)},${status},${day},uid:${this.uid(i)}\n`;
  }
}

/** A card's place in `STATUSES`, for what one would otherwise take. */
export function statusCode(status: Status): number {
  return STATUSES.indexOf(status);
}

/** Writes a target's file. */
export async function writeTarget(path: string, text: Iterable<string>): Promise<void> {
  await pipeline(Readable.from(text), createGzip({ level: 1 }), createWriteStream(path));
}

function numberAt(i: number, count: number): number {
  const month = Math.floor((i / count) * MONTHS);
  const year = FIRST_YEAR + Math.floor(month / 12);
  const serial = (Math.imul(i, 2654435761) >>> 0) % MONTH_NUMBERS;
  return BB * ISSUER_NUMBERS + year * 1e8 + ((month % 12) + 1) * MONTH_NUMBERS + serial;
}
