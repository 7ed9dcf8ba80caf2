/**
 * Events that the broker has had, sent again under their ids: for a centre that lost data. A lane of its own beside the outbox's: it
 * knows nothing of the cursor, and the outbox gives it only what is left of its window.
 */
import type { PublishOutcome } from "../../drivers/ports.ts";
import type { Batch } from "../journal/journal-reader.ts";
import type { Entry } from "../journal/journal-segments.ts";
import { wordsOf } from "../words.ts";

/** Lines read at once. */
const LINES_MAX = 128;

export interface ResendSource {
  entriesFrom(fromSeq: number, countMax: number): Promise<Batch>;
}

/** `sent`: how many the broker took. `why`: not all that are left of them; null: all. */
export interface Resent {
  sent: number;
  why: string | null;
}

export class Resend {
  /** Never rejects. */
  readonly done: Promise<Resent>;
  readonly #source: ResendSource;
  readonly #toSeq: number;
  readonly #ready: () => void;
  #nextSeq: number;
  #entries: Entry[] = [];
  #reading = false;
  #unanswered = 0;
  #sent = 0;
  #isOver = false;
  #tell: (resent: Resent) => void = () => undefined;

  /** `ready`: there is something to be sent again. */
  constructor(fromSeq: number, toSeq: number, source: ResendSource, ready: () => void) {
    this.#nextSeq = fromSeq;
    this.#toSeq = toSeq;
    this.#source = source;
    this.#ready = ready;
    this.done = new Promise((tell) => {
      this.#tell = tell;
    });
  }

  /** What is to be sent next; null where nothing is there now. Each is to be `answered`. */
  next(): Entry | null {
    const entry = this.#entries.shift();
    if (entry === undefined) {
      this.#refill();
      return null;
    }
    this.#unanswered += 1;
    return entry;
  }

  answered(outcome: PublishOutcome): void {
    this.#unanswered -= 1;
    if (outcome.kind !== "acknowledged") return this.end(outcome.why);
    this.#sent += 1;
    this.#endIfAll();
  }

  /** Sends no more. `why`: not all. */
  end(why: string | null): void {
    this.#isOver = true;
    this.#entries = [];
    this.#tell({ sent: this.#sent, why });
  }

  #refill(): void {
    if (this.#reading || this.#isOver) return;
    if (this.#nextSeq > this.#toSeq) return this.#endIfAll();
    this.#reading = true;
    this.#source.entriesFrom(this.#nextSeq, Math.min(LINES_MAX, this.#toSeq - this.#nextSeq + 1)).then(
      ({ entries, throughSeq }) => {
        this.#reading = false;
        if (this.#isOver) return;
        this.#entries = entries.filter(({ line }) => line.seq <= this.#toSeq);
        // What is damaged or no longer kept is passed over.
        this.#nextSeq = (entries.at(-1)?.line.seq ?? throughSeq) + 1;
        this.#ready();
      },
      (error: unknown) => {
        this.#reading = false;
        this.end(`the journal cannot be read: ${wordsOf(error)}`);
      },
    );
  }

  #endIfAll(): void {
    const isAll = this.#entries.length === 0 && !this.#reading && this.#nextSeq > this.#toSeq;
    if (isAll && this.#unanswered === 0) this.end(null);
  }
}
