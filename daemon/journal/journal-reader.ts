/**
 * Reading the journal back: from a sequence on (the outbox), and the last lines; `journal-proof.ts` reads it whole. Segments that cannot hold what is asked for are not opened, or not beyond their first line.
 */
import type { DiskFile, Files } from "../../drivers/ports.ts";
import {
  claimedSeq,
  type Entry,
  entryOf,
  listSegments,
  offsetBefore,
  type Piece,
  type Segment,
  scan,
} from "./journal-segments.ts";

/**
 * Lines from `fromSeq` to `toSeq`, in order. What is damaged or no longer there is passed over: a reader sees it by
 * the gap in the sequence.
 */
export async function* readEntries(
  files: Files,
  dir: string,
  fromSeq: number,
  toSeq: number,
): AsyncGenerator<Entry> {
  for (const segment of await listSegments(files, dir)) {
    if (segment.lastSeq < fromSeq) continue;
    if (segment.firstSeq > toSeq) return;
    yield* entriesIn(files, segment, fromSeq, toSeq);
  }
}

/** The last `count` lines, in order. */
export async function readLast(files: Files, dir: string, count: number): Promise<Entry[]> {
  let last: Entry[] = [];
  for (const segment of (await listSegments(files, dir)).reverse()) {
    if (last.length >= count) break;
    const entries: Entry[] = [];
    for await (const entry of entriesIn(files, segment)) {
      entries.push(entry);
      if (entries.length > count) entries.shift();
    }
    last = [...entries, ...last].slice(-count);
  }
  return last;
}

/** The first line of a segment that can be read. */
export async function firstEntry(files: Files, segment: Segment): Promise<Entry | null> {
  for await (const entry of entriesIn(files, segment)) return entry;
  return null;
}

/** What can be read of a segment, in order. `isWanted`: by its bytes, which is far quicker told than by what they say. */
export async function* entriesIn(
  files: Files,
  segment: Segment,
  fromSeq = segment.firstSeq,
  toSeq = segment.lastSeq,
  isWanted: (piece: Piece) => boolean = () => true,
): AsyncGenerator<Entry> {
  const endSeq = Math.min(toSeq, segment.lastSeq);
  const file = await openUnlessDropped(files, segment);
  if (file === null) return;
  try {
    const offset = fromSeq > segment.firstSeq ? await offsetBefore(file, fromSeq) : 0;
    for await (const piece of scan(file, offset)) {
      if (claimedSeq(piece) < fromSeq || !isWanted(piece)) continue;
      const entry = entryOf(piece);
      if (entry === null) continue;
      const { seq, batch } = entry.line;
      // By both: one that is damaged would hide every line behind it.
      if (seq > endSeq && batch > endSeq) return;
      if (seq >= fromSeq && seq <= endSeq) yield entry;
    }
  } finally {
    await file.close();
  }
}

/** Null: retention dropped it between the listing and here; its lines were acknowledged and old. */
export async function openUnlessDropped(files: Files, segment: Segment): Promise<DiskFile | null> {
  try {
    return await files.open(segment.path, "read");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

// ---------------------------------------------------------------- a reader that keeps its place

/** What can be read of the sequences up to `throughSeq`; what is not among `entries` is damaged or gone. */
export interface Batch {
  entries: readonly Entry[];
  throughSeq: number;
}

/** Reads on where it stopped, so that a long backlog is read once, a few lines in memory at a time. */
export class BacklogReader {
  readonly #files: Files;
  readonly #dir: string;
  #place: Place | null = null;
  #isClosed = false;

  constructor(files: Files, dir: string) {
    this.#files = files;
    this.#dir = dir;
  }

  /** Up to `countMax` lines from `fromSeq` on, none past `headSeq`. Rejects when the disk cannot be read. */
  async read(fromSeq: number, headSeq: number, countMax: number): Promise<Batch> {
    // Taken out while it is used: two reads at once never share a place, and one that fails is not gone on with.
    const kept = this.#place;
    this.#place = null;
    const isHere = kept !== null && kept.nextSeq === fromSeq;
    if (!isHere) leave(kept);
    const place = isHere ? kept : this.#placeAt(fromSeq, headSeq);
    const entries: Entry[] = [];
    while (entries.length < countMax) {
      const { value, done } = await place.entries.next();
      if (done === true) return { entries, throughSeq: place.toSeq };
      entries.push(value);
      place.nextSeq = value.line.seq + 1;
    }
    leave(this.#place);
    this.#place = place;
    if (this.#isClosed) this.close();
    return { entries, throughSeq: place.nextSeq - 1 };
  }

  close(): void {
    this.#isClosed = true;
    leave(this.#place);
    this.#place = null;
  }

  #placeAt(nextSeq: number, toSeq: number): Place {
    return { nextSeq, toSeq, entries: readEntries(this.#files, this.#dir, nextSeq, toSeq) };
  }
}

interface Place {
  nextSeq: number;
  toSeq: number;
  entries: AsyncGenerator<Entry>;
}

/** Closes its file, whenever the disk answers. */
function leave(place: Place | null): void {
  place?.entries.return(undefined).catch(() => undefined);
}
