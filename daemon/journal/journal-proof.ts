/**
 * The proof of the journal's chain: every line follows the one before it by sequence and hash. It does not prove that nothing
 * was cut off at the end, that the very last line is unchanged, nor what came before the oldest line that is kept
 * (`journal-against.ts` does).
 */
import type { DiskFile, Files } from "../../drivers/ports.ts";
import { openUnlessDropped } from "./journal-reader.ts";
import {
  BEFORE_FIRST,
  beginsAfter,
  type Entry,
  entryOf,
  follows,
  type Head,
  listSegments,
  type Piece,
  type Segment,
  scanMany,
} from "./journal-segments.ts";
import { hashLine } from "./record.ts";

const PROGRESS_LINES = 10_000;
/** Faults listed; further ones would say no more. */
const FAULTS_MAX = 100;

export interface Fault {
  segment: string;
  /** The sequence that should stand there. */
  seq: number;
  what: string;
}

export interface Verdict {
  lines: number;
  firstSeq: number | null;
  head: Head | null;
  faults: Fault[];
  /** Bytes that are no part of the chain and no fault: abandoned tails, and an unfinished last line. */
  ignoredBytes: number;
}

/** `progress` is told lines as they go by, `seen` each of them; without it they need not be decoded, which takes longest. */
export async function verifyJournal(
  files: Files,
  dir: string,
  progress: (lines: number) => void,
  seen: ((entry: Entry) => void) | null = null,
): Promise<Verdict> {
  const proof = new Proof(progress, seen);
  for (const [index, segment] of (await listSegments(files, dir)).entries()) {
    const file = await openUnlessDropped(files, segment);
    if (file === null) continue;
    try {
      await proof.segment(file, segment, index === 0);
    } finally {
      await file.close();
    }
  }
  return proof.verdict;
}

class Proof {
  readonly verdict: Verdict = { lines: 0, firstSeq: null, head: null, faults: [], ignoredBytes: 0 };
  readonly #progress: (lines: number) => void;
  readonly #seen: ((entry: Entry) => void) | null;
  #path = "";
  /** Null: what was before is unknown, and not ours to judge. */
  #head: Head | null = null;
  /** The line of the head, while nothing but its beginning has been looked at. */
  #undecoded: Piece | null = null;

  constructor(progress: (lines: number) => void, seen: ((entry: Entry) => void) | null) {
    this.#progress = progress;
    this.#seen = seen;
  }

  async segment(file: DiskFile, segment: Segment, isFirst: boolean): Promise<void> {
    const { firstSeq, lastSeq, path } = segment;
    this.#path = path;
    if (isFirst && firstSeq === BEFORE_FIRST.seq + 1) this.#head = BEFORE_FIRST;
    const expectedSeq = this.#head === null ? firstSeq : this.#head.seq + 1;
    if (firstSeq > expectedSeq) {
      this.#fault(expectedSeq, `lines ${expectedSeq} to ${firstSeq - 1} are missing`);
      this.#head = null;
    }
    const linesBefore = this.verdict.lines;
    for await (const pieces of scanMany(file))
      for (const piece of pieces) this.#piece(piece, firstSeq, lastSeq);
    if (this.verdict.lines === linesBefore) this.#fault(firstSeq, "is gone: a segment is never empty");
    this.#decodeLast();
  }

  #piece(piece: Piece, firstSeq: number, lastSeq: number): void {
    const { verdict } = this;
    const expected = this.#head === null ? firstSeq : this.#head.seq + 1;
    if (expected > lastSeq || (piece.unfinished && lastSeq === Number.POSITIVE_INFINITY)) {
      verdict.ignoredBytes += piece.lengthBytes;
      return;
    }
    verdict.lines += 1;
    if (verdict.lines % PROGRESS_LINES === 0) this.#progress(verdict.lines);
    if (this.#seen === null && this.#head !== null && beginsAfter(piece, this.#head)) {
      this.#accept({ seq: expected, chain: hashLine(piece.bytes) });
      this.#undecoded = piece;
    } else this.#judge(piece, firstSeq);
  }

  #judge(piece: Piece, firstSeq: number): void {
    this.#decodeLast();
    const head = this.#head;
    const expected = head === null ? firstSeq : head.seq + 1;
    const entry = entryOf(piece);
    if (entry === null) return this.#fault(expected, "is not a journal line");
    if (entry.line.seq !== expected)
      this.#fault(expected, `line ${entry.line.seq} stands where ${expected} should`);
    else if (head !== null && !follows(entry.line, head))
      this.#fault(
        expected,
        "does not carry the hash of the line before: that line, or this one, was changed",
      );
    this.#seen?.(entry);
    this.#accept({ seq: entry.line.seq, chain: entry.chain });
  }

  #accept(head: Head): void {
    this.#head = head;
    this.verdict.head = head;
    this.verdict.firstSeq ??= head.seq;
  }

  /** Nothing that follows vouches for this line. */
  #decodeLast(): void {
    if (this.#undecoded !== null && entryOf(this.#undecoded) === null)
      this.#fault(this.#head?.seq ?? 0, "is not a journal line");
    this.#undecoded = null;
  }

  #fault(seq: number, what: string): void {
    if (this.verdict.faults.length < FAULTS_MAX) this.verdict.faults.push({ segment: this.#path, seq, what });
  }
}
