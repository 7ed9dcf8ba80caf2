import { Deadlines } from "../../drivers/deadlines.ts";
import type { Clock, Timer } from "../../drivers/ports.ts";

/** A turn that goes on for ever without time passing is a bug in what is simulated. */
const TIMERS_AT_ONE_INSTANT_MAX = 100_000;

export interface SimClockOptions {
  /** What the wall clock shows at the start, in ms since 1970. */
  wallMs?: number;
  /** When, in ms after the start, the wall clock becomes trusted; `Infinity`: never. At once by default. */
  trustedAfterMs?: number;
}

/** Simulated time itself, shared by every clock of one world. Nothing here takes any real time. */
class Timeline {
  nowMs = 0;
  readonly deadlines = new Deadlines();
  #running = false;

  /** Fires what is due until `untilMs`, letting promises settle before each timer and after the last one. */
  async run(untilMs: number): Promise<void> {
    if (this.#running) throw new Error("time is moving already: await the advance before");
    this.#running = true;
    try {
      await this.#walk(untilMs);
    } finally {
      this.#running = false;
    }
  }

  async #walk(untilMs: number): Promise<void> {
    await settle();
    let atOneInstant = 0;
    for (
      let nextMs = this.deadlines.nextMs;
      nextMs !== null && nextMs <= untilMs;
      nextMs = this.deadlines.nextMs
    ) {
      atOneInstant = nextMs > this.nowMs ? 0 : atOneInstant + 1;
      if (atOneInstant > TIMERS_AT_ONE_INSTANT_MAX) throw new Error(`time stands still at ${this.nowMs} ms`);
      this.nowMs = Math.max(this.nowMs, nextMs);
      this.deadlines.take(this.nowMs)?.();
      await settle();
    }
  }
}

/** One turn of the real event loop: every promise that can settle has settled when it comes back. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * A clock that only moves when told to. `new SimClock()` makes a time of its own; `boot` makes the clock of a
 * machine started at this instant of the same time: its monotonic time begins at 0, its wall clock is what
 * its battery (or the lack of one) gives, and `end` stops all that is driven by it, as a power cut does.
 */
export class SimClock implements Clock {
  readonly #timeline: Timeline;
  readonly #startMs: number;
  readonly #pending = new Set<Timer>();
  #wallMs: number;
  #trustedAtMs: number;
  #ended = false;

  constructor(options: SimClockOptions = {}, timeline: Timeline = new Timeline()) {
    this.#timeline = timeline;
    this.#startMs = timeline.nowMs;
    this.#wallMs = options.wallMs ?? Date.parse("2026-11-23T06:00:00Z");
    this.#trustedAtMs = options.trustedAfterMs ?? 0;
  }

  monotonicMs(): number {
    return this.#timeline.nowMs - this.#startMs;
  }

  wallMs(): number {
    return Math.floor(this.#wallMs + this.monotonicMs());
  }

  trusted(): boolean {
    return this.monotonicMs() >= this.#trustedAtMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    if (this.#ended) return { cancel() {} };
    const timer = this.#timeline.deadlines.add(this.#timeline.nowMs + Math.max(delayMs, 0), () => {
      this.#pending.delete(timer);
      fire();
    });
    this.#pending.add(timer);
    return {
      cancel: () => {
        this.#pending.delete(timer);
        timer.cancel();
      },
    };
  }

  // ---- what the simulation does to it

  /** Lets `ms` of simulated time pass for everything on this time, in order, promises included. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#timeline.nowMs + ms;
    await this.#timeline.run(untilMs);
    this.#timeline.nowMs = untilMs;
  }

  /** Runs until no timer is left, and stands at the last one; rejects when that takes more than `limitMs`. */
  async runUntilIdle(limitMs = 24 * 3_600_000): Promise<void> {
    await this.#timeline.run(this.#timeline.nowMs + limitMs);
    const left = this.#timeline.deadlines.count;
    if (left > 0) throw new Error(`${left} timers are still waiting after ${limitMs} ms`);
  }

  /** Sets the wall clock forward or, with a negative number, back. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** The time service has answered. */
  trust(): void {
    this.#trustedAtMs = Math.min(this.#trustedAtMs, this.monotonicMs());
  }

  /** A machine that starts now, on the same time. */
  boot(options: SimClockOptions = {}): SimClock {
    return new SimClock({ wallMs: this.wallMs(), ...options }, this.#timeline);
  }

  /** The machine is off: none of its timers ever fires, nor any that is set from now on. */
  end(): void {
    this.#ended = true;
    for (const timer of this.#pending) timer.cancel();
    this.#pending.clear();
  }

  /** Timers of this machine that have not fired. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }
}
