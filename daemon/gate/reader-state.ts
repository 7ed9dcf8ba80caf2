/**
 * What the gateway keeps of one reader: whether it is there, and how its readings have gone. Many early removals
 * at one reader are the reader; one card at many readers is the card.
 */
import type { MisreadReason } from "../../drivers/driver.ts";

export interface ReaderState {
  /** `starting` until it has been opened or has failed once. */
  state: "starting" | "up" | "down";
  /** RFC 3339; when it came into this state. */
  since: string;
  why: string | null;
  model: string | null;
  taps: number;
  misreads: number;
  earlyRemovals: number;
  /** Readings that were refused because too many were waiting. */
  dropped: number;
  /** Its housing is open, as it says itself. */
  tamper: boolean;
  /** Its own power fails, as it says itself. */
  powerFailed: boolean;
  /** The last time that somebody may have tampered with its line, in this run. `at`: RFC 3339. */
  alarm: { at: string; why: string } | null;
}

export function newReaderState(since: string): ReaderState {
  return {
    state: "starting",
    since,
    why: null,
    model: null,
    taps: 0,
    misreads: 0,
    earlyRemovals: 0,
    dropped: 0,
    tamper: false,
    powerFailed: false,
    alarm: null,
  };
}

export function countMisread(state: ReaderState, reason: MisreadReason): ReaderState {
  return reason === "removed-early"
    ? { ...state, earlyRemovals: state.earlyRemovals + 1 }
    : { ...state, misreads: state.misreads + 1 };
}
