/**
 * Which way each card last went, for `passback`.
 */
import type { Whereabouts } from "./decide.ts";

/** Far above what one site sees between two resets; the longest unseen are forgotten first. */
const CARDS_MAX = 100_000;

export interface Presence {
  granted(card: string, direction: "entry" | "exit", monotonicMs: number): void;
  /** Its last grant led nowhere: where it is, is not known. */
  forget(card: string): void;
  /** `unknown` once `resetMs` have passed since the card was seen. */
  whereabouts(card: string, monotonicMs: number, resetMs: number): Whereabouts;
}

export function createPresence(): Presence {
  const seen = new Map<string, { direction: "entry" | "exit"; atMs: number }>();
  return {
    granted(card, direction, atMs) {
      seen.delete(card);
      seen.set(card, { direction, atMs });
      if (seen.size > CARDS_MAX) for (const oldest of seen.keys()) return void seen.delete(oldest);
    },
    forget(card) {
      seen.delete(card);
    },
    whereabouts(card, nowMs, resetMs) {
      const last = seen.get(card);
      if (last === undefined || nowMs - last.atMs >= resetMs) return "unknown";
      return last.direction === "entry" ? "inside" : "outside";
    },
  };
}
