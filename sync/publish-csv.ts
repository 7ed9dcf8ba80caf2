/**
 * The centre's CSV, as people and their programs write it: a byte order mark, CRLF, quotes, a semicolon for a comma,
 * numbers typed by hand. Every fault is named with its row; memory is one line.
 */
import { isCanonical, STATUSES, type Status } from "./card.ts";
import { HEADER, TOKENS_PER_CARD_MAX } from "./rows.ts";

/** A card as the centre says it. Tokens: hex, upper case, chip order, sorted. */
export interface CardRow {
  number: string;
  status: Status;
  /** Days since 1970-01-01, inclusive; null: no end. */
  validUntilDay: number | null;
  tokens: readonly string[];
}

/** What is wrong with a row; the header is row 1, as in every spreadsheet. */
export interface CsvFault {
  row: number;
  why: string;
}

export type CsvRow = { kind: "card"; row: number; card: CardRow } | ({ kind: "fault" } & CsvFault);

/** Twice what the longest rightful row needs; whoever writes longer lines has another file in hand. */
const LINE_CHARS_MAX = 1_024;

/** The different days of a list: thirty years of them. */
const DAYS_KNOWN_MAX = 10_000;

const DAY_MS = 86_400_000;

/** The rows of a CSV, as many at a time as a piece of it holds. A wrong header is one fault, and the end. */
export async function* readCsv(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<CsvRow[], void, void> {
  const decoder = new TextDecoder();
  const reader = new CsvReader();
  for await (const piece of pieces) {
    yield reader.push(decoder.decode(piece, { stream: true }));
    if (reader.ended) return;
  }
  yield reader.finish(decoder.decode());
}

class CsvReader {
  ended = false;
  #rest = "";
  #row = 0;
  #separator = ",";
  /** The first of the empty rows seen; only at the end of the file may there be any. */
  #emptyRow: number | null = null;
  /** Days seen: a list of ten million has some thousand, and reading a date takes longer than the rest of its row. */
  readonly #days = new Map<string, number | null | undefined>();

  push(text: string): CsvRow[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    const rows = this.#read(lines);
    // Of a line without end, enough is kept to be refused when its end comes.
    if (this.#rest.length > LINE_CHARS_MAX) this.#rest = this.#rest.slice(0, LINE_CHARS_MAX + 1);
    return rows;
  }

  finish(text: string): CsvRow[] {
    const rows = this.push(`${text}\n`);
    if (this.ended || this.#row > 0) return rows;
    return [...rows, { kind: "fault", row: 1, why: `empty; the first row must be ${HEADER}` }];
  }

  #read(lines: string[]): CsvRow[] {
    const rows: CsvRow[] = [];
    for (const line of lines) {
      if (this.ended) break;
      const text = line.endsWith("\r") ? line.slice(0, -1) : line;
      this.#row += 1;
      if (this.#row === 1) this.#header(text, rows);
      else if (text === "") this.#emptyRow ??= this.#row;
      else this.#card(text, rows);
    }
    return rows;
  }

  #header(text: string, rows: CsvRow[]): void {
    if (text.includes(";")) this.#separator = ";";
    const fields = splitFields(text.replace(/^\uFEFF/, ""), this.#separator);
    if (fields?.map((field) => field.trim().toLowerCase()).join(",") === HEADER) return;
    this.ended = true;
    // An empty file has no row 1 to be wrong; `finish` says so.
    if (text === "") this.#row = 0;
    rows.push({ kind: "fault", row: 1, why: `the first row must be ${HEADER}; ${whatItIs(text)}` });
  }

  #card(text: string, rows: CsvRow[]): void {
    if (this.#emptyRow !== null) rows.push({ kind: "fault", row: this.#emptyRow, why: "the row is empty" });
    this.#emptyRow = null;
    const card =
      text.length > LINE_CHARS_MAX
        ? `longer than ${LINE_CHARS_MAX} characters`
        : readCard(text, this.#separator, this.#dayOf);
    rows.push(
      typeof card === "string"
        ? { kind: "fault", row: this.#row, why: card }
        : { kind: "card", row: this.#row, card },
    );
  }

  readonly #dayOf = (text: string): number | null | undefined => {
    if (this.#days.has(text)) return this.#days.get(text);
    const day = readDay(text);
    if (this.#days.size < DAYS_KNOWN_MAX) this.#days.set(text, day);
    return day;
  };
}

/** A card, or what is wrong, all of it. */
function readCard(text: string, separator: string, dayOf: typeof readDay): CardRow | string {
  const fields = splitFields(text, separator);
  if (fields === null) return "a quote that does not end";
  if (fields.length !== 4) return `${fields.length} fields; there must be 4: ${HEADER}`;
  const [numberText, statusText, dayText, tokensText] = fields as [string, string, string, string];
  const faults: string[] = [];
  const number = readNumber(numberText);
  if (number === null) faults.push(`${shown(numberText)} is no card number like BB-1234-567890`);
  const status = readStatus(statusText);
  if (status === null) faults.push(statusFault(statusText));
  const validUntilDay = dayOf(dayText.trim());
  if (validUntilDay === undefined)
    faults.push(`${shown(dayText)} is no day like 2027-12-31, nor empty for no end`);
  const tokens = readTokens(tokensText);
  if (typeof tokens === "string") faults.push(tokens);
  if (number === null || status === null || validUntilDay === undefined || typeof tokens === "string") {
    return faults.join("; ");
  }
  return { number, status, validUntilDay, tokens };
}

/** RFC 4180's fields of one line, or null for a quote without end. */
function splitFields(text: string, separator: string): string[] | null {
  if (!text.includes('"')) return text.split(separator);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let field = "";
      for (;;) {
        const end = text.indexOf('"', at + 1);
        if (end < 0) return null;
        field += text.slice(at + 1, end);
        at = end + 1;
        if (text[at] !== '"') break;
        field += '"';
      }
      const next = text.indexOf(separator, at);
      fields.push(field + text.slice(at, next < 0 ? undefined : next));
      at = next;
    } else {
      const next = text.indexOf(separator, at);
      fields.push(text.slice(at, next < 0 ? undefined : next));
      at = next;
    }
    if (at < 0) return fields;
    at += 1;
  }
}

/** The canonical form of a card number as people write it: lower case, spaces, no or other hyphens; null if it is none. */
export function readNumber(text: string): string | null {
  if (isCanonical(text)) return text;
  const bare = text.toUpperCase().replace(/[\s\u00AD\u2010-\u2015\u2212-]/g, "");
  return /^[A-Z]{2}\d{10}$/.test(bare) ? `${bare.slice(0, 2)}-${bare.slice(2, 6)}-${bare.slice(6)}` : null;
}

const STATUS_OF = new Map<string, Status>(STATUSES.map((status) => [status, status]));

export function readStatus(text: string): Status | null {
  return STATUS_OF.get(text) ?? STATUS_OF.get(text.trim().toLowerCase()) ?? null;
}

export function statusFault(text: string): string {
  return text.trim().toLowerCase() === "expired"
    ? "expired is no status: set valid_until to the card's last day instead"
    : `${shown(text)} is no status: ${STATUSES.join(", ")}`;
}

/** Days since 1970-01-01 of `YYYY-MM-DD`; null for the empty text; undefined for anything else. */
export function readDay(text: string): number | null | undefined {
  if (text === "") return null;
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  const isReal = ms >= 0 && new Date(ms).toISOString().startsWith(text);
  return isReal ? ms / DAY_MS : undefined;
}

export function showDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** The tokens of a card, or what is wrong with them. */
function readTokens(text: string): string[] | string {
  const words = text.split(" ").filter((word) => word !== "");
  if (words.length > TOKENS_PER_CARD_MAX)
    return `${words.length} tokens; a card has at most ${TOKENS_PER_CARD_MAX}`;
  const tokens: string[] = [];
  for (const word of words) {
    const token = /^uid:([0-9a-f]{8}|[0-9a-f]{14}|[0-9a-f]{20})$/i.exec(word)?.[1]?.toUpperCase();
    if (token === undefined) return "a token is not uid: and 8, 14 or 20 hex digits, like uid:04A1B2C3D4E5F6";
    if (token.length === 8 && token.startsWith("08")) {
      return "a token of 4 bytes that begins with 08 is random and changes at every reading; leave it out";
    }
    if (tokens.includes(token)) return "the same token twice";
    tokens.push(token);
  }
  return tokens.sort();
}

/** A wrong field as it may be shown: short, and without what moves a cursor. */
function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** Of a first row that is no header. */
function whatItIs(text: string): string {
  if (text.startsWith("PK")) return "this looks like a workbook: save it as CSV UTF-8";
  if (text.includes("\0") || text.includes("\uFFFD")) return "this is not UTF-8 text: save it as CSV UTF-8";
  if (text === "") return "it is empty";
  return `it is ${JSON.stringify(text.slice(0, 60))}`;
}
