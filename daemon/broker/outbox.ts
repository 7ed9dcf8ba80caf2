/**
 * The outbox: sends every event to the broker, in sequence, until it is acknowledged (CONTRACT 7). The journal is
 * its queue; all it keeps is a cursor: the sequence up to which everything is acknowledged.
 *
 * Several events are on their way at once, in order. When one is refused or lost a new round begins at the first
 * that was not acknowledged: an event may come twice, under the same id, and is never passed over; from the one that was
 * refused on, everything comes in order again. Events that are not on disk (`volatile`) go after all that are.
 */
import type { BrokerSession, Clock, Files, Log, PublishOutcome, Random, Timer } from "../../drivers/ports.ts";
import type { VolatileRecord } from "../journal/journal.ts";
import type { Batch } from "../journal/journal-reader.ts";
import type { Entry } from "../journal/journal-segments.ts";
import { type CloudEvent, eventOfLine, eventOfVolatile, type Sender } from "../journal/record.ts";
import { wordsOf } from "../words.ts";
import { OutboxCursor } from "./outbox-cursor.ts";
import { Pace, SLICE_EVENTS } from "./pace.ts";
import { Resend, type Resent } from "./resend.ts";

/** Events on their way at once; more gains nothing over a local network and would be sent again after a break. */
const WINDOW_EVENTS_MAX = 128;
/** The retained states are sent beside the events, one at a time. */
const STATE_MESSAGES = 1;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
const UNREADABLE_PAUSE_MS = 60_000;
/** Events that are not on disk, kept for sending, at about 1 KiB each. The oldest go first. */
const VOLATILE_EVENTS_MAX = 20_000;

/** What the outbox asks of the journal. */
export interface OutboxSource {
  readonly headSeq: number;
  /** Lines are on their way to a disk that is well. */
  readonly isWriting: boolean;
  entriesFrom(fromSeq: number, countMax: number): Promise<Batch>;
  acknowledge(seq: number): void;
}

export interface OutboxState {
  /** Events that no broker has acknowledged. */
  unsent: number;
  acknowledgedSeq: number;
  /** Why the first unsent event was not taken, while it is not. */
  refused: string | null;
}

export interface OutboxWorld {
  clock: Clock;
  random: Random;
  files: Files;
  log: Log;
  publish(event: CloudEvent): Promise<PublishOutcome>;
}

/** A line; or all up to `throughSeq`, which cannot be read. */
type Passing = Entry | { throughSeq: number };

export class Outbox {
  readonly #sender: Sender;
  readonly #cursor: OutboxCursor;
  readonly #world: OutboxWorld;
  readonly #changed: () => void;
  readonly #pace: Pace;
  #source: OutboxSource | null = null;
  #session: BrokerSession | null = null;
  #isStopped = false;

  /** Raised whenever sending begins anew; answers to an older round no longer count. */
  #round = 0;
  #nextSeq = 1;
  /** What was read and waits for its turn: less than two slices. */
  #ready: Passing[] = [];
  #reading = false;
  /** Runs while the journal is not asked again after it could not be read; what was read before goes on. */
  #unreadable: Timer | null = null;
  /** What this round has passed, in order, back to the first that is not acknowledged. */
  #inFlight: { seq: number; acknowledged: boolean }[] = [];
  /** Messages the broker has not answered, of older rounds too: it counts them all. */
  #unanswered = 0;
  #volatile: VolatileRecord[] = [];
  #sendingVolatile = false;
  #resend: Resend | null = null;
  /** Set from a refusal until something is taken again; meanwhile one event goes at a time. */
  #refusal: { why: string; backoffMs: number } | null = null;
  #backoff: Timer | null = null;

