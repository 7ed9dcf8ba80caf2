/**
 * How long to stay away from a broker: capped, growing, with jitter, so that a thousand gateways do not come back
 * to a restarted broker in the same instant, and two gateways with one name do not throw each other out for ever.
 */
import type { Random } from "./ports.ts";

/** First pause, and the longest: a site that gets its broker back wants its events within seconds. */
export const pauseMsFirst = 500;
export const pauseMsMax = 15_000;

/** A connection that lived this long was a good one: the count of failures starts again. */
export const goodAfterMs = 10_000;

/** Being taken over is a mistake in somebody's configuration, which seconds do not mend. */
export const takenOverPauseMsFirst = 15_000;
export const takenOverPauseMsMax = 300_000;

/** A takeover after this long is a new one, not the next of a row; longer than the longest pause of the other side. */
export const takeoverForgottenAfterMs = 2 * takenOverPauseMsMax;

/**
 * On 3.1.1 a broker cannot say that another client has taken the name, and mosquitto does not say it on MQTT 5
 * either: it closes. So many connections that end like that, none of them older than this and none refused between
 * them (the broker itself was there all the time), are taken for it; less surely, hence with a shorter pause.
 */
export const wordlessLossesMax = 5;
export const wordlessLifeMsMax = 60_000;
const wordlessPauseMsMax = 60_000;

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
    return this.#wordlessLosses >= wordlessLossesMax;
  }

  /** The pause in ms after no door opened. */
  afterFailure(): number {
    this.#wordlessLosses = 0;
    return this.#failurePauseMs();
  }

  /** The pause in ms after a connection of `livedMs` was lost. */
  afterLoss(cause: LossCause, livedMs: number): number {
    if (livedMs >= takeoverForgottenAfterMs) this.#takeovers = 0;
    if (livedMs >= goodAfterMs) this.#failures = 0;
    this.#wordlessLosses = cause === "wordless" && livedMs < wordlessLifeMsMax ? this.#wordlessLosses + 1 : 0;
    if (cause !== "taken-over" && !this.suspectsTakeover) return this.#failurePauseMs();
    const maxMs = cause === "taken-over" ? takenOverPauseMsMax : wordlessPauseMsMax;
    return this.#pauseMs(this.#takeovers++, takenOverPauseMsFirst, maxMs);
  }

  #failurePauseMs(): number {
    return this.#pauseMs(this.#failures++, pauseMsFirst, pauseMsMax);
  }

  /** Half of it is certain, half is chance. */
  #pauseMs(count: number, firstMs: number, maxMs: number): number {
    return Math.min(maxMs, firstMs * 2 ** Math.min(count, 20)) * (0.5 + this.#random.fraction() / 2);
  }
}
