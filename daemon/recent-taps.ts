/**
 * The last taps, from the journal: what the console shows of the past.
 */
import type { Files } from "../drivers/ports.ts";
import { readEntries } from "./journal-reader.ts";
import { listSegments } from "./journal-segments.ts";
import { type CloudEvent, eventOfLine, type Sender } from "./record.ts";

/** Lines are looked through in steps of this many, from the end: a busy gate has a tap in every second line. */
const TAP_SEARCH_LINES = 1_000;

/** Up to `limit` taps with sequences up to `endSeq`, newest first. `dir`: the journal's. */
export async function recentTaps(
  files: Files,
  dir: string,
  sender: Sender,
  limit: number,
  endSeq: number,
): Promise<CloudEvent[]> {
  const taps: CloudEvent[] = [];
  const firstSeq = (await listSegments(files, dir))[0]?.firstSeq ?? Number.POSITIVE_INFINITY;
  for (let end = endSeq; taps.length < limit && end >= firstSeq; end -= TAP_SEARCH_LINES) {
    const step: CloudEvent[] = [];
    for await (const { line, chain } of readEntries(files, dir, end - TAP_SEARCH_LINES + 1, end)) {
      if (line.type === "grindvakt.tap.v1") step.push(eventOfLine(line, chain, sender));
    }
    taps.push(...step.reverse());
  }
  return taps.slice(0, limit);
}
