/**
 * Taps from the journal by what somebody at the gate remembers of them: the card's end, the time, why it was refused. Read from
 * the end, a segment at a time and so many lines for one answer, and on from where that answer ended.
 */
import type { Files } from "../../drivers/ports.ts";
import type { Reason } from "../gate/reasons.ts";
import { entriesIn, firstEntry } from "../journal/journal-reader.ts";
import { dayOf, listSegments, type Piece, type Segment } from "../journal/journal-segments.ts";
import { type CloudEvent, eventOfLine, type Line, type Sender } from "../journal/record.ts";
import type { TapPage } from "./recent-taps.ts";

/** Half a second of a small board's time, in pieces, and some days of a busy site. */
const SEARCH_LINES_MAX = 50_000;
const DAY_MS = 24 * 3_600_000;

/** Null: any. */
export interface TapQuery {
  /** The last digits of a card number. */
  cardEnd: string | null;
  /** Besides that card's, taps of which no card number was read. */
  orUnread?: boolean;
  reason: Reason | null;
  accessPoint: string | null;
  reader: string | null;
  /** Milliseconds since 1970, both inclusive. */
  fromMs: number | null;
  toMs: number | null;
}

export interface JournalPlace {
  files: Files;
  /** The journal's directory. */
  dir: string;
  sender: Sender;
}

/** Up to `limit` taps with sequences up to `endSeq`. `linesMax`: about as many lines are looked through. */
export async function searchTaps(
  { files, dir, sender }: JournalPlace,
  query: TapQuery,
  limit: number,
  endSeq: number,
  linesMax = SEARCH_LINES_MAX,
): Promise<TapPage> {
  const isCandidate = candidatesOf(query);
  const taps: CloudEvent[] = [];
  let lines = 0;
  const segments = (await listSegments(files, dir)).filter(({ firstSeq }) => firstSeq <= endSeq);
  for (const [left, segment] of [...segments.entries()].reverse()) {
    if (!(await mayHold(files, segment, query))) continue;
    const found: CloudEvent[] = [];
    const lookAt = (piece: Piece): boolean => {
      lines += 1;
      return isCandidate(piece);
    };
    for await (const { line, chain } of entriesIn(files, segment, segment.firstSeq, endSeq, lookAt)) {
      if (!fits(line, query)) continue;
      found.push(eventOfLine(line, chain, sender));
      // Only the newest of a segment can be among the answer.
      if (found.length > limit - taps.length) found.shift();
    }
    taps.push(...found.reverse());
    if (taps.length >= limit) return { taps, next: Number(taps.at(-1)?.data.seq) };
    if (lines >= linesMax && left > 0) return { taps, next: segment.firstSeq };
  }
  return { taps, next: null };
}

/** A segment's lines are of one day, which its first line tells. */
async function mayHold(files: Files, segment: Segment, { fromMs, toMs }: TapQuery): Promise<boolean> {
  if (fromMs === null && toMs === null) return true;
  const first = await firstEntry(files, segment);
  if (first === null) return true;
  const dayMs = Date.parse(dayOf(first.line));
  return dayMs <= (toMs ?? dayMs) && dayMs + DAY_MS > (fromMs ?? dayMs);
}

/** By the bytes of a line, before it is decoded, which takes far longer. */
function candidatesOf({ cardEnd, orUnread, reason }: TapQuery): (piece: Piece) => boolean {
  const wanted = [
    ['"type":"grindvakt.tap.v1"'],
    // A number's last hyphen stands before its last six digits.
    ...(cardEnd === null ? [] : [[`${cardEnd.slice(-6)}"`, ...(orUnread === true ? ['"card":null'] : [])]]),
    ...(reason === null ? [] : [[`"reason":"${reason}"`]]),
  ];
  return ({ bytes }) => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return wanted.every((parts) => parts.some((part) => text.includes(part)));
  };
}

function fits({ type, time, data }: Line, query: TapQuery): boolean {
  const { cardEnd, orUnread, reason, accessPoint, reader, fromMs, toMs } = query;
  const atMs = Date.parse(time);
  const { card } = data;
  return (
    type === "grindvakt.tap.v1" &&
    (cardEnd === null ||
      (typeof card === "string" ? card.replaceAll("-", "").endsWith(cardEnd) : orUnread === true)) &&
    (reason === null || data.reason === reason) &&
    (accessPoint === null || data.accessPoint === accessPoint) &&
    (reader === null || data.reader === reader) &&
    (fromMs === null || atMs >= fromMs) &&
    (toMs === null || atMs <= toMs)
  );
}
