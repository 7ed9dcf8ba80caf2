/** Rows as the text of a list, byte by byte: ten million lines are seconds, because nothing becomes a string. */
import { unpackNumber } from "./card.ts";
import { showDay } from "./publish-csv.ts";
import { HEADER, LINE_BYTES_MAX, type Row, STATUS_WORDS, TOKEN_PREFIX, UID_BYTES_MAX } from "./rows.ts";

/** A piece of a list's text, whole lines. `first`: the packed number of its first row. */
export interface Block {
  first: number;
  text: Uint8Array;
}

const encoder = new TextEncoder();
const HEADER_LINE = encoder.encode(`${HEADER}\n`);
const HEX_DIGITS = encoder.encode("0123456789ABCDEF");

const COMMA = 44;
const SPACE = 32;
const LINE_FEED = 10;

/** The text of rows, the header before the first, in blocks of about `blockBytes`; at least one. */
export function* blocksOf(rows: Iterable<Row>, blockBytes: number): Generator<Block, void, void> {
  const days = new Map<number, Uint8Array>();
  let text = new Uint8Array(blockBytes + LINE_BYTES_MAX);
  text.set(HEADER_LINE);
  let at = HEADER_LINE.length;
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
  text[at++] = COMMA;
  const word = STATUS_WORDS[row.status]!;
  text.set(word, at);
  at += word.length;
  text[at++] = COMMA;
  const day = dayText(row.day, days);
  text.set(day, at);
  at += day.length;
  text[at++] = COMMA;
  for (let token = 0; token < row.tokenCount; token++) {
    if (token > 0) text[at++] = SPACE;
    text.set(TOKEN_PREFIX, at);
    at += TOKEN_PREFIX.length;
    const from = token * UID_BYTES_MAX;
    for (let i = from; i < from + row.tokenSizes[token]!; i++) {
      const byte = row.tokenBytes[i]!;
      text[at++] = HEX_DIGITS[byte >> 4]!;
      text[at++] = HEX_DIGITS[byte & 15]!;
    }
  }
  text[at++] = LINE_FEED;
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
