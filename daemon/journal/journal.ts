/**
 * The journal: append-only truth (CONTRACT 6). One writer; each group of waiting records is written with one
 * call and synced with one, and only then is anybody told. `journal-segments.ts` says what stands on disk.
 *
 * When the disk fails, records are kept in memory up to a bound under an id of their own, handed to the outbox,
 * and written as soon as the disk is back, in a new segment: after a failed sync nobody knows what the old one holds.
 */
import type { Clock, Files, Log, Timer } from "../../drivers/ports.ts";
import { within } from "../within.ts";
import { wordsOf } from "../words.ts";
import { BacklogReader, type Batch } from "./journal-reader.ts";
import type { Recovery } from "./journal-recovery.ts";
import type { Entry } from "./journal-segments.ts";
import { groupLength, JournalWriter, type Unwritten, type WriterSettings } from "./journal-writer.ts";
import { type Draft, LINE_BYTES_MAX } from "./record.ts";

/** A sync unfinished after this long counts as failed for the decision that waits for it (CONTRACT 4). */
const SYNC_LATE_MS = 1_000;
/** A sync unfinished after this long will not come: its records are written again elsewhere. */
const SYNC_ABANDON_MS = 30_000;
/** Everybody who waits is told within `SYNC_LATE_MS`, whatever the disk does; beyond this, something else is broken. */
const STANDSTILL_MS = 5_000;
/** Between two tries to write to a disk that failed. */
const RETRY_MS = 1_000;
/** How long a stop waits for the disk: longer than anybody waits for a sync, shorter than a service manager does. */
const STOP_MS = 2_000;
/** Lines of one group: large enough to drain any burst, small enough to be written in one call. */
const GROUP_LINES_MAX = 512;
/** Records held in memory while the disk is away, at about 1 KiB each; later ones are sent, counted, and not written. */
const WAITING_RECORDS_MAX = 20_000;
/** What a record may take of a line; the rest is for sequence, hash and id. */
const RECORD_BYTES_MAX = LINE_BYTES_MAX - 1_024;
/** Recent lines kept in memory, so that a live outbox never reads the disk. Taken away many at a time: a new row for each tap is garbage. */
const RECENT_ENTRIES_MIN = 512;
const RECENT_ENTRIES_MAX = 1_024;
/** From this share of `maxBytes` on, the journal warns. */
const WARN_SHARE = 0.8;

export interface JournalSettings extends WriterSettings {
  gateway: string;
  /** Names this run of the process, in ids of records that are not on disk. */
  boot: string;
}

/** A record that is not on disk, under the id it is sent with. */
export interface VolatileRecord {
  id: string;
  draft: Draft;
}

export interface JournalEvents {
  /** Lines that are on disk now, in order. */
  synced(entries: readonly Entry[]): void;
  /** A record that could not be written in time and is to be sent from memory. */
  volatile(record: VolatileRecord): void;
  /** Once when writing begins to fail, and once when it works again, with how many records were never written. */
  failed(why: string): void;
  recovered(lostRecords: number): void;
  /** Segments were taken away while the gateway runs, and these sequences with them. */
  gone(sequences: { from: number; to: number }): void;
}

/**
 * What became of a record, and what its event is called. `failed`: it is sent from memory, or, without an id, was not
 * taken at all. `late`: nobody waits for the disk any more; the id comes when it is certain, or never.
 */
export type Settlement =
  | { kind: "synced"; id: string }
  | { kind: "failed"; id: string | null }
  | { kind: "late"; id: Promise<string> };

export interface JournalFill {
  bytes: number;
  maxBytes: number;
  warning: boolean;
}

interface Waiting extends Unwritten {
  dueMs: number;
  /** Taken off once its appender has been told. */
  tell: ((settlement: Settlement) => void) | null;
  /** Set once it is late: says what its event is called, as soon as that is known. */
  name: ((id: string) => void) | null;
}

export class Journal {
  readonly #settings: JournalSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: JournalEvents;
  readonly #writer: JournalWriter;
  readonly #backlog: BacklogReader;
  #life: "new" | "started" | "stopping" | "stopped" = "new";
  /** `late`: nobody waits for the disk any more, but what is on its way to it may still arrive. */
  #state: "well" | "late" | "failed" = "well";
  #waiting: Waiting[] = [];
  /** The group on its way to the disk. */
  #group: Waiting[] = [];
  /** Its records were given ids that its lines do not have: it must not count, even if it arrives. */
  #groupIsGivenUp = false;
  #recent: Entry[] = [];
  #volatileCount = 0;
  #lostRecords = 0;
  #running: Promise<void> | null = null;
  #lateTimer: Timer | null = null;
  #silence: Timer | null = null;
  #endPause: () => void = () => undefined;

