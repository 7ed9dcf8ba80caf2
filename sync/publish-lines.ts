/** Rows as the text of a list, byte by byte: ten million lines are seconds, because nothing becomes a string. */
import { STATUSES, unpackNumber } from "./card.ts";
import { showDay } from "./publish-csv.ts";
import { HEADER, LINE_BYTES_MAX, type Row, UID_BYTES_MAX } from "./rows.ts";

/** A piece of a list's text, whole lines. `first`: the packed number of its first row. */
export interface Block {
  first: number;
  text: Uint8Array;
}

const encoder = new TextEncoder();
const headerLine = encoder.encode(`${HEADER}\n`);
const words = [...STATUSES, "removed"].map((word) => encoder.encode(word));
const tokenPrefix = encoder.encode("uid:");
const hexDigits = encoder.encode("0123456789ABCDEF");

const comma = 44;
const space = 32;
const lineFeed = 10;

/** The text of rows, the header before the first, in blocks of about `blockBytes`; at least one. */
export function* blocksOf(rows: Iterable<Row>, blockBytes: number): Generator<Block, void, void> {
  const days = new Map<number, Uint8Array>();
  let text = new Uint8Array(blockBytes + LINE_BYTES_MAX);
  text.set(headerLine);
  let at = headerLine.length;
  let first = 0;
  let rowCount = 0;
  for (const row of rows) {
    if (rowCount++ === 0) first = row.packed;
    at = writeLine(row, days, text, at);
    if (at < blockBytes) continue;
    yield { first, text: text.subarray(0, at) };
    // Not the same memory again: the one handed out is being packed.
    text = new Uint8Array(blockBytes + LINE_BYTES_MAX);
    at = 0;
    rowCount = 0;
  }
  if (at > 0) yield { first, text: text.subarray(0, at) };
}

function writeLine(row: Row, days: Map<number, Uint8Array>, text: Uint8Array, start: number): number {
  let at = start;
  const number = unpackNumber(row.packed);
  for (let i = 0; i < number.length; i++) text[at++] = number.charCodeAt(i);
  text[at++] = comma;
  const word = words[row.status]!;
  text.set(word, at);
  at += word.length;
  text[at++] = comma;
  const day = dayText(row.day, days);
  text.set(day, at);
  at += day.length;
  text[at++] = comma;
  for (let token = 0; token < row.tokenCount; token++) {
    if (token > 0) text[at++] = space;
    text.set(tokenPrefix, at);
    at += tokenPrefix.length;
    const from = token * UID_BYTES_MAX;
    for (let i = from; i < from + row.tokenSizes[token]!; i++) {
      const byte = row.tokenBytes[i]!;
      text[at++] = hexDigits[byte >> 4]!;
      text[at++] = hexDigits[byte & 15]!;
    }
  }
  text[at++] = lineFeed;
  return at;
}

function dayText(day: number, days: Map<number, Uint8Array>): Uint8Array {
  const known = days.get(day);
  if (known !== undefined) return known;
  const text = encoder.encode(day < 0 ? "" : showDay(day));
  days.set(day, text);
  return text;
}

/** A row of its own, as the parser uses one for all. */
export function copyRow(row: Row): Row {
  const { tokenCount } = row;
  return {
    ...row,
    tokenSizes: row.tokenSizes.slice(0, tokenCount),
    tokenBytes: row.tokenBytes.slice(0, tokenCount * UID_BYTES_MAX),
  };
}
