/** Why a device is down: what is news of it, and what of that is logged. Once it is up, a new outage may begin. */
import type { Log } from "./ports.ts";

/** Reasons of one outage that are logged, each once: some that take turns must fill no disk. */
const REASONS_LOGGED_MAX = 12;

export class Outage {
  readonly #name: string;
  readonly #log: Log;
  /** The latest; null before anything was told and while the device is up. */
  #why: string | null = null;
  readonly #logged = new Set<string>();

  /** `name`: for the log, `reader north-in-1`. */
  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
  }

  /** Whether this is news: the device has gone down, or another reason keeps it down. */
  down(why: string): boolean {
    if (why === this.#why) return false;
    const words = this.#why === null ? "is down" : "is still down";
    this.#why = why;
    if (!this.#logged.has(why) && this.#logged.size < REASONS_LOGGED_MAX) {
      this.#logged.add(why);
      this.#log.warn(`${this.#name} ${words}`, { why });
    }
    return true;
  }

  up(): void {
    this.#why = null;
    this.#logged.clear();
    this.#log.info(`${this.#name} is up`);
  }
}
