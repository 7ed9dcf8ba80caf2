/**
 * The lines of some days, for whoever has to show them: in order, each held against the one before, so that what is
 * missing or was changed in these days is said and not passed over. The whole chain is proven by `verifyJournal`.
 */
import type { Files } from "../../drivers/ports.ts";
import { entriesIn, firstEntry } from "./journal-reader.ts";
import { dayOf, type Entry, type Head, listSegments, type Segment } from "./journal-segments.ts";

const DAY_MS = 24 * 3_600_000;

/** `what`: which lines, and what is wrong with them, fit to be shown. */
export type FoundFault = (what: string) => void;

/**
 * Lines of the days (UTC, by their own time) that `fromMs` to `toMs` touch, in the order they were written. `acknowledgedSeq`: up to
 * where the broker has them, and so the journal must.
 */
export async function* readPeriod(
  files: Files,
  dir: string,
  { fromMs, toMs, acknowledgedSeq }: { fromMs: number; toMs: number; acknowledgedSeq: number },
  fault: FoundFault,
): AsyncGenerator<Entry> {
  let head: Head | null = null;
  const segments = await listSegments(files, dir);
  for (const segment of segments) {
    const first = await firstEntry(files, segment);
    if (first === null) {
      fault(`no line of ${segment.path} can be read`);
      head = null;
      continue;
    }
    const dayMs = Date.parse(dayOf(first.line));
    const isOutside = dayMs > toMs || dayMs + DAY_MS <= fromMs;
    head = isOutside ? null : yield* readSegment(files, segment, head, fault);
  }
  const lastSeq = head?.seq ?? Number.POSITIVE_INFINITY;
  if (lastSeq < acknowledgedSeq)
    fault(`${linesOf(lastSeq + 1, acknowledgedSeq)}, which the broker has, cannot be read`);
}

/** Returns its last line; null where nothing can be held against that. */
async function* readSegment(
  files: Files,
  segment: Segment,
  before: Head | null,
  fault: FoundFault,
): AsyncGenerator<Entry, Head | null> {
  let head = before !== null && before.seq + 1 === segment.firstSeq ? before : null;
  let expectedSeq = segment.firstSeq;
  for await (const entry of entriesIn(files, segment)) {
    const { seq, prev } = entry.line;
    if (seq > expectedSeq) fault(`${linesOf(expectedSeq, seq - 1)} cannot be read`);
    else if (head !== null && prev !== head.chain)
      fault(`line ${seq} does not follow the one before: one of the two was changed`);
    yield entry;
    expectedSeq = seq + 1;
    head = { seq, chain: entry.chain };
  }
  if (Number.isFinite(segment.lastSeq) && expectedSeq <= segment.lastSeq)
    fault(`${linesOf(expectedSeq, segment.lastSeq)} cannot be read`);
  return head;
}

function linesOf(fromSeq: number, toSeq: number): string {
  return fromSeq === toSeq ? `line ${fromSeq}` : `lines ${fromSeq} to ${toSeq}`;
}