  constructor(
    settings: JournalSettings,
    world: { clock: Clock; files: Files; log: Log },
    events: JournalEvents,
  ) {
    this.#settings = settings;
    this.#clock = world.clock;
    this.#log = world.log;
    this.#events = events;
    this.#writer = new JournalWriter(settings, world);
    this.#backlog = new BacklogReader(world.files, settings.dir);
  }

  /**
   * Finds the end of the journal and cuts a torn tail. `acknowledgedSeq`: the outbox's cursor; no sequence up to it is
   * ever used again. Rejects when the disk cannot be read; appends then fail and the journal goes on trying, as it does
   * when the disk can only be read.
   */
  async start(acknowledgedSeq: number): Promise<Recovery> {
    this.#writer.acknowledge(acknowledgedSeq);
    try {
      const recovery = await this.#writer.find();
      await this.#writer.mend().catch((error: unknown) => this.#fail(wordsOf(error)));
      return recovery;
    } catch (error) {
      this.#fail(wordsOf(error));
      throw error;
    } finally {
      if (this.#life === "new") this.#life = "started";
      this.#runIfNeeded();
    }
  }

  /** The last sequence that is on disk. */
  get headSeq(): number {
    return this.#writer.headSeq;
  }

  get isWriting(): boolean {
    return this.#state === "well" && this.#group.length + this.#waiting.length > 0;
  }

  get state(): "well" | "failed" {
    return this.#state === "well" ? "well" : "failed";
  }

  /** Somebody waits who should have been told long ago: synced, failed or late. */
  get isStill(): boolean {
    const oldest = [...this.#group, ...this.#waiting].find(({ tell }) => tell !== null);
    return oldest !== undefined && this.#clock.monotonicMs() - oldest.dueMs > STANDSTILL_MS;
  }

  get fill(): JournalFill {
    const { maxBytes } = this.#settings;
    const bytes = this.#writer.sizeBytes;
    return { bytes, maxBytes, warning: bytes >= maxBytes * WARN_SHARE };
  }

  /** Writes a record down. Resolves once it is synced, or at once or after a second when it cannot be. Never rejects. */
  append(draft: Draft): Promise<Settlement> {
    return new Promise((tell) => {
      const refused = { kind: "failed", id: null } as const;
      if (this.#life === "stopping" || this.#life === "stopped") return tell(refused);
      if (Buffer.byteLength(JSON.stringify(draft)) > RECORD_BYTES_MAX) {
        this.#log.error("a record is too long for the journal", {
          type: draft.type,
          bytes: RECORD_BYTES_MAX,
        });
        return tell(refused);
      }
      const record: Waiting = {
        draft,
        id: null,
        dueMs: this.#clock.monotonicMs() + SYNC_LATE_MS,
        tell,
        name: null,
      };
      const isFull = this.#waiting.length + this.#group.length >= WAITING_RECORDS_MAX;
      if (isFull) {
        this.#lostRecords += 1;
        this.#fail("more records wait for the disk than memory may hold");
      } else this.#waiting.push(record);
      if (this.#state === "failed") this.#makeVolatile(record);
      else if (this.#state === "late") settleLate(record);
      else this.#lateTimer ??= this.#watchLateness(SYNC_LATE_MS);
      this.#runIfNeeded();
    });
  }

  /** Everything up to `seq` has been acknowledged by the broker and may one day be dropped. */
  acknowledge(seq: number): void {
    this.#writer.acknowledge(seq);
  }

  /** Up to `countMax` lines from `fromSeq` on that are synced; from memory where they are recent. */
  async entriesFrom(fromSeq: number, countMax: number): Promise<Batch> {
    const oldestSeq = this.#recent[0]?.line.seq ?? Number.POSITIVE_INFINITY;
    if (fromSeq < oldestSeq) return this.#backlog.read(fromSeq, this.headSeq, countMax);
    const entries = this.#recent.slice(fromSeq - oldestSeq, fromSeq - oldestSeq + countMax);
    return { entries, throughSeq: fromSeq + entries.length - 1 };
  }

  /** Writes what is waiting, if the disk lets it, and closes. */
  async stop(): Promise<void> {
    if (this.#life === "stopped") return;
    this.#life = "stopping";
    this.#endPause();
    await within(this.#clock, STOP_MS, this.#finish());
    this.#life = "stopped";
    this.#lateTimer?.cancel();
    this.#silence?.cancel();
    this.#backlog.close();
    for (const record of [...this.#group, ...this.#waiting])
      settle(record, { kind: "failed", id: record.id });
  }

  // ---------------------------------------------------------------- writing

  #runIfNeeded(): void {
    if (this.#life === "started" && this.#waiting.length > 0) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && this.#life !== "stopped") {
      this.#group = this.#waiting.splice(0, groupLength(this.#waiting, GROUP_LINES_MAX));
      const why = await this.#attempt(this.#group);
      if (why === null) continue;
      this.#fail(why);
      this.#waiting.unshift(...this.#group.splice(0));
      if (this.#life !== "started") break;
      await this.#pause();
    }
    this.#running = null;
  }

  /** Null when the group is on disk, else why not. */
  async #attempt(group: readonly Waiting[]): Promise<string | null> {
    this.#groupIsGivenUp = false;
    this.#silence = this.#clock.after(SYNC_ABANDON_MS, () => this.#fail("the disk does not answer"));
    const result = await this.#writer.append(group, () => !this.#groupIsGivenUp).catch(wordsOf);
    // After a stop that did not wait for the disk, nobody is there to be told; the next start finds the lines.
    const isWanted = this.#life !== "stopped" && typeof result !== "string";
    if (isWanted) {
      this.#synced(group, result);
      await this.#writer.drop();
      const gone = await this.#writer.look();
      if (gone !== null) this.#events.gone(gone);
    }
    this.#silence.cancel();
    return typeof result === "string" ? result : null;
  }

  #synced(group: readonly Waiting[], entries: readonly Entry[]): void {
    this.#group = [];
    this.#recent.push(...entries);
    if (this.#recent.length > RECENT_ENTRIES_MAX) this.#recent = this.#recent.slice(-RECENT_ENTRIES_MIN);
    const hadFailed = this.#state === "failed";
    this.#state = "well";
    if (hadFailed) {
      this.#events.recovered(this.#lostRecords);
      this.#lostRecords = 0;
    }
    for (const [index, record] of group.entries()) {
      const id = record.id ?? `${this.#settings.gateway}/${entries[index]?.line.seq}`;
      settle(record, { kind: "synced", id });
    }
    this.#events.synced(entries);
  }

  async #finish(): Promise<void> {
    await this.#running;
    await this.#writer.close().catch(() => undefined);
  }

  // ---------------------------------------------------------------- failing

  /** Tells those who have waited a second that they need not wait; the group on its way may still arrive. */
  #watchLateness(delayMs: number): Timer {
    return this.#clock.after(delayMs, () => {
      this.#lateTimer = null;
      const records = [...this.#group, ...this.#waiting];
      const oldest = records.find(({ tell }) => tell !== null);
      if (oldest === undefined || this.#state !== "well") return;
      const leftMs = oldest.dueMs - this.#clock.monotonicMs();
      if (leftMs > 0) {
        this.#lateTimer = this.#watchLateness(leftMs);
        return;
      }
      this.#state = "late";
      for (const record of records) settleLate(record);
    });
  }

  /** Everything that waits gets an id of its own, and is sent from memory. */
  #fail(why: string): void {
    if (this.#state === "failed" || this.#life === "stopped") return;
    this.#state = "failed";
    this.#groupIsGivenUp = true;
    for (const record of [...this.#group, ...this.#waiting]) this.#makeVolatile(record);
    this.#events.failed(why);
  }

  #makeVolatile(record: Waiting): void {
    if (record.id !== null) return;
    this.#volatileCount += 1;
    const id = `${this.#settings.gateway}/${this.#settings.boot}/${this.#volatileCount}`;
    record.id = id;
    settle(record, { kind: "failed", id });
    this.#events.volatile({ id, draft: record.draft });
  }

  #pause(): Promise<void> {
    return new Promise((resume) => {
      const timer = this.#clock.after(RETRY_MS, resume);
      this.#endPause = () => {
        timer.cancel();
        resume();
      };
    });
  }
}

function settle(record: Waiting, settlement: Exclude<Settlement, { kind: "late" }>): void {
  record.tell?.(settlement);
  record.tell = null;
  if (settlement.id !== null) record.name?.(settlement.id);
  record.name = null;
}

function settleLate(record: Waiting): void {
  if (record.tell === null) return;
  const id = new Promise<string>((name) => {
    record.name = name;
  });
  record.tell({ kind: "late", id });
  record.tell = null;
}
