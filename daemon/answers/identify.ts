/**
 * What a tap could be, which of it the list knows, and the `reads` to write. For a technician at this machine, or, with tokens by
 * another name, elsewhere: what is found here may hold tokens, and is neither written down nor logged.
 */
import type { Reading, Sight, Stamp } from "../../drivers/driver.ts";
import type { Clock, Timer } from "../../drivers/ports.ts";
import { type SightLine, sightLine } from "../gate/sights.ts";
import type { LookupDesk } from "./lookup.ts";

/** Presentations that wait to be looked up: nobody taps faster than that, and a flooding cable must not be remembered. */
const WAITING_MAX = 8;

/** One way to read a tap. `setting`: what would be written behind `reads:`; null where the driver has no such key. */
export interface Way {
  setting: string | null;
  /** `BB-2611-000001`, or a UID, as `nameToken` names it, with what is left of it. */
  shows: string;
  /** Of the list; null where it knows nobody, or more than one. */
  card: string | null;
  reason: string;
}

export interface Candidate {
  reads: string | object | null;
  reading: Extract<Reading, { kind: "credential" }>;
}

export function wayOf(
  { reads, reading }: Candidate,
  { desk, nameToken }: { desk: Pick<LookupDesk, "lookup">; nameToken(uid: string): string },
): Way {
  const { credential } = reading;
  const answer = desk.lookup(reading);
  const cut =
    credential.kind === "token" && credential.part !== "whole" ? `, the ${credential.part} bytes` : "";
  return {
    setting: reads === null ? null : settingOf(reads),
    shows: credential.kind === "number" ? credential.number : `${nameToken(credential.uid)}${cut}`,
    card: answer.status === null ? null : answer.card,
    reason: answer.reason,
  };
}

/** A UID as it is: for eyes at this machine. */
export function inClear(uid: string): string {
  return `uid:${uid}`;
}

/** YAML's flow style, as a person would write it: keys that have their default are left out. */
export function settingOf(reads: NonNullable<Candidate["reads"]>): string {
  if (typeof reads === "string") return reads;
  const keys = Object.entries(reads).filter(
    ([key, value]) =>
      !(key === "order" && value === "msb") && !(key === "identityOf16Bits" && value === false),
  );
  return `{ ${keys.map(([key, value]) => `${key}: ${value}`).join(", ")} }`;
}

/** What all taps so far leave: settings that found a card in each of them, the wanted one where it is named. */
export class Search {
  readonly #wanted: string | null;
  #left: readonly (string | null)[] | null = null;

  /** `wanted`: the number of the card that is being tapped, if that is known. */
  constructor(wanted: string | null) {
    this.#wanted = wanted;
  }

  /** Settings that still fit, the plainest first. Empty: none does. */
  add(ways: readonly Way[]): readonly (string | null)[] {
    const fitting = ways.filter(({ card }) =>
      this.#wanted === null ? card !== null : card === this.#wanted,
    );
    const settings = fitting.map(({ setting }) => setting);
    this.#left = this.#left === null ? settings : this.#left.filter((setting) => settings.includes(setting));
    return this.#left;
  }
}

/** A tap, and every way to read it, those that the list knows first. */
export interface Identified {
  sight: SightLine;
  ways: readonly Way[];
  /** How many taps since the one told before came too fast to be looked up. */
  leftOut: number;
}

export interface IdentifierRooms {
  clock: Clock;
  desk: LookupDesk;
  candidatesOf(sight: Sight): readonly Candidate[];
  /** What stands for a UID where the ways are shown: itself only on this machine. */
  nameToken(uid: string): string;
}

/**
 * Looks sights up one way at a time, each in turns of its own: on a long list a cut UID is looked for for long, and a gate that is
 * being looked at goes on deciding.
 */
export class Identifier {
  readonly #rooms: IdentifierRooms;
  #waiting: (() => void)[] = [];
  #leftOut = 0;
  #timer: Timer | null = null;

  constructor(rooms: IdentifierRooms) {
    this.#rooms = rooms;
  }

  take(sight: Sight, stamp: Stamp, tell: (identified: Identified) => void): void {
    if (sight.kind === "bytes") return;
    if (this.#waiting.length >= WAITING_MAX) {
      this.#leftOut += 1;
      return;
    }
    const candidates = this.#rooms.candidatesOf(sight);
    const ways: Way[] = [];
    let search: Iterator<void, void> | null = null;
    const step = (): void => {
      const candidate = candidates[ways.length];
      if (candidate !== undefined) {
        search ??= this.#rooms.desk.search(candidate.reading);
        if (search !== null && search.next().done !== true) return;
        search = null;
        ways.push(wayOf(candidate, this.#rooms));
        return;
      }
      this.#waiting.shift();
      const known = ways.filter(({ card }) => card !== null);
      const sorted = [...known, ...ways.filter(({ card }) => card === null)];
      const leftOut = this.#leftOut;
      this.#leftOut = 0;
      tell({ sight: sightLine(sight, stamp), ways: sorted, leftOut });
    };
    this.#waiting.push(step);
    this.#next();
  }

  stop(): void {
    this.#waiting = [];
    this.#timer?.cancel();
  }

  #next(): void {
    this.#timer ??= this.#rooms.clock.after(0, () => {
      this.#timer = null;
      this.#waiting[0]?.();
      if (this.#waiting.length > 0) this.#next();
    });
  }
}
