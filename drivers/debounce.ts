/** A contact bounces: for some milliseconds after it has moved it is neither open nor closed. */
import type { Stamp } from "./driver.ts";
import type { Clock, Timer } from "./ports.ts";

/** Reeds and relays are quiet after 10 ms at most; the contact of a turnstile is closed for 100 ms and more. */
export const DEBOUNCE_MS = 20;

/**
 * Tells of a level once it has stood for `DEBOUNCE_MS`, with the instant at which it began. A contact that
 * chatters without end is told of at most fifty times a second, however often it moves.
 */
export class Debounce {
  readonly #clock: Clock;
  readonly #tell: (active: boolean, stamp: Stamp) => void;
  #told = false;
  #level = false;
  #timer: Timer | null = null;

  /** Begins open: only a level that differs from the one last told is told. */
  constructor(clock: Clock, tell: (active: boolean, stamp: Stamp) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  take(active: boolean, stamp: Stamp): void {
    if (active === this.#level) return;
    this.#level = active;
    this.#timer?.cancel();
    this.#timer = null;
    if (active === this.#told) return;
    this.#timer = this.#clock.after(DEBOUNCE_MS, () => {
      this.#timer = null;
      this.#told = active;
      this.#tell(active, stamp);
    });
  }

  /** What has not stood long enough is not told any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#level = this.#told;
  }
}
