/**
 * How what is behind is sent: in slices between which the loop has a pause, on average no faster than is good for a card that comes
 * meanwhile, and not while a line is on its way to the disk.
 */
import type { Clock, Timer } from "../../drivers/ports.ts";

/** A broker nearby would take more: but at full speed there is always a turn of the loop in a card's way, or V8 collecting. */
const EVENTS_PER_MS = 6;
/** So many at most in one turn of the loop, some 1 ms, however many are due. */
export const SLICE_EVENTS = 24;
const PAUSE_MS = 1;
/** What the disk or the broker held up is made up for, as far as 50 ms go; so much is due after a time with nothing to send, too. */
const DUE_EVENTS_MAX = 50 * EVENTS_PER_MS;
/** A line, mostly a tap's, is given way to for no longer at a time: a disk may never answer. */
const GIVE_WAY_MS = 50;

export class Pace {
  readonly #clock: Clock;
  readonly #isWriting: () => boolean;
  readonly #send: (countMax: number) => number;
  #timer: Timer | null = null;
  #lastSliceMs = 0;
  #pauseUntilMs = 0;
  /** Part of an event is carried on. */
  #dueEvents = 0;

  /** `send`: at most so many events, and answers how many more it might have been. */
  constructor(clock: Clock, isWriting: () => boolean, send: (countMax: number) => number) {
    this.#clock = clock;
    this.#isWriting = isWriting;
    this.#send = send;
  }

  /** In the loop's next turn where the last slice has had its pause: what a broker answers comes together, and makes room together. */
  soon(): void {
    this.#in(this.#pauseUntilMs - this.#clock.monotonicMs());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #in(delayMs: number): void {
    this.#timer ??= this.#clock.after(Math.max(0, delayMs), () => {
      this.#timer = null;
      this.#slice();
    });
  }

  #slice(): void {
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = nowMs - this.#lastSliceMs;
    if (this.#isWriting() && sinceMs < GIVE_WAY_MS) return this.#in(PAUSE_MS);
    this.#lastSliceMs = nowMs;
    this.#dueEvents = Math.min(this.#dueEvents + sinceMs * EVENTS_PER_MS, DUE_EVENTS_MAX);
    const countMax = Math.min(Math.ceil(this.#dueEvents), SLICE_EVENTS);
    const left = this.#send(countMax);
    this.#dueEvents -= countMax - left;
    this.#pauseUntilMs = this.#clock.monotonicMs() + PAUSE_MS;
    if (left === 0) this.soon();
  }
}
