/**
 * When to ask the feed again: pure. Ten thousand gateways may hear one announcement, or lose one server, at one instant;
 * what each waits then is chance for the most part, so that they do not come back together.
 */
import type { Random } from "../drivers/ports.ts";

/** Gateways that hear one announcement spread over this, so that a fleet does not ask at one instant. */
export const SPREAD_MS = 1000;
/** Each wait is shortened by up to a tenth, so that gateways that started together drift apart. */
const JITTER = 0.1;
/** One answer lost must not cost a minute; each further wait is twice as long. */
const RETRY_MS_FIRST = 2_000;
/** Asking costs the feed a few hundred bytes: even one that was away for days is noticed within a minute. */
const RETRY_MS_MAX = 60_000;
/** A list may be 100 MB: one that breaks each time must not be fetched each minute. */
const DOWNLOAD_RETRY_MS_MAX = 15 * 60_000;
/** A server may ask for peace, but not keep a block from a gate for longer than this. */
const RETRY_AFTER_MS_MAX = 5 * 60_000;

/** What came of a refresh. `retry`: try again before long, and ever later; `wait`: the next refresh as usual. */
export type Outcome = "done" | "wait" | "retry" | "retry-download";

/** `failures`: those in a row, this one included. `retryAfterMs`: what the server asked for, or 0. */
export interface Refreshed {
  outcome: Outcome;
  failures: number;
  retryAfterMs: number;
  /** It was asked because of an announcement or a start, and so were others. */
  isTogether: boolean;
}

export function nextDelayMs(
  { outcome, failures, retryAfterMs, isTogether }: Refreshed,
  refreshSeconds: number,
  random: Random,
): number {
  const usualMs = refreshSeconds * 1000;
  if (outcome === "retry") {
    const backoffMs = doubled(Math.min(RETRY_MS_FIRST, usualMs), failures, Math.max(usualMs, RETRY_MS_MAX));
    const askedMs = Math.min(retryAfterMs, RETRY_AFTER_MS_MAX);
    return backoffMs * (0.5 + random.fraction() / 2) + askedMs * (1 + random.fraction() / 2);
  }
  if (outcome === "retry-download") {
    const backoffMs = doubled(usualMs, failures, Math.max(usualMs, DOWNLOAD_RETRY_MS_MAX));
    return backoffMs * (1 - JITTER * random.fraction());
  }
  // Those who asked together now share out the whole time between two refreshes.
  if (isTogether && usualMs > SPREAD_MS) return SPREAD_MS + random.fraction() * (usualMs - SPREAD_MS);
  return usualMs * (1 - JITTER * random.fraction());
}

function doubled(firstMs: number, failures: number, mostMs: number): number {
  return Math.min(firstMs * 2 ** Math.max(0, failures - 1), mostMs);
}
