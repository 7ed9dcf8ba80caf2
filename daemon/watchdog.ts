/**
 * Feeds the service manager's watchdog with work that was done, not with time that has passed: its turn comes in the gateway's own
 * loop, and it looks whether anything has waited there for longer than it ever should.
 */
import type { Clock, Log, Timer } from "../drivers/ports.ts";

export interface WatchdogWork {
  /** What stands still, in words, or null. */
  standstill(): string | null;
  feed(): void;
}

export class Watchdog {
  readonly #intervalMs: number;
  readonly #world: { clock: Clock; log: Log };
  readonly #work: WatchdogWork;
  #timer: Timer | null = null;
  #told = false;

  constructor(intervalMs: number, world: { clock: Clock; log: Log }, work: WatchdogWork) {
    this.#intervalMs = intervalMs;
    this.#world = world;
    this.#work = work;
  }

  start(): void {
    this.#timer = this.#world.clock.after(this.#intervalMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    this.start();
    const why = this.#work.standstill();
    if (why === null) {
      this.#told = false;
      return this.#work.feed();
    }
    // The manager ends a process that is not fed any more, and starts it anew.
    if (!this.#told) this.#world.log.error("standing still, and waiting for the watchdog", { why });
    this.#told = true;
  }
}
