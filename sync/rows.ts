/**
 * The text of a list target, byte by byte: `number,status,valid_until,tokens`, one card a line. The bytes come
 * in pieces of any size; memory is one line. Ten million lines are seconds, because nothing becomes a string.
 */
import { STATUSES } from "./card.ts";

export const HEADER = "number,status,valid_until,tokens";

/** A card has one chip, or two while it is being replaced; more is a mistake in the list. */
export const TOKENS_PER_CARD_MAX = 16;
/** The longest UID there is (ISO/IEC 14443-3, triple size). */
export const UID_BYTES_MAX = 10;
/** Number, longest status, day, `TOKENS_PER_CARD_MAX` of the longest tokens, and a carriage return fit. */
export const LINE_BYTES_MAX = 512;

/** The code of `removed`, which only a delta may say; the others are places in `STATUSES`. */
export const REMOVED = 6;

/** One line, read. The same object is used for every line: take what is needed before returning. */
export interface Row {
  /** Line of the file, the header being 1, as every editor and spreadsheet counts. */
  row: number;
  /** `packNumber` of the card. */
  packed: number;
  /** A place in `STATUSES`, or `REMOVED`. */
  status: number;
  /** Days since 1970-01-01, inclusive; -1: no end. */
  day: number;
  tokenCount: number;
  /** Of each token 4, 7 or 10. */
  tokenSizes: Uint8Array;
  /** The tokens' bytes, token `i` from `i * UID_BYTES_MAX`. */
  tokenBytes: Uint8Array;
}

/** To be filled in, again and again. */
export function emptyRow(): Row {
  return {
    row: 0,
    packed: 0,
    status: 0,
    day: -1,
    tokenCount: 0,
    tokenSizes: new Uint8Array(TOKENS_PER_CARD_MAX),
    tokenBytes: new Uint8Array(TOKENS_PER_CARD_MAX * UID_BYTES_MAX),
  };
}

/** Why a target is refused. Says no card number: it is logged and reported. */
export interface RowFault {
  row: number;
  why: string;
}

/** Takes a row, or says why it cannot be. */
export type TakeRow = (row: Row) => string | null;

const LF = 10;
const CR = 13;
const SPACE = 32;
const COMMA = 44;
const HYPHEN = 45;

const NUMBER_BYTES = 14;
const DATE_BYTES = 10;

/** Of each code. */
export const STATUS_WORDS = [...STATUSES, "removed"].map((word) => new TextEncoder().encode(word));
export const TOKEN_PREFIX = new TextEncoder().encode("uid:");
const HEADER_LINE = new TextEncoder().encode(HEADER);

const TOO_LONG = `longer than the ${LINE_BYTES_MAX} bytes a row may have`;
const NUMBER_FAULT = "the number is not two letters and ten digits, like BB-1234-567890";
const STATUS_FAULT = `the status is not one of ${STATUSES.join(", ")}`;
const DATE_FAULT = "valid_until is not a day from 1970 on, like 2027-12-31, nor empty";
const TOKENS_FAULT =
  "the tokens are not uid: and 8, 14 or 20 hex digits each, separated by one space, nor empty";
const RANDOM_UID_FAULT =
  "a token of 4 bytes that begins 08 is random and changes at every reading: take it off the list";

/** Reads a target: `push` its pieces, then `finish`. Each says the first fault; after it the rest is ignored. */
export class RowParser {
  readonly #take: TakeRow;
  readonly #statusCount: number;
  readonly #row = emptyRow();
  /** The beginning of a line whose end has not come yet. */
  readonly #held = new Uint8Array(LINE_BYTES_MAX);
  #heldBytes = 0;
  #fault: RowFault | null = null;

  constructor(options: { delta: boolean }, take: TakeRow) {
    this.#take = take;
    this.#statusCount = options.delta ? STATUS_WORDS.length : STATUSES.length;
  }

  push(bytes: Uint8Array): RowFault | null {
    let start = 0;
    while (this.#fault === null) {
      const end = bytes.indexOf(LF, start);
      if (end < 0) {
        this.#hold(bytes, start, bytes.length);
        break;
      }
      if (this.#heldBytes === 0) this.#line(bytes, start, end);
      else if (this.#hold(bytes, start, end)) this.#line(this.#held, 0, this.#heldBytes);
      this.#heldBytes = 0;
      start = end + 1;
    }
    return this.#fault;
  }

  finish(): RowFault | null {
    if (this.#fault === null && (this.#heldBytes > 0 || this.#row.row === 0)) {
      this.#line(this.#held, 0, this.#heldBytes);
    }
    return this.#fault;
  }

  #hold(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#heldBytes + end - start > LINE_BYTES_MAX) {
      this.#row.row += 1;
      this.#refuse(TOO_LONG);
      return false;
    }
    this.#held.set(bytes.subarray(start, end), this.#heldBytes);
    this.#heldBytes += end - start;
    return true;
  }

