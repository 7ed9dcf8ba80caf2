/** Notices when the machine's time comes to be trusted, in a run that began without. */
import type { Clock, Timer } from "../../drivers/ports.ts";

/** Nothing but a report waits for it. */
const LOOK_MS = 1_000;

export class ClockWatch {
  readonly #clock: Clock;
  readonly #trusted: () => void;
  #timer: Timer | null = null;

  /** `trusted` is called once, and not at all in a run whose clock was trusted from the beginning. */
  constructor(clock: Clock, trusted: () => void) {
    this.#clock = clock;
    this.#trusted = trusted;
  }

  start(): void {
    if (!this.#clock.trusted()) this.#look();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    if (this.#clock.trusted()) this.#trusted();
    else this.#timer = this.#clock.after(LOOK_MS, () => this.#look());
  }
}