  /** `changed`: the state may have changed. */
  constructor(settings: { cursorPath: string; sender: Sender }, world: OutboxWorld, changed: () => void) {
    this.#sender = settings.sender;
    this.#cursor = new OutboxCursor(settings.cursorPath, world, (seq) => this.#source?.acknowledge(seq));
    this.#world = world;
    this.#changed = changed;
    this.#pace = new Pace(
      world.clock,
      () => this.#source?.isWriting === true,
      (countMax) => this.#sendOn(countMax),
    );
  }

  /** Reads the cursor, and says where it stands. */
  async load(): Promise<number> {
    await this.#cursor.load();
    return this.#cursor.seq;
  }

  start(source: OutboxSource): void {
    this.#source = source;
    source.acknowledge(this.#cursor.seq);
    this.#beginRound();
  }

  get state(): OutboxState {
    const journaled = Math.max(0, (this.#source?.headSeq ?? 0) - this.#cursor.seq);
    return {
      unsent: journaled + this.#volatile.length,
      acknowledgedSeq: this.#cursor.seq,
      refused: this.#refusal?.why ?? null,
    };
  }

  connected(session: BrokerSession): void {
    if (this.#isStopped) return;
    this.#session = session;
    // A broker that refuses is not asked more often because it also hangs up.
    if (this.#refusal === null) this.#rest(0);
    this.#beginRound();
  }

  disconnected(): void {
    this.#session = null;
    this.#resend?.end("the connection to the broker ended");
    this.#beginRound();
  }

  /** Lines were synced. Those that were kept here as volatile go the way of the journal now. */
  synced(entries: readonly Entry[]): void {
    const ids = new Set(entries.flatMap(({ line }) => (line.id === undefined ? [] : [line.id])));
    if (ids.size > 0) this.#volatile = this.#volatile.filter(({ id }) => !ids.has(id));
    this.#pump();
  }

  volatile(record: VolatileRecord): void {
    this.#volatile.push(record);
    if (this.#volatile.length > VOLATILE_EVENTS_MAX) this.#volatile.shift();
    this.#pump();
  }

  /**
   * Sends events again that the broker has acknowledged; the others are on their way. Beside what is new, in what that leaves of the
   * window, and without a word to the cursor.
   */
  async resend(fromSeq: number, toSeq: number): Promise<Resent> {
    const source = this.#source;
    if (this.#session === null || source === null)
      return { sent: 0, why: "there is no connection to a broker" };
    if (this.#resend !== null) return { sent: 0, why: "another resend is under way" };
    this.#resend = new Resend(fromSeq, Math.min(toSeq, this.#cursor.seq), source, () => this.#pump());
    this.#pump();
    const resent = await this.#resend.done;
    this.#resend = null;
    return resent;
  }

  /** Writes the cursor down, if the disk lets it. What is not acknowledged is sent after the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.disconnected();
    this.#backoff?.cancel();
    this.#pace.stop();
    this.#unreadable?.cancel();
    await this.#cursor.stop();
  }

  // ---------------------------------------------------------------- sending

  #beginRound(): void {
    this.#round += 1;
    this.#nextSeq = this.#cursor.seq + 1;
    this.#ready = [];
    this.#inFlight = [];
    this.#sendingVolatile = false;
    this.#pump();
  }

  #pump(): void {
    const unsent = (this.#source?.headSeq ?? 0) - this.#cursor.seq;
    if (unsent <= SLICE_EVENTS && this.#resend === null) this.#sendOn(WINDOW_EVENTS_MAX);
    else this.#pace.soon();
  }

  /** At most `countMax` events; how many more it might have been. */
  #sendOn(countMax: number): number {
    if (this.#session === null || this.#source === null || this.#backoff !== null) return countMax;
    const windowMax =
      this.#refusal === null
        ? Math.min(WINDOW_EVENTS_MAX, Math.max(1, this.#session.receiveMaximum - STATE_MESSAGES))
        : 1;
    let left = countMax;
    for (; left > 0 && this.#unanswered < windowMax && this.#inFlight.length < WINDOW_EVENTS_MAX; left -= 1) {
      const next = this.#ready.shift();
      if (next === undefined) break;
      if ("line" in next) this.#sendEntry(next);
      else this.#passOver(next.throughSeq);
    }
    // Ahead of its turn, so that no slice is short for want of lines.
    if (this.#ready.length < SLICE_EVENTS) this.#refill(this.#source);
    const isLiveSent = this.#ready.length === 0 && !this.#reading && this.#nextSeq > this.#source.headSeq;
    if (isLiveSent && this.#unanswered < windowMax) this.#sendVolatile();
    for (; isLiveSent && left > 0 && this.#unanswered < windowMax && this.#sendAgain(); left -= 1);
    return left;
  }

  /** Whether there was anything. */
  #sendAgain(): boolean {
    const resend = this.#resend;
    const entry = this.#refusal === null ? (resend?.next() ?? null) : null;
    if (resend === null || entry === null) return false;
    this.#unanswered += 1;
    this.#world.publish(eventOfLine(entry.line, entry.chain, this.#sender)).then((outcome) => {
      this.#unanswered -= 1;
      resend.answered(outcome);
      this.#pump();
    });
    return true;
  }

  #sendEntry({ line, chain }: Entry): void {
    const flight = { seq: line.seq, acknowledged: false };
    this.#inFlight.push(flight);
    this.#send(eventOfLine(line, chain, this.#sender), () => {
      flight.acknowledged = true;
      this.#settleFlights();
    });
  }

  /** One at a time, and only when everything in the journal is acknowledged. */
  #sendVolatile(): void {
    const record = this.#volatile[0];
    if (record === undefined || this.#sendingVolatile || this.#inFlight.length > 0) return;
    this.#sendingVolatile = true;
    this.#send(eventOfVolatile(record.id, record.draft, this.#sender), () => {
      this.#sendingVolatile = false;
      // It may have gone the way of the journal meanwhile.
      if (this.#volatile[0] === record) this.#volatile.shift();
      this.#changed();
    });
  }

  /** `taken`: what follows from the broker's acknowledgement, as long as this round lasts. */
  #send(event: CloudEvent, taken: () => void): void {
    const round = this.#round;
    this.#unanswered += 1;
    this.#world.publish(event).then((outcome) => {
      this.#unanswered -= 1;
      if (round === this.#round) {
        if (outcome.kind !== "acknowledged") return this.#notTaken(event.id, outcome);
        this.#refusal = null;
        taken();
      }
      this.#pump();
    });
  }

  /** The cursor passes an event only when everything before it is acknowledged, in whatever order the answers come. */
  #settleFlights(): void {
    let passed = 0;
    for (const { seq, acknowledged } of this.#inFlight) {
      if (!acknowledged) break;
      if (seq > this.#cursor.seq) {
        this.#cursor.moveTo(seq);
        this.#changed();
      }
      passed += 1;
    }
    this.#inFlight.splice(0, passed);
  }

  #refill(source: OutboxSource): void {
    if (this.#reading || this.#unreadable !== null || this.#nextSeq > source.headSeq) return;
    const round = this.#round;
    this.#reading = true;
    source.entriesFrom(this.#nextSeq, SLICE_EVENTS).then(
      (batch) => {
        this.#reading = false;
        if (round === this.#round) this.#take(batch);
        this.#pump();
      },
      (error: unknown) => {
        this.#reading = false;
        this.#world.log.error("the journal cannot be read; events wait", { why: wordsOf(error) });
        if (this.#isStopped) return;
        this.#unreadable = this.#world.clock.after(UNREADABLE_PAUSE_MS, () => {
          this.#unreadable = null;
          this.#pump();
        });
      },
    );
  }

  #take({ entries, throughSeq }: Batch): void {
    const last = entries.at(-1);
    this.#ready.push(...(last === undefined ? [{ throughSeq }] : entries));
    this.#nextSeq = (last?.line.seq ?? throughSeq) + 1;
  }

  /** Lines that are damaged cannot be sent: they are passed in their turn, and the gap in the sequence tells of them. */
  #passOver(throughSeq: number): void {
    this.#inFlight.push({ seq: throughSeq, acknowledged: true });
    this.#settleFlights();
  }

  /** Begins again at the first event that is not acknowledged: after a refusal later and later, one at a time. */
  #notTaken(id: string, outcome: Exclude<PublishOutcome, { kind: "acknowledged" }>): void {
    if (outcome.kind === "lost") this.#rest(BACKOFF_MIN_MS);
    else this.#refuse(id, outcome.why);
    this.#beginRound();
    this.#changed();
  }

  #refuse(id: string, why: string): void {
    if (this.#refusal === null)
      this.#world.log.warn("the broker refuses an event; it stays first", { id, why });
    const backoffMs = Math.min((this.#refusal?.backoffMs ?? BACKOFF_MIN_MS / 2) * 2, BACKOFF_MAX_MS);
    this.#refusal = { why, backoffMs };
    this.#rest(backoffMs * (0.5 + this.#world.random.fraction() / 2));
  }

  /** Sends nothing for so long; 0 ends a rest. */
  #rest(delayMs: number): void {
    this.#backoff?.cancel();
    this.#backoff = null;
    if (delayMs === 0 || this.#isStopped) return;
    this.#backoff = this.#world.clock.after(delayMs, () => {
      this.#backoff = null;
      this.#beginRound();
    });
  }
}
