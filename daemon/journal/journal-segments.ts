/**
 * The journal on disk: segments of lines, and what they mean. Writing (`journal-writer.ts`), recovery and reading
 * agree on this page:
 *
 * - A segment is named by its first sequence, comes into being with its first lines already in it, and is never empty.
 *   Its lines are of one day (UTC, by their `time`), so a reader of one day need not open the others.
 * - It ends where the next one begins. Lines past that were being written when a disk failed, were never acknowledged
 *   under that number, and do not count: an *abandoned tail*.
 * - In the last segment, what follows the last whole line is a *torn tail* when nothing in it was ever synced: there is
 *   no whole line after the hole, or only lines of the group (`batch`) that the hole belongs to.
 * - Anything else that does not fit is *damage*: a group is written only after the one before it was synced, and sent
 *   only after it was synced itself, so a line of a later group, or of one that the broker has acknowledged in part,
 *   proves that the hole before it was whole once.
 */
import { join } from "node:path";
import type { DiskFile, Files } from "../../drivers/ports.ts";
import { decodeLine, GENESIS, hashLine, LINE_BYTES_MAX, type Line } from "./record.ts";

const READ_BYTES = 64 * 1024;
/** The rest of a line and two more, of the longest that are written. */
const LOOK_BYTES = 6 * 1024;
const NAME = /^(\d{16})\.ndjson$/;
const LINE_FEED = 10;
const SEQ_OFFSET = '{"seq":'.length;
const ZERO = 48;

export interface Segment {
  path: string;
  firstSeq: number;
  /** The last sequence that may stand in it: the one before the next segment's first; infinite in the last segment. */
  lastSeq: number;
}

/** The last line of a chain: its sequence and hash. */
export interface Head {
  seq: number;
  chain: string;
}

export const BEFORE_FIRST: Head = { seq: 0, chain: GENESIS };

/** A line and its own hash. */
export interface Entry {
  line: Line;
  chain: string;
}

export function segmentPath(dir: string, firstSeq: number): string {
  return join(dir, `${String(firstSeq).padStart(16, "0")}.ndjson`);
}

/** In order of sequence; none where there is no such directory. */
export async function listSegments(files: Files, dir: string): Promise<Segment[]> {
  const names = await files.names(dir);
  const firsts = names.flatMap((name) => {
    const match = NAME.exec(name);
    // A file that somebody put there under a number no sequence reaches is none of ours.
    return match !== null && Number.isSafeInteger(Number(match[1])) ? [Number(match[1])] : [];
  });
  return firsts
    .sort((a, b) => a - b)
    .map((firstSeq, index) => ({
      path: segmentPath(dir, firstSeq),
      firstSeq,
      lastSeq: (firsts[index + 1] ?? Number.POSITIVE_INFINITY) - 1,
    }));
}

/** The day a record belongs to, `YYYY-MM-DD`, UTC: all lines of a segment have the same. */
export function dayOf({ time }: { time: string }): string {
  return time.slice(0, "YYYY-MM-DD".length);
}

// ---------------------------------------------------------------- pieces of a file

/** What stands between two line feeds, or what is too long to be a line. */
export interface Piece {
  offset: number;
  /** Without the line feed. */
  bytes: Buffer;
  /** With it, where there is one. */
  lengthBytes: number;
  /** No line feed follows: it is the end of the file, and perhaps still being written. */
  unfinished: boolean;
}

/** Everything in an open segment from `offset` on, in order, in bounded memory; what is longer than a line may be comes in pieces. */
export async function* scan(file: DiskFile, offset = 0): AsyncGenerator<Piece> {
  for await (const pieces of scanMany(file, offset)) yield* pieces;
}

/** The same, as many pieces at once as one read of the disk gives: a line at a time costs more than its hash. */
export async function* scanMany(file: DiskFile, offset = 0): AsyncGenerator<Piece[]> {
  let carry: Buffer = Buffer.alloc(0);
  for (;;) {
    const read = await file.read(offset + carry.length, READ_BYTES);
    if (read.length === 0) break;
    const bytes = Buffer.concat([carry, read]);
    const pieces: Piece[] = [];
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED, carry.length); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      const line = bytes.subarray(start, end);
      pieces.push({ offset: offset + start, bytes: line, lengthBytes: line.length + 1, unfinished: false });
      start = end + 1;
    }
    carry = bytes.subarray(start);
    offset += start;
    if (carry.length > LINE_BYTES_MAX) {
      pieces.push({ offset, bytes: carry, lengthBytes: carry.length, unfinished: false });
      offset += carry.length;
      carry = Buffer.alloc(0);
    }
    yield pieces;
  }
  if (carry.length > 0) yield [{ offset, bytes: carry, lengthBytes: carry.length, unfinished: true }];
}

/**
 * Where a line begins in an open segment, up to one read before `fromSeq`: what is left is halved, as a busy day is many megabytes.
 * Where nothing can be read it goes back, so that damage hides no line.
 */
export async function offsetBefore(file: DiskFile, fromSeq: number): Promise<number> {
  let low = 0;
  let high = await file.sizeBytes();
  while (high - low > READ_BYTES) {
    const middle = Math.floor((low + high) / 2);
    const earlier = lineIn(Buffer.from(await file.read(middle, LOOK_BYTES)));
    if (earlier !== null && earlier.seq < fromSeq) low = middle + earlier.offset;
    else high = middle;
  }
  return low;
}

/** The first line in these bytes that the one after it vouches for: a number that is damaged would lead past lines that are whole. */
function lineIn(bytes: Buffer): { seq: number; offset: number } | null {
  let before: (Head & { offset: number }) | null = null;
  let offset = bytes.indexOf(LINE_FEED) + 1;
  if (offset === 0) return null;
  for (let end = bytes.indexOf(LINE_FEED, offset); end >= 0; end = bytes.indexOf(LINE_FEED, offset)) {
    const text = bytes.subarray(offset, end);
    const line = decodeLine(text.toString("utf8"));
    if (line !== null && before !== null && follows(line, before)) return before;
    before = line === null ? null : { seq: line.seq, chain: hashLine(text), offset };
    offset = end + 1;
  }
  return null;
}

/** The line that a piece holds and its hash, or null where it is none. */
export function entryOf({ bytes, unfinished }: Piece): Entry | null {
  if (unfinished || bytes.length > LINE_BYTES_MAX) return null;
  const line = decodeLine(bytes.toString("utf8"));
  return line === null ? null : { line, chain: hashLine(bytes) };
}

/** The sequence a line claims, without decoding it, which takes ten times as long; NaN where none can be seen. */
export function claimedSeq({ bytes }: Piece): number {
  let seq = 0;
  let at = SEQ_OFFSET;
  for (; at < bytes.length; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    seq = seq * 10 + digit;
  }
  return at === SEQ_OFFSET ? Number.NaN : seq;
}

/**
 * Whether a piece begins as the line after a head does, as `encodeLine` writes it. Decoding the rest takes ten times as long,
 * and tells nothing that the hash in the line after it does not.
 */
export function beginsAfter({ bytes, unfinished }: Piece, head: Head): boolean {
  const start = `{"seq":${head.seq + 1},"prev":"${head.chain}","batch":`;
  return !unfinished && bytes.length <= LINE_BYTES_MAX && bytes.toString("latin1", 0, start.length) === start;
}

/** Whether a line may come right after a head. */
export function follows(line: Line, head: Head): boolean {
  return line.seq === head.seq + 1 && line.prev === head.chain;
}
