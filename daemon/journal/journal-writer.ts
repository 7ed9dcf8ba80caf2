/**
 * The pen: puts groups of lines at the end of the journal, begins segments and drops old ones. One call at a time.
 * `journal.ts` decides what is written when, and what a failure means.
 */
import type { Clock, DiskFile, Files, Log } from "../../drivers/ports.ts";
import { wordsOf } from "../words.ts";
import { firstEntry } from "./journal-reader.ts";
import { findEnd, type JournalEnd, type Recovery, rewriteEnd } from "./journal-recovery.ts";
import {
  BEFORE_FIRST,
  dayOf,
  type Entry,
  type Head,
  listSegments,
  type Segment,
  segmentPath,
} from "./journal-segments.ts";
import { type Draft, encodeLine, hashLine, isTimeTrusted } from "./record.ts";

/**
 * By age, one day of the journal goes in this time at most. A clock that is wrong into the future, and believed, would else take all
 * of it within a minute; so it takes the oldest day an hour, until somebody sets it right.
 */
const AGED_DAY_MS = 3_600_000;
/** How often it is looked whether the segments are still there. What is written to one that was taken away is lost without a word. */
const LOOK_MS = 10_000;
/** Segments dropped after one group: each costs a sync, and taps wait behind. More go after the following groups. */
const DROPPED_SEGMENTS_MAX = 4;

export interface WriterSettings {
  dir: string;
  keepMs: number;
  maxBytes: number;
  /** A segment is closed past this size: small enough to be read and written anew at start. */
  segmentBytesMax: number;
}

export interface Unwritten {
  draft: Draft;
  /** The id it was sent with already, or null. */
  id: string | null;
}

type SizedSegment = Segment & { sizeBytes: number };

export class JournalWriter {
  readonly #settings: WriterSettings;
  readonly #world: { clock: Clock; files: Files; log: Log };
  #acknowledgedSeq = 0;
  #segments: SizedSegment[] = [];
  #head: Head = BEFORE_FIRST;
  /** What was found on the disk, until it is mended and may be written to. */
  #end: JournalEnd | null = null;
  #isMended = false;
  /** The last segment, while it may be gone on with. */
  #open: { segment: SizedSegment; day: string; file: DiskFile | null } | null = null;
  #lookDueMs = 0;
  /** When it is looked again whether something may be dropped, by the steady clock. */
  #dropDueMs = 0;
  /** The day that was dropped last for its age, and when. */
  #agedDay: { day: string; atMs: number } | null = null;

  constructor(settings: WriterSettings, world: { clock: Clock; files: Files; log: Log }) {
    this.#settings = settings;
    this.#world = world;
  }

