/**
 * When to ask the feed again: pure.
 */
import type { Random } from "../drivers/ports.ts";

/** Gateways that hear one announcement spread over this, so that a fleet does not ask at one instant. */
export const SPREAD_MS = 1000;
/** Each wait is shortened by up to a tenth, so that gateways that started together drift apart. */
const JITTER = 0.1;
/** Asking costs the feed a few hundred bytes: even one that was away for days is noticed within a minute. */
const RETRY_MS_MAX = 60_000;
/** A list may be 100 MB: one that breaks each time must not be fetched each minute. */
const DOWNLOAD_RETRY_MS_MAX = 15 * 60_000;

/** What came of a refresh. `retry`: try again before long, and ever later; `wait`: the next refresh as usual. */
export type Outcome = "done" | "wait" | "retry" | "retry-download";

/** `failures`: those in a row, this one included. */
export function nextDelayMs(
  outcome: Outcome,
  failures: number,
  refreshSeconds: number,
  random: Random,
): number {
  const usualMs = refreshSeconds * 1000;
  const mostMs = Math.max(usualMs, outcome === "retry-download" ? DOWNLOAD_RETRY_MS_MAX : RETRY_MS_MAX);
  const delayMs = Math.min(usualMs * 2 ** Math.max(0, failures - 1), mostMs);
  return delayMs * (1 - JITTER * random.fraction());
}
