/**
 * Granted is not passed: which openings the turnstile's contact has answered. A pure machine over plain values, one an access
 * point; `turnstile.ts` keeps the value and writes down what is returned.
 *
 * An opening is awaited from the moment its relay may move. The turnstile waits a while to be pushed, counted from its
 * energising; openings that ride along in a pulse lengthen nothing, so they are awaited up to the same end. Each closing of the
 * contact is one person: it answers the opening that has waited longest.
 */
import type { Ticket } from "./access-point.ts";

/** Far more than ride along in one pulse; a flood of grants must not be remembered without end. */
const AWAITED_MAX = 64;

export interface PassageState {
  /** The longest waiting first. `untilMs`: null while the relay has not said yet that it moved. */
  readonly awaited: readonly { readonly ticket: Ticket; readonly untilMs: number | null }[];
  /** Up to when the turnstile waits to be pushed, as far as it was ever opened. */
  readonly untilMs: number;
}

export const NO_PASSAGE: PassageState = { awaited: [], untilMs: Number.NEGATIVE_INFINITY };

/** `missed`: openings that nobody used. */
export interface Missed {
  state: PassageState;
  missed: readonly Ticket[];
}

/** An opening is awaited: the relay moves for it (`ownPulse`), or it rides along in a pulse that has begun already. */
export function awaitPassage(state: PassageState, ticket: Ticket, ownPulse: boolean): Missed {
  const isComing = ownPulse || state.awaited.some(({ untilMs }) => untilMs === null);
  const awaited = [...state.awaited, { ticket, untilMs: isComing ? null : state.untilMs }];
  const excess = Math.max(0, awaited.length - AWAITED_MAX);
  return {
    state: { ...state, awaited: awaited.slice(excess) },
    missed: awaited.slice(0, excess).map((opening) => opening.ticket),
  };
}

/** The relay moved: the turnstile waits to be pushed until `untilMs`. */
export function opened(state: PassageState, untilMs: number): PassageState {
  const awaited = state.awaited.map((opening) => ({ ...opening, untilMs: opening.untilMs ?? untilMs }));
  return { awaited, untilMs };
}

/** The relay did not move: nobody can use what waited for it. */
export function stayedShut(state: PassageState): Missed {
  return {
    state: { ...state, awaited: state.awaited.filter(({ untilMs }) => untilMs !== null) },
    missed: state.awaited.filter(({ untilMs }) => untilMs === null).map(({ ticket }) => ticket),
  };
}

/** Somebody passed at `atMs`. `ticket`: by which opening; null by none. */
export function passed(state: PassageState, atMs: number): { state: PassageState; ticket: Ticket | null } {
  const used = state.awaited.find(({ untilMs }) => untilMs === null || atMs <= untilMs);
  if (used === undefined) return { state, ticket: null };
  const awaited = state.awaited.filter((opening) => opening !== used);
  return { state: { ...state, awaited }, ticket: used.ticket };
}

/** Whatever was awaited until before `nowMs` is given up. */
export function giveUp(state: PassageState, nowMs: number): Missed {
  const isOver = (untilMs: number | null): boolean => untilMs !== null && untilMs < nowMs;
  return {
    state: { ...state, awaited: state.awaited.filter(({ untilMs }) => !isOver(untilMs)) },
    missed: state.awaited.filter(({ untilMs }) => isOver(untilMs)).map(({ ticket }) => ticket),
  };
}
