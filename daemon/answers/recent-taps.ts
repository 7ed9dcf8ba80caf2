/**
 * The last taps, from the journal: what the console shows of the past.
 */
import type { Files } from "../../drivers/ports.ts";
import { readEntries } from "../journal/journal-reader.ts";
import { listSegments } from "../journal/journal-segments.ts";
import { type CloudEvent, eventOfLine, type Sender } from "../journal/record.ts";

/** Lines that are looked through first, from the end, for each tap: a busy gate has one in every second line. Then twice as many. */
const LINES_A_TAP = 3;
/** Held at once. */
const STEP_LINES_MAX = 2_000;

/** Looked through for one page: a journal without taps must not be read to its beginning for somebody who asks for some. */
const LINES_MAX = 20_000;

/** Newest first. `next`: what to ask for as `before` to get those before them; null at the beginning of the journal. */
export interface TapPage {
  taps: CloudEvent[];
  next: number | null;
}

/** Up to `limit` taps with sequences up to `endSeq`, newest first. `dir`: the journal's. */
export async function recentTaps(
  files: Files,
  dir: string,
  sender: Sender,
  limit: number,
  endSeq: number,
): Promise<TapPage> {
  const taps: CloudEvent[] = [];
  const firstSeq = (await listSegments(files, dir))[0]?.firstSeq ?? Number.POSITIVE_INFINITY;
  const lastSeq = Math.max(firstSeq, endSeq - LINES_MAX + 1);
  let end = endSeq;
  for (let lines = LINES_A_TAP * limit; taps.length < limit && end >= lastSeq; lines *= 2) {
    const fromSeq = Math.max(lastSeq, end - Math.min(lines, STEP_LINES_MAX) + 1);
    const step: CloudEvent[] = [];
    for await (const { line, chain } of readEntries(files, dir, fromSeq, end)) {
      if (line.type === "grindvakt.tap.v1") step.push(eventOfLine(line, chain, sender));
    }
    taps.push(...step.reverse());
    end = fromSeq - 1;
  }
  const page = taps.slice(0, limit);
  const last = page.at(-1)?.data.seq;
  const isFull = page.length === limit && typeof last === "number";
  return { taps: page, next: isFull ? last : end >= firstSeq ? end + 1 : null };
}