  #refuse(why: string): void {
    this.#fault = { row: this.#row.row, why };
  }

  /** One line without its line feed, at `bytes[start, end)`. */
  #line(bytes: Uint8Array, start: number, end: number): void {
    const row = this.#row;
    row.row += 1;
    if (end - start > LINE_BYTES_MAX) {
      this.#refuse(TOO_LONG);
      return;
    }
    const last = end > start && bytes[end - 1] === CR ? end - 1 : end;
    if (row.row === 1) {
      if (!matches(bytes, start, last, HEADER_LINE)) this.#refuse(`the first row is not ${HEADER}`);
      return;
    }
    const why = this.#fields(bytes, start, last) ?? this.#take(row);
    if (why !== null) this.#refuse(why);
  }

  #fields(bytes: Uint8Array, start: number, end: number): string | null {
    const row = this.#row;
    const status = fieldEnd(bytes, start, end) + 1;
    const day = fieldEnd(bytes, status, end) + 1;
    const tokens = fieldEnd(bytes, day, end) + 1;
    if (tokens > end || fieldEnd(bytes, tokens, end) !== end) return "not four fields with commas between";
    row.packed = parseNumber(bytes, start, status - 1);
    if (row.packed < 0) return NUMBER_FAULT;
    row.status = this.#parseStatus(bytes, status, day - 1);
    if (row.status < 0) return STATUS_FAULT;
    row.day = day === tokens - 1 ? -1 : parseDay(bytes, day, tokens - 1);
    if (row.day < -1) return DATE_FAULT;
    return this.#parseTokens(bytes, tokens, end);
  }

  #parseStatus(bytes: Uint8Array, start: number, end: number): number {
    for (let code = 0; code < this.#statusCount; code++) {
      if (matches(bytes, start, end, STATUS_WORDS[code]!)) return code;
    }
    return -1;
  }

  #parseTokens(bytes: Uint8Array, start: number, end: number): string | null {
    const row = this.#row;
    row.tokenCount = 0;
    let at = start;
    while (at < end) {
      if (row.tokenCount === TOKENS_PER_CARD_MAX) return `more than ${TOKENS_PER_CARD_MAX} tokens`;
      let tokenEnd = at;
      while (tokenEnd < end && bytes[tokenEnd] !== SPACE) tokenEnd++;
      const uid = at + TOKEN_PREFIX.length;
      const sizeBytes = (tokenEnd - uid) / 2;
      const known = sizeBytes === 7 || sizeBytes === 4 || sizeBytes === 10;
      if (!known || !matches(bytes, at, uid, TOKEN_PREFIX)) return TOKENS_FAULT;
      const target = row.tokenCount * UID_BYTES_MAX;
      for (let i = 0; i < sizeBytes; i++) {
        const byte = (hexValue(bytes[uid + 2 * i]!) << 4) | hexValue(bytes[uid + 2 * i + 1]!);
        if (byte < 0) return TOKENS_FAULT;
        row.tokenBytes[target + i] = byte;
      }
      if (sizeBytes === 4 && row.tokenBytes[target] === 0x08) return RANDOM_UID_FAULT;
      row.tokenSizes[row.tokenCount++] = sizeBytes;
      if (tokenEnd === end - 1) return TOKENS_FAULT;
      at = tokenEnd + 1;
    }
    return null;
  }
}

function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== COMMA) at++;
  return at;
}

function matches(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return false;
  return true;
}

/** `packNumber` of the bytes, or -1. */
function parseNumber(bytes: Uint8Array, at: number, end: number): number {
  if (end - at !== NUMBER_BYTES) return -1;
  const first = bytes[at]! - 65;
  const second = bytes[at + 1]! - 65;
  if (!(first >= 0 && first < 26 && second >= 0 && second < 26)) return -1;
  if (bytes[at + 2] !== HYPHEN || bytes[at + 7] !== HYPHEN) return -1;
  const front = parseDigits(bytes, at + 3, 4);
  const back = parseDigits(bytes, at + 8, 6);
  if (front < 0 || back < 0) return -1;
  return (first * 26 + second) * 1e10 + front * 1e6 + back;
}

function parseDigits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = bytes[i]! - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/** Days since 1970-01-01 of `YYYY-MM-DD` (Gregorian), or -2. */
function parseDay(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== DATE_BYTES || bytes[start + 4] !== HYPHEN || bytes[start + 7] !== HYPHEN) return -2;
  const year = parseDigits(bytes, start, 4);
  const month = parseDigits(bytes, start + 5, 2);
  const day = parseDigits(bytes, start + 8, 2);
  if (year < 1970 || month < 1 || month > 12 || day < 1) return -2;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const before = DAYS_BEFORE_MONTH[month - 1]!;
  const length = DAYS_BEFORE_MONTH[month]! - before + (leap && month === 2 ? 1 : 0);
  if (day > length) return -2;
  const years = year - 1;
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400) - 477;
  return (year - 1970) * 365 + leapDays + before + (leap && month > 2 ? 1 : 0) + day - 1;
}

/** The value of a hex digit of either case, or -1. */
function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
