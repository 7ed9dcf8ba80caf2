/**
 * Where presence is asked by people: how many are on the site, who they are (the roll call), and what somebody says by hand of a
 * card that did not tap. What is said by hand is journaled and sent as what it is, with who said it and why.
 */
import type { Stamp } from "../../drivers/driver.ts";
import type { Files, Log } from "../../drivers/ports.ts";
import { isCanonical } from "../../sync/card.ts";
import { WHO_CHARACTERS_MAX, WHY_CHARACTERS_MAX, type Who } from "../../sync/site-change.ts";
import type { Scribe } from "../journal/scribe.ts";
import { readInstant } from "../site/site-until.ts";
import type { Slices } from "../slices.ts";
import { isOneLine, wordsOf } from "../words.ts";
import {
  type Direction,
  type Now,
  type Person,
  type Presence,
  REMEMBERED_MS,
  type Step,
} from "./presence.ts";
import { replayJournal } from "./presence-replay.ts";
import type { PresenceCount } from "./presence-tally.ts";

const MINUTE_MS = 60_000;
/** Where the access point says nothing, or is not known any more: as the configuration has it by default. */
const RESET_MINUTES = 720;

const EVENTS = { entered: "entry", left: "exit" } as const satisfies Record<string, Direction>;
export type HandEvent = keyof typeof EVENTS;

export interface HandRequest {
  event: HandEvent;
  /** Canonical. */
  card: string;
  /** Null: the only one that leads that way. */
  accessPoint: string | null;
  /** As it was said; null: now. */
  when: string | null;
  why: string;
  who: Who;
}

/** What a command asks over the control socket, where `name` is who gave it; throws words for anything else. */
export function handRequestOf(params: Readonly<Record<string, unknown>>): HandRequest {
  const { event, card, accessPoint = null, when = null, why, name } = params;
  const isText = (value: unknown): value is string => typeof value === "string";
  const isTextOrNull = (value: unknown): value is string | null => value === null || isText(value);
  if (
    (event !== "entered" && event !== "left") ||
    !isText(card) ||
    !isCanonical(card) ||
    !isTextOrNull(accessPoint) ||
    !isTextOrNull(when) ||
    !isText(why) ||
    !isText(name)
  )
    throw new Error("this says of no card that it came or went");
  return { event, card, accessPoint, when, why, who: { by: "command", name } };
}

/** What was written down. `isDurable`: it is on the disk. */
export interface HandWord {
  event: HandEvent;
  card: string;
  accessPoint: string;
  when: string;
  why: string;
  who: Who;
  isDurable: boolean;
}

export interface HandFault {
  code: "where" | "reason" | "name" | "when" | "when-unset" | "when-ahead" | "when-long-ago";
  why: string;
}

/** `isUsage`: it was asked for wrongly. Nothing has changed then. */
export type HandAnswer =
  | { kind: "done"; word: HandWord }
  | ({ kind: "refused"; isUsage: boolean } & HandFault);

export interface RollCall {
  /** When it was asked, RFC 3339. */
  at: string;
  atTrusted: boolean;
  onSite: number;
  overdue: number;
  /** False while the journal is still being read back, or when it could not be. */
  complete: boolean;
  /** Each with a time, the longest there first. */
  people: Person[];
}

export type PresenceStatus = PresenceCount & { complete: boolean };

export interface PresenceSettings {
  gateway: string;
  workplaceId: string | null;
  accessPoints: readonly { id: string; direction: Direction; passback: { resetMinutes: number } }[];
}

export class PresenceDesk {
  readonly #settings: PresenceSettings;
  readonly #presence: Presence;
  readonly #scribe: Scribe;
  readonly #changed: () => void;
  readonly #resetMs: ReadonlyMap<string, number>;
  #isComplete = false;
  #reading: Promise<void> | null = null;
  #isStopped = false;