  /** The last sequence that is certainly on disk. */
  get headSeq(): number {
    return this.#end?.provenSeq ?? this.#head.seq;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  /** Everything up to `seq` has been acknowledged by the broker and may one day be dropped. */
  acknowledge(seq: number): void {
    this.#acknowledgedSeq = seq;
  }

  /** Finds the end of the journal; changes nothing. Rejects when the disk cannot be read. */
  async find(): Promise<Recovery> {
    const { files } = this.#world;
    const end = await findEnd(files, this.#settings.dir, this.#acknowledgedSeq);
    const segments: SizedSegment[] = [];
    for (const segment of end.segments)
      segments.push({ ...segment, sizeBytes: await sizeOf(files, segment.path) });
    this.#segments = segments;
    this.#end = end;
    return end.recovery;
  }

  /** Makes the end that was found one that lines can follow. Rejects when the disk does not let it. */
  async mend(): Promise<void> {
    if (this.#isMended) return;
    const end = this.#end ?? (await this.#findLate());
    await rewriteEnd(this.#world.files, end);
    const segment = this.#segments.at(-1);
    if (segment !== undefined && end.good !== null) {
      segment.sizeBytes = end.good.endOffset;
      this.#open = { segment, day: end.good.day, file: null };
    }
    this.#head = end.recovery.head;
    this.#end = null;
    this.#isMended = true;
  }

  /**
   * Writes one group, of one day, and syncs it. Rejects when that fails, or when `isWanted` no longer holds once it is
   * done: what stands on the disk of it does not count then, and the next group begins a segment of its own.
   */
  async append(group: readonly Unwritten[], isWanted: () => boolean): Promise<readonly Entry[]> {
    try {
      await this.mend();
      const { entries, head, bytes } = chained(group, this.#head);
      const accept = await this.#put(bytes, group[0]);
      if (!isWanted()) throw new Error("the disk answered too late");
      accept();
      this.#head = head;
      return entries;
    } catch (error) {
      await this.#leaveSegment();
      throw error;
    }
  }

  /** Drops the oldest segments that may go, a few at a time. That it fails is no failure of what was written. */
  async drop(): Promise<void> {
    if (this.#world.clock.monotonicMs() < this.#dropDueMs) return;
    this.#dropDueMs = Number.POSITIVE_INFINITY;
    try {
      for (let dropped = 0; await this.#mayDropOldest(); dropped++) {
        const oldest = this.#segments[0];
        if (dropped === DROPPED_SEGMENTS_MAX) this.#dropDueMs = 0;
        if (oldest === undefined || dropped === DROPPED_SEGMENTS_MAX) return;
        await this.#world.files.remove(oldest.path);
        this.#segments.shift();
        this.#world.log.info("dropped the oldest journal segment", { path: oldest.path });
      }
    } catch (error) {
      this.#world.log.warn("an old journal segment could not be dropped", { why: wordsOf(error) });
    }
  }

  /**
   * Notices segments that somebody took away, and begins a new one where it was the last. Returns the sequences that are gone with
   * them, now and then, or null. That it cannot look is no failure of what was written.
   */
  async look(): Promise<{ from: number; to: number } | null> {
    const { clock, files, log } = this.#world;
    if (clock.monotonicMs() < this.#lookDueMs) return null;
    this.#lookDueMs = clock.monotonicMs() + LOOK_MS;
    try {
      const there = new Set((await listSegments(files, this.#settings.dir)).map(({ firstSeq }) => firstSeq));
      const gone = this.#segments.filter(({ firstSeq }) => !there.has(firstSeq));
      const [first, last] = [gone[0], gone.at(-1)];
      if (first === undefined || last === undefined) return null;
      const next = this.#segments.find(({ firstSeq }) => firstSeq > last.firstSeq);
      this.#segments = this.#segments.filter(({ firstSeq }) => there.has(firstSeq));
      if (this.#open?.segment === last) await this.close();
      return { from: first.firstSeq, to: next === undefined ? this.#head.seq : next.firstSeq - 1 };
    } catch (error) {
      log.debug("the journal's directory cannot be read", { why: wordsOf(error) });
      return null;
    }
  }

  async close(): Promise<void> {
    const file = this.#open?.file;
    this.#open = null;
    await file?.close();
  }

  // ---------------------------------------------------------------- the disk

  /** Resolves when the bytes are on disk; what it resolves with takes note of them. */
  async #put(bytes: Uint8Array, first: Unwritten | undefined): Promise<() => void> {
    const { files } = this.#world;
    const { dir, segmentBytesMax } = this.#settings;
    const day = first === undefined ? "" : dayOf(first.draft);
    const open = this.#open;
    if (open !== null && open.day === day && open.segment.sizeBytes < segmentBytesMax) {
      open.file ??= await files.open(open.segment.path, "append");
      await open.file.write(bytes);
      return () => {
        open.segment.sizeBytes += bytes.length;
      };
    }
    await this.close();
    const firstSeq = this.#head.seq + 1;
    const path = segmentPath(dir, firstSeq);
    await files.makeDirs(dir);
    // One of this name can only hold lines that were never acknowledged.
    await files.replace(path, bytes);
    return () => {
      const segment = { path, firstSeq, lastSeq: Number.POSITIVE_INFINITY, sizeBytes: bytes.length };
      this.#segments = [...this.#segments.filter((older) => older.firstSeq < firstSeq), segment];
      this.#open = { segment, day, file: null };
      this.#dropDueMs = 0;
    };
  }

  /** Takes back what may have been half written, if the disk still lets us. */
  async #leaveSegment(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open === null || open.file === null) return;
    try {
      await open.file.truncate(open.segment.sizeBytes);
      await open.file.sync();
    } catch (error) {
      this.#world.log.debug("a journal segment keeps an abandoned tail", { why: wordsOf(error) });
    }
    await open.file.close().catch(() => undefined);
  }

  /** The disk could not be read at start, and can be now. */
  async #findLate(): Promise<JournalEnd> {
    const { head, ...recovery } = await this.find();
    this.#world.log.warn("the journal can be read now", { headSeq: head.seq, ...recovery });
    return this.#end as JournalEnd;
  }

  // ---------------------------------------------------------------- retention

  async #mayDropOldest(): Promise<boolean> {
    const [oldest, ...later] = this.#segments;
    const next = later[0];
    if (oldest === undefined || next === undefined || next.firstSeq - 1 > this.#acknowledgedSeq) return false;
    if (this.sizeBytes > this.#settings.maxBytes) return true;
    return (await this.#areOlderThanKept(later)) && (await this.#mayGoNow(oldest));
  }

  /** Whether its day is the one that goes now; else it is looked again when the next one may. */
  async #mayGoNow(oldest: Segment): Promise<boolean> {
    const { clock, files } = this.#world;
    const first = await firstEntry(files, oldest);
    const day = first === null ? "" : dayOf(first.line);
    if (day === this.#agedDay?.day) return true;
    const nowMs = clock.monotonicMs();
    const nextMs = this.#agedDay === null ? nowMs : this.#agedDay.atMs + AGED_DAY_MS;
    if (nowMs < nextMs) this.#dropDueMs = nextMs;
    else this.#agedDay = { day, atMs: nowMs };
    return nowMs >= nextMs;
  }

  /**
   * Whether what stands before `later` is older than is kept. Only a trusted time says so: the first one after it is later
   * than all of it. A line from a machine that thought it was 1970 must not cost the ones before it.
   */
  async #areOlderThanKept(later: readonly Segment[]): Promise<boolean> {
    const { clock, files } = this.#world;
    if (!clock.trusted()) return false;
    for (const segment of later) {
      const first = await firstEntry(files, segment);
      if (first !== null && isTimeTrusted(first.line))
        return clock.wallMs() - Date.parse(first.line.time) > this.#settings.keepMs;
    }
    return false;
  }
}

/** How many of the first records may be one group: those of one day, up to `lengthMax`. */
export function groupLength(records: readonly Unwritten[], lengthMax: number): number {
  const [first] = records;
  let length = 0;
  for (const { draft } of records) {
    if (length === lengthMax || first === undefined || dayOf(draft) !== dayOf(first.draft)) break;
    length += 1;
  }
  return length;
}

/** The lines of a group, as they follow `before`. */
function chained(group: readonly Unwritten[], before: Head): { entries: Entry[]; head: Head; bytes: Buffer } {
  const batch = before.seq + 1;
  const entries: Entry[] = [];
  let head = before;
  let text = "";
  for (const { draft, id } of group) {
    const line = { ...draft, seq: head.seq + 1, prev: head.chain, batch, ...(id === null ? {} : { id }) };
    const encoded = encodeLine(line);
    head = { seq: line.seq, chain: hashLine(encoded) };
    entries.push({ line, chain: head.chain });
    text += `${encoded}\n`;
  }
  return { entries, head, bytes: Buffer.from(text) };
}

async function sizeOf(files: Files, path: string): Promise<number> {
  const file = await files.open(path, "read");
  try {
    return await file.sizeBytes();
  } finally {
    await file.close();
  }
}
