/**
 * How long to stay away from a broker: capped, growing, with jitter, so that a thousand gateways do not come back
 * to a restarted broker in the same instant, and two gateways with one name do not throw each other out for ever.
 */
import type { Random } from "./ports.ts";

/** First pause, and the longest: a site that gets its broker back wants its events within seconds. */
export const PAUSE_MS_FIRST = 500;
export const PAUSE_MS_MAX = 15_000;

/** A connection that lived this long was a good one: the count of failures starts again. */
export const GOOD_AFTER_MS = 10_000;

/** Being taken over is a mistake in somebody's configuration, which seconds do not mend. */
export const TAKEN_OVER_PAUSE_MS_FIRST = 15_000;
export const TAKEN_OVER_PAUSE_MS_MAX = 300_000;

/** A takeover after this long is a new one, not the next of a row; longer than the longest pause of the other side. */
export const TAKEOVER_FORGOTTEN_AFTER_MS = 2 * TAKEN_OVER_PAUSE_MS_MAX;

/**
 * On 3.1.1 a broker cannot say that another client has taken the name, and mosquitto does not say it on MQTT 5
 * either: it closes. So many connections that end like that, none of them older than this and none refused between
 * them (the broker itself was there all the time), are taken for it; less surely, hence with a shorter pause.
 */
export const WORDLESS_LOSSES_MAX = 5;
export const WORDLESS_LIFE_MS_MAX = 60_000;
const WORDLESS_PAUSE_MS_MAX = 60_000;

/** `taken-over`: the broker said so. `wordless`: the broker closed and did not say why. */
export type LossCause = "taken-over" | "wordless" | "other";

export class Backoff {
  readonly #random: Random;
  #failures = 0;
  #takeovers = 0;
  #wordlessLosses = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether the last loss looks like a takeover that the broker did not tell. */
  get suspectsTakeover(): boolean {
    return this.#wordlessLosses >= WORDLESS_LOSSES_MAX;
  }

  /** The pause in ms after no door opened. */
  afterFailure(): number {
    this.#wordlessLosses = 0;
    return this.#failurePauseMs();
  }

  /** The pause in ms after a connection of `livedMs` was lost. */
  afterLoss(cause: LossCause, livedMs: number): number {
    if (livedMs >= TAKEOVER_FORGOTTEN_AFTER_MS) this.#takeovers = 0;
    if (livedMs >= GOOD_AFTER_MS) this.#failures = 0;
    this.#wordlessLosses =
      cause === "wordless" && livedMs < WORDLESS_LIFE_MS_MAX ? this.#wordlessLosses + 1 : 0;
    if (cause !== "taken-over" && !this.suspectsTakeover) return this.#failurePauseMs();
    const maxMs = cause === "taken-over" ? TAKEN_OVER_PAUSE_MS_MAX : WORDLESS_PAUSE_MS_MAX;
    return this.#pauseMs(this.#takeovers++, TAKEN_OVER_PAUSE_MS_FIRST, maxMs);
  }

  #failurePauseMs(): number {
    return this.#pauseMs(this.#failures++, PAUSE_MS_FIRST, PAUSE_MS_MAX);
  }

  /** Half of it is certain, half is chance. */
  #pauseMs(count: number, firstMs: number, maxMs: number): number {
    return Math.min(maxMs, firstMs * 2 ** Math.min(count, 20)) * (0.5 + this.#random.fraction() / 2);
  }
}