  constructor(settings: PresenceSettings, rooms: { presence: Presence; scribe: Scribe; changed(): void }) {
    this.#settings = settings;
    this.#presence = rooms.presence;
    this.#scribe = rooms.scribe;
    this.#changed = rooms.changed;
    this.#resetMs = new Map(
      settings.accessPoints.map(({ id, passback }) => [id, passback.resetMinutes * MINUTE_MS]),
    );
  }

  /** Reads back from the journal who came in before this run, beside the taps, where that is not known whole yet. */
  readBack({ files, log }: { files: Files; log: Log }, dir: string, headSeq: number): void {
    if (this.#isComplete) return;
    const { gateway } = this.#settings;
    const { judgedMs } = this.#now();
    const isWanted = (): boolean => !this.#isStopped;
    this.#reading = replayJournal(files, dir, { gateway, headSeq, judgedMs }, isWanted).then(
      (earlier) => {
        if (isWanted()) this.restore(earlier, true);
        this.#changed();
      },
      (error) => log.error("who is on the site could not be read back whole", { why: wordsOf(error) }),
    );
  }

  /** Resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#reading;
  }

  /** What was before this run is known now; `isWhole`: as far back as it counts. */
  restore(earlier: Presence, isWhole: boolean): void {
    this.#presence.restore(earlier);
    this.#isComplete = isWhole;
  }

  get status(): PresenceStatus {
    const count = this.#presence.count(this.#now(), (step, agoMs) => agoMs >= this.#resetMsOf(step));
    return { ...count, complete: this.#isComplete };
  }

  /** `olderMs`: who came in longer ago is apart; null: by the access point's `resetMinutes`. */
  *rollCall(olderMs: number | null): Slices<RollCall> {
    const now = this.#now();
    const isOverdue = (step: Step, agoMs: number): boolean => agoMs >= (olderMs ?? this.#resetMsOf(step));
    const people = yield* this.#presence.people(now, isOverdue);
    people.sort((a, b) => (a.since < b.since ? -1 : 1));
    const overdue = people.filter((person) => person.overdue).length;
    return {
      at: new Date(now.wallMs).toISOString(),
      atTrusted: now.trusted,
      onSite: people.length - overdue,
      overdue,
      complete: this.#isComplete,
      people,
    };
  }

  /** Resolves once it is on the disk, or in force without, or refused. */
  async say({ event, card, when, who, ...request }: HandRequest): Promise<HandAnswer> {
    const stamp = this.#scribe.stamp();
    const direction = EVENTS[event];
    const accessPoint = request.accessPoint ?? this.#onlyOne(direction);
    const wallMs = when === null ? stamp.wallMs : readInstant(when);
    const why = request.why.trim();
    if (accessPoint === null || !this.#resetMs.has(accessPoint))
      return refused(this.#placeFault(accessPoint));
    if (wallMs === null) return refused(NO_TIME);
    const fault = wordFault(why, who) ?? timeFault(wallMs, stamp);
    if (fault !== null) return refused(fault);
    const word = { event, card, accessPoint, when: new Date(wallMs).toISOString(), why, who };
    const settlement = await this.#write(word, stamp);
    this.#presence.passed({
      card,
      direction,
      accessPoint,
      wallMs,
      trusted: stamp.trusted,
      monotonicMs: stamp.monotonicMs - (stamp.wallMs - wallMs),
      byHand: { who, why },
    });
    this.#changed();
    return { kind: "done", word: { ...word, isDurable: settlement.kind === "synced" } };
  }

  /** The access point that leads that way, where there is one; at a site that counts one way only, the one there is. */
  #onlyOne(direction: Direction): string | null {
    const { accessPoints } = this.#settings;
    const fitting = accessPoints.filter((accessPoint) => accessPoint.direction === direction);
    const [one, another] = fitting.length === 0 ? accessPoints : fitting;
    return one === undefined || another !== undefined ? null : one.id;
  }

  #placeFault(accessPoint: string | null): HandFault {
    const there = [...this.#resetMs.keys()].join(", ");
    const why =
      accessPoint === null
        ? `say at which access point: ${there}`
        : `there is no access point ${accessPoint}; there are ${there}`;
    return { code: "where", why };
  }

  #write({ event, card, accessPoint, when, why, who }: Omit<HandWord, "isDurable">, stamp: Stamp) {
    const { workplaceId } = this.#settings;
    const place = workplaceId === null ? {} : { workplaceId };
    const way = { accessPoint, direction: EVENTS[event], pulseMs: null };
    const facts = { event, manual: true, ...place, ...way, card, when, why, who };
    return this.#scribe.write("grindvakt.passage.v1", accessPoint, stamp, facts);
  }

  #resetMsOf({ accessPoint }: Step): number {
    return this.#resetMs.get(accessPoint) ?? RESET_MINUTES * MINUTE_MS;
  }

  #now(): Now {
    const stamp = this.#scribe.stamp();
    return { ...stamp, judgedMs: this.#scribe.judgedMs(stamp) };
  }
}

const NO_TIME: HandFault = {
  code: "when",
  why: "the time must be one with its offset, like 2026-12-24T16:00:00+01:00",
};

function refused(fault: HandFault): HandAnswer {
  return { kind: "refused", ...fault, isUsage: true };
}

function wordFault(why: string, { name }: Who): HandFault | null {
  if (why === "" || !isOneLine(why, WHY_CHARACTERS_MAX))
    return { code: "reason", why: `the reason must be one line of 1 to ${WHY_CHARACTERS_MAX} characters` };
  if (isOneLine(name, WHO_CHARACTERS_MAX)) return null;
  const words = `the name of who says so must be one line of at most ${WHO_CHARACTERS_MAX} characters`;
  return { code: "name", why: words };
}

function timeFault(saidMs: number, { trusted, wallMs }: Stamp): HandFault | null {
  if (saidMs === wallMs) return null;
  if (!trusted)
    return {
      code: "when-unset",
      why: "this machine's clock is not set yet, so no other time can be said than now",
    };
  if (saidMs > wallMs) return { code: "when-ahead", why: "that time has not come yet" };
  if (wallMs - saidMs < REMEMBERED_MS) return null;
  return { code: "when-long-ago", why: "that is more than seven days ago" };
}
