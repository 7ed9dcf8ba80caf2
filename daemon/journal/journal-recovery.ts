/**
 * The end of the journal, found again after a power cut, a kill or a clean stop. Only the last segment is read.
 */
import type { DiskFile, Files } from "../../drivers/ports.ts";
import {
  BEFORE_FIRST,
  dayOf,
  entryOf,
  follows,
  type Head,
  listSegments,
  type Segment,
  scan,
} from "./journal-segments.ts";
import { GENESIS, hashLine } from "./record.ts";

const COPY_BYTES = 64 * 1024;

/** What start found and mended. */
export interface Recovery {
  /** The last line, or the last number that may have been used where lines are damaged or gone. */
  head: Head;
  /** Bytes cut off: they were never synced, so nobody was told of them. */
  tornBytes: number;
  /** Synced lines are damaged; nothing is cut, and numbering goes on after them. */
  damaged: boolean;
  /** Sequences that were acknowledged but are not in the journal any more. */
  missing: { from: number; to: number } | null;
}

export interface JournalEnd {
  recovery: Recovery;
  segments: Segment[];
  /** Lines up to here are on the disk for certain, whoever wrote them: a later group follows them. */
  provenSeq: number;
  /** Where the good lines of the last segment end, and their day; null where that segment cannot be gone on with. */
  good: { endOffset: number; day: string } | null;
}

/** Only reads. `acknowledgedSeq`: the outbox's cursor; no sequence up to it is ever used again. */
export async function findEnd(files: Files, dir: string, acknowledgedSeq: number): Promise<JournalEnd> {
  const segments = await listSegments(files, dir);
  const last = segments.at(-1);
  const tail = last === undefined ? NOTHING : await reading(files, last, acknowledgedSeq);
  const { head, tornBytes, damaged, provenSeq, good } = tail;
  const isMissing = head.seq < acknowledgedSeq;
  return {
    recovery: {
      head: isMissing ? { seq: acknowledgedSeq, chain: head.chain } : head,
      tornBytes,
      damaged,
      missing: isMissing ? { from: head.seq + 1, to: acknowledgedSeq } : null,
    },
    segments,
    provenSeq,
    good: isMissing ? null : good,
  };
}

/**
 * Cuts a torn tail, by writing the good part of the last segment anew. That is done also where nothing is torn: what
 * is read after a kill may be in the kernel's memory only, and after a failed sync it will never leave it, so a line
 * counts as synced only when this process has synced it.
 */
export async function rewriteEnd(files: Files, { segments, good }: JournalEnd): Promise<void> {
  const last = segments.at(-1);
  if (last === undefined || good === null) return;
  const file = await files.open(last.path, "read");
  try {
    await files.replace(last.path, firstBytes(file, good.endOffset));
  } finally {
    await file.close();
  }
}

async function* firstBytes(file: DiskFile, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < sizeBytes; offset += COPY_BYTES)
    yield await file.read(offset, Math.min(COPY_BYTES, sizeBytes - offset));
}

// ---------------------------------------------------------------- the last segment

type Tail = Pick<Recovery, "head" | "tornBytes" | "damaged"> & Pick<JournalEnd, "provenSeq" | "good">;

const NOTHING: Tail = { head: BEFORE_FIRST, tornBytes: 0, damaged: false, provenSeq: 0, good: null };

async function reading(files: Files, segment: Segment, acknowledgedSeq: number): Promise<Tail> {
  const file = await files.open(segment.path, "read");
  try {
    return await readTail(file, segment.firstSeq, acknowledgedSeq);
  } finally {
    await file.close();
  }
}

async function readTail(file: DiskFile, firstSeq: number, acknowledgedSeq: number): Promise<Tail> {
  let head: Head | null = null;
  let good: Tail["good"] = null;
  let batch = firstSeq;
  let hole: { seq: number; highestSeq: number; chain: string; wasSynced: boolean } | null = null;
  let endOffset = 0;
  for await (const piece of scan(file)) {
    const entry = entryOf(piece);
    endOffset = piece.offset + piece.lengthBytes;
    if (hole === null && entry !== null && mayFollow(entry.line, head, firstSeq)) {
      head = { seq: entry.line.seq, chain: entry.chain };
      good = { endOffset, day: dayOf(entry.line) };
      batch = entry.line.batch;
      continue;
    }
    const holeSeq = (head?.seq ?? firstSeq - 1) + 1;
    hole ??= { seq: holeSeq, highestSeq: 0, chain: GENESIS, wasSynced: holeSeq <= acknowledgedSeq };
    hole.chain = hashLine(piece.bytes);
    if (entry === null) continue;
    const { seq, batch: group } = entry.line;
    hole.highestSeq = Math.max(hole.highestSeq, seq, group);
    hole.wasSynced ||= group > holeSeq || group <= acknowledgedSeq;
  }
  // A segment is never empty: where its first line cannot be read, it was there.
  if (head === null)
    return damagedTail({ seq: Math.max(firstSeq, hole?.highestSeq ?? 0), chain: hole?.chain ?? GENESIS });
  if (hole?.wasSynced) return damagedTail({ seq: Math.max(head.seq, hole.highestSeq), chain: hole.chain });
  const tornBytes = endOffset - (good?.endOffset ?? 0);
  return { head, tornBytes, damaged: false, provenSeq: Math.min(batch, head.seq) - 1, good };
}

/** What can be read around the damage is not told apart by who synced it: it is passed on as far as it can be read. */
function damagedTail(head: Head): Tail {
  return { head, tornBytes: 0, damaged: true, provenSeq: head.seq, good: null };
}

/** What was before the first line of the last segment is not read again here; `journal verify` does. */
function mayFollow(line: Parameters<typeof follows>[0], head: Head | null, firstSeq: number): boolean {
  return head === null ? line.seq === firstSeq : follows(line, head);
}
