/**
 * Who is on the site, as far as this gateway knows: which way each card last went. `passback` asks it of one card, the roll call
 * after an evacuation of all. A grant counts until it is known that nobody went through; then it counts what was before.
 */
import type { Stamp } from "../../drivers/driver.ts";
import type { Who } from "../../sync/site-change.ts";
import type { Slices } from "../slices.ts";
import { type PresenceCount, PresenceTally } from "./presence-tally.ts";

const DAY_MS = 24 * 3_600_000;
/** As long as the longest `resetMinutes`: who came in before and never left, has left. */
export const REMEMBERED_MS = 7 * DAY_MS;
/** Far above what one site sees in that time; the longest unseen are forgotten first. */
const CARDS_MAX = 100_000;
/** Looked at in one turn of the loop: about two milliseconds on a small machine. */
const SLICE_CARDS = 500;
/** Passages of one card that may all still turn out to have led nowhere; it is at one or two turnstiles at a time. */
const EARLIER_MAX = 4;

/** Where a card was last seen to go, as far as the gateway knows. */
export type Whereabouts = "inside" | "outside" | "unknown";

export type Direction = "entry" | "exit";

/** Somebody at the site said so. */
export interface ByHand {
  who: Who;
  why: string;
}

export interface Passing {
  readonly card: string;
  readonly direction: Direction;
  readonly accessPoint: string;
  readonly wallMs: number;
  readonly trusted: boolean;
  /** Null where it was in a run before this one. */
  readonly monotonicMs: number | null;
  readonly byHand: ByHand | null;
}

/** A passing in its place; what was before it counts again when it is taken back. */
export interface Step extends Passing {
  before: Step | null;
  isTakenBack: boolean;
}

/** `judgedMs`: the wall clock, or, while that cannot be trusted, the latest trusted time. */
export type Now = Stamp & { judgedMs: number };

/** Somebody who came in and has not left. */
export interface Person {
  card: string;
  /** RFC 3339. */
  since: string;
  sinceTrusted: boolean;
  /** By which they came in. */
  accessPoint: string;
  byHand: ByHand | null;
  /** Came in so long ago that leaving was forgotten, or something is wrong. */
  overdue: boolean;
}

export class Presence {
  /** By card, its last passage; the longest unseen first. */
  #last = new Map<string, Step>();
  readonly #tally = new PresenceTally();

  passed(passing: Passing): Step {
    const { card } = passing;
    // What was taken back is so for ever: it must not push out what counts.
    const before = standing(this.#last.get(card));
    const step: Step = { ...passing, before, isTakenBack: false };
    if (before !== null && isOfThePast(passing, before)) return step;
    cutAfter(step, EARLIER_MAX);
    this.#put(step);
    return step;
  }

  /** Nobody went through. */
  takeBack(step: Step): void {
    step.isTakenBack = true;
    this.#tally.changed(step.card);
  }

  /** `unknown` once `resetMs` have passed, and where nobody can say how long ago it was. */
  whereabouts(card: string, now: Stamp, resetMs: number): Whereabouts {
    const step = standing(this.#last.get(card));
    if (step === null) return "unknown";
    const ms = exactAgeOf(step, now);
    if (ms === null || ms >= resetMs) return "unknown";
    return step.direction === "entry" ? "inside" : "outside";
  }

  /**
   * Everybody who came in and has not left, the longest unseen first, as it is when it begins. `isOverdue` judges who came in so
   * long ago.
   */
  *people(now: Now, isOverdue: (step: Step, agoMs: number) => boolean): Slices<Person[]> {
    const people: Person[] = [];
    for (const [index, last] of [...this.#last.values()].entries()) {
      if (index % SLICE_CARDS === SLICE_CARDS - 1) yield;
      const step = insideOf(last, now);
      if (step !== null) people.push(personOf(step, now, isOverdue));
    }
    return people;
  }

  /** Of a site beyond `LOOKED_AT_MAX` cards it may be some looks behind. */
  count(now: Now, isOverdue: (step: Step, agoMs: number) => boolean): PresenceCount {
    return this.#tally.look(
      () => this.#last.keys(),
      (card) => {
        const last = this.#last.get(card);
        if (last === undefined) return null;
        if (ageOf(last, now) >= REMEMBERED_MS) this.#last.delete(card);
        const step = insideOf(last, now);
        if (step === null) return null;
        return isOverdue(step, ageOf(step, now)) ? "overdue" : "onSite";
      },
    );
  }

  /** Puts what was before this run, as the journal has it, under what this run has seen. */
  restore(earlier: Presence): void {
    const seen = this.#last;
    this.#last = earlier.#last;
    for (const card of this.#last.keys()) this.#tally.changed(card);
    for (const step of seen.values()) {
      const first = firstOfThisRun(step);
      if (first === null) continue;
      first.before = this.#last.get(step.card) ?? null;
      this.#put(step);
    }
  }

  #put(step: Step): void {
    this.#last.delete(step.card);
    this.#last.set(step.card, step);
    this.#tally.changed(step.card);
    if (this.#last.size <= CARDS_MAX) return;
    for (const longest of this.#last.keys()) {
      this.#last.delete(longest);
      return this.#tally.changed(longest);
    }
  }
}

/** By which somebody came in who has not left; null: nobody is inside. */
function insideOf(last: Step, now: Now): Step | null {
  const step = standing(last);
  return step?.direction === "entry" && ageOf(step, now) < REMEMBERED_MS ? step : null;
}

/** The last one that counts. */
function standing(last: Step | null | undefined): Step | null {
  let step = last ?? null;
  while (step?.isTakenBack) step = step.before;
  return step;
}

/** Who says by hand what was earlier changes nothing of what came after it. */
function isOfThePast(passing: Passing, last: Step): boolean {
  return passing.byHand !== null && passing.trusted && last.trusted && passing.wallMs < last.wallMs;
}

function cutAfter(step: Step, count: number): void {
  let last = step;
  for (let left = count; left > 0 && last.before !== null; left -= 1) last = last.before;
  last.before = null;
}

function firstOfThisRun(last: Step): Step | null {
  let first: Step | null = null;
  for (let step: Step | null = last; step !== null; step = step.before)
    if (step.monotonicMs !== null) first = step;
  return first;
}

/** Null where one of the two instants was by a clock that could not be trusted. */
function exactAgeOf({ monotonicMs, trusted, wallMs }: Passing, now: Stamp): number | null {
  if (monotonicMs !== null) return Math.max(0, now.monotonicMs - monotonicMs);
  return trusted && now.trusted ? Math.max(0, now.wallMs - wallMs) : null;
}

/** At least so long ago. */
function ageOf(step: Passing, now: Now): number {
  return exactAgeOf(step, now) ?? (step.trusted ? Math.max(0, now.judgedMs - step.wallMs) : 0);
}

function personOf(step: Step, now: Now, isOverdue: (step: Step, agoMs: number) => boolean): Person {
  const { card, accessPoint, byHand, wallMs, trusted, monotonicMs } = step;
  const agoMs = ageOf(step, now);
  // By the steady clock it is known now when that was, though it was not then.
  const isKnownNow = !trusted && now.trusted && monotonicMs !== null;
  return {
    card,
    since: new Date(isKnownNow ? now.wallMs - agoMs : wallMs).toISOString(),
    sinceTrusted: trusted || isKnownNow,
    accessPoint,
    byHand,
    overdue: isOverdue(step, agoMs),
  };
}
