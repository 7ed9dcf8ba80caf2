/** The contacts of one access point: which are wired, whether each is there, and how it stands. */
import type { InputEvents, Stamp } from "../../drivers/driver.ts";
import type { Clock, Log } from "../../drivers/ports.ts";
import { cut, type Scribe, timeOf } from "../journal/scribe.ts";
import { createFlaps, type Flaps } from "./flaps.ts";

/**
 * A contact that is found closed when its device comes up has not moved: a button that is stuck, or shorted, must not open
 * the gate at every start. Drivers tell what they find within this.
 */
const FOUND_MS = 50;

export type InputUse = "passage" | "request-to-exit" | "tamper";

export interface InputState {
  /** `starting` until it has been opened or has failed once; then, while it is there, how the contact stands. */
  state: "starting" | "down" | "open" | "closed";
  /** RFC 3339; when it came into this state. */
  since: string;
  why: string | null;
}

export interface ContactsRooms {
  clock: Clock;
  log: Log;
  scribe: Scribe;
  /** A contact closed (`active`) or opened. Of a tamper switch also that it was found closed. */
  moved(use: InputUse, active: boolean, stamp: Stamp): void;
  /** A state has changed. */
  changed(): void;
}

export class Contacts {
  readonly #accessPoint: string;
  readonly #rooms: ContactsRooms;
  readonly #states = new Map<InputUse, InputState>();
  /** From when on a closed contact is one that has moved. */
  readonly #watchedFromMs = new Map<InputUse, number>();
  readonly #flaps: Flaps[] = [];

  constructor(accessPoint: string, uses: readonly InputUse[], rooms: ContactsRooms) {
    this.#accessPoint = accessPoint;
    this.#rooms = rooms;
    for (const use of uses) this.#states.set(use, { state: "starting", since: this.#now(), why: null });
  }

  /** Whether it is wired and there: only then does its silence say anything. */
  isThere(use: InputUse): boolean {
    const state = this.#states.get(use)?.state;
    return state === "open" || state === "closed";
  }

  states(): Partial<Record<InputUse, InputState>> {
    return Object.fromEntries(this.#states);
  }

  /** Tells what was only counted so far. */
  close(): void {
    for (const flaps of this.#flaps) flaps.flush();
  }

  eventsOf(use: InputUse): InputEvents {
    const accessPoint = this.#accessPoint;
    const { clock, log } = this.#rooms;
    // That it goes and comes is logged by its driver.
    const flaps = createFlaps(clock, {
      changed: (why) => {
        if (why === null) this.#note("input-up", use, {});
        else this.#note("input-down", use, { why });
      },
      flapping: (count, why) => {
        log.warn("input comes and goes", { accessPoint, input: use, count, why });
        this.#note("input-flapping", use, { count, why });
      },
    });
    this.#flaps.push(flaps);
    let isDown = false;
    let isActive = false;
    return {
      changed: (active, stamp) => {
        isActive = active;
        this.#change(use, active ? "closed" : "open", null);
        const isFound =
          active && stamp.monotonicMs < (this.#watchedFromMs.get(use) ?? Number.POSITIVE_INFINITY);
        if (isFound && use !== "tamper") log.warn("a contact was found closed", { accessPoint, input: use });
        if (!isFound || use === "tamper") this.#rooms.moved(use, active, stamp);
      },
      up: () => {
        this.#watchedFromMs.set(use, this.#rooms.scribe.stamp().monotonicMs + FOUND_MS);
        this.#change(use, isActive ? "closed" : "open", null);
        // The first time is what everybody expects; afterwards it ends an alarm.
        if (isDown) flaps.take(null);
        isDown = false;
      },
      down: (why) => {
        this.#change(use, "down", why);
        // Another reason for the same outage is shown, and is no event.
        if (!isDown) flaps.take(why);
        isDown = true;
      },
    };
  }

  #change(use: InputUse, state: InputState["state"], why: string | null): void {
    const before = this.#states.get(use);
    const since = state === "down" && before?.state === state ? before.since : this.#now();
    this.#states.set(use, { state, since, why: why === null ? null : cut(why) });
    this.#rooms.changed();
  }

  #note(event: string, input: InputUse, data: Readonly<Record<string, unknown>>): void {
    const { scribe } = this.#rooms;
    const facts = { event, accessPoint: this.#accessPoint, input, ...data };
    scribe.write("grindvakt.gateway.v1", "gateway", scribe.stamp(), facts);
  }

  #now(): string {
    return timeOf(this.#rooms.scribe.stamp());
  }
}
