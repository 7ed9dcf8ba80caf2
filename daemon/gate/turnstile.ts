/**
 * The turnstile of one access point, from the moment a grant is decided: its pulse, what the relay did, and who passed. It holds
 * the values that the pure machines work on (`access-point.ts`, `passage.ts`) and writes down what they return.
 */
import type { InputEvents, Relay, RelayEvents, Stamp } from "../../drivers/driver.ts";
import type { Clock, Log, Timer } from "../../drivers/ports.ts";
import type { Settlement } from "../journal/journal.ts";
import { cut, type Scribe, timeOf } from "../journal/scribe.ts";
import type { Direction, Step } from "../presence/presence.ts";
import {
  type AccessPointState,
  grant,
  IDLE_ACCESS_POINT,
  present,
  pulseEnded,
  settle,
  type Ticket,
} from "./access-point.ts";
import { Contacts, type InputState, type InputUse } from "./contacts.ts";
import { createFlaps, type Flaps } from "./flaps.ts";
import { createNoise, type Noise } from "./noise.ts";
import { awaitPassage, giveUp, type Missed, NO_PASSAGE, opened, passed, stayedShut } from "./passage.ts";

/** A contact that closed just before the end is told of after it: it has to stand still first, and to be read. */
const CONTACT_DELAY_MS = 250;
/** Presses of the button a minute: more than people can go through; a button that chatters must not fill a disk. */
const REQUESTS_MAX_PER_MINUTE = 60;

export interface TurnstileSettings {
  id: string;
  direction: Direction;
  /** Null where no relay is wired. */
  pulseMs: number | null;
  repeatSeconds: number;
  whenJournalFails: "grant" | "deny";
  inputs: { passage?: { passageSeconds: number }; "request-to-exit"?: object; tamper?: object };
}

export interface TurnstileRooms {
  clock: Clock;
  log: Log;
  scribe: Scribe;
  /** A state has changed. */
  changed(): void;
  /** Who was let in has not gone through. */
  notThrough(passing: Step): void;
}

export interface RelayState {
  /** `starting` until it has been opened or has failed once. */
  state: "starting" | "up" | "down";
  /** RFC 3339; when it came into this state. */
  since: string;
  why: string | null;
}

/** What asked for an opening. `id`: of its event, once that is known; of a command its own. */
export interface Asker {
  kind: "tap" | "request" | "command";
  id: Settlement["id"];
  /** Where its card is from now on, if it goes through; null where there is no card. */
  passing: Step | null;
}

/** What became of a command to open: a pulse of its own, one that was running, or none. */
export type Opening = "started" | "running" | "withheld";

interface Pulse {
  ticket: Ticket;
  asker: Asker;
  energisedMs: number | null;
}

export class Turnstile {
  readonly #settings: TurnstileSettings;
  readonly #rooms: TurnstileRooms;
  readonly #contacts: Contacts;
  readonly #noise: Record<InputUse, Noise>;
  readonly #flaps: Flaps;
  readonly #asking = new Map<Ticket, Asker>();
  #relay: Relay | null = null;
  #relayState: RelayState | null;
  #state: AccessPointState = IDLE_ACCESS_POINT;
  #pulse: Pulse | null = null;
  #passage = NO_PASSAGE;
  #giveUp: Timer | null = null;
  #nextTicket: Ticket = 1;

  constructor(settings: TurnstileSettings, rooms: TurnstileRooms) {
    const { id, pulseMs, inputs } = settings;
    const { clock, scribe } = rooms;
    this.#settings = settings;
    this.#rooms = rooms;
    this.#contacts = new Contacts(id, Object.keys(inputs) as InputUse[], {
      ...rooms,
      moved: (use, active, stamp) => this.#moved(use, active, stamp),
    });
    this.#noise = {
      passage: createNoise(clock, (count) => this.#write("passed-without-grant", null, { count })),
      "request-to-exit": createNoise(
        clock,
        (count) => this.#write("requests-ignored", null, { count }),
        REQUESTS_MAX_PER_MINUTE,
      ),
      tamper: createNoise(clock, (count) => this.#note("tamper-changes", scribe.stamp(), { count })),
    };
    this.#flaps = createFlaps(clock, {
      changed: (why) => this.#tellRelay(why),
      // What is only counted is not logged either.
      flapping: (count, why) => {
        rooms.log.warn("relay comes and goes", { accessPoint: id, count, why });
        this.#note("relay-flapping", scribe.stamp(), { count, why });
      },
    });
    this.#relayState = pulseMs === null ? null : { state: "starting", since: this.#now(), why: null };
  }

  /** Hands over the relay, before it starts. */
  attach(relay: Relay | null): void {
    this.#relay = relay;
  }

  /** Null where no relay is wired. */
  get relayState(): RelayState | null {
    return this.#relayState;
  }

  inputStates(): Partial<Record<InputUse, InputState>> {
    return this.#contacts.states();
  }

  inputEvents(use: InputUse): InputEvents {
    return this.#contacts.eventsOf(use);
  }

  /** Tells what was only counted so far. */
  close(): void {
    this.#giveUp?.cancel();
    for (const noise of Object.values(this.#noise)) noise.flush();
    this.#flaps.flush();
    this.#contacts.close();
  }

  // ---------------------------------------------------------------- a grant

  /** Whether this is the tap before once more. */
  isRepeated(credential: string, monotonicMs: number): boolean {
    const { state, repeated } = present(
      this.#state,
      credential,
      monotonicMs,
      this.#settings.repeatSeconds * 1_000,
    );
    this.#state = state;
    return repeated;
  }

  /** A grant was decided, and its line is on its way to the disk. `riding`: another has the pulse. */
  granted(): { ticket: Ticket; riding: boolean } {
    const ticket = this.#nextTicket;
    this.#nextTicket += 1;
    if (this.#settings.pulseMs === null) return { ticket, riding: false };
    const { state, riding } = grant(this.#state, ticket);
    this.#state = state;
    return { ticket, riding };
  }

  /** The line of a grant is on disk, or is not: the relay may move now, or may not. Returns whether it may. */
  settled(ticket: Ticket, asker: Asker, settlement: Settlement): boolean {
    const { pulseMs } = this.#settings;
    // Who sends a command does not stand in the rain: without a line on disk nobody could tell later who opened.
    const whenJournalFails = asker.kind === "command" ? "deny" : this.#settings.whenJournalFails;
    const mayOpen = settlement.kind === "synced" || whenJournalFails === "grant";
    if (!mayOpen) {
      const rule = asker.kind === "command" ? "a command opens nothing then" : "whenJournalFails is deny";
      const why = `the journal could not be written, and ${rule}`;
      this.#write("withheld", asker, { why });
      this.#notThrough(asker);
    }
    if (pulseMs === null) {
      if (!mayOpen) return false;
      // Nothing of ours opens here, but somebody may: what follows the tap is awaited all the same.
      this.#await(ticket, asker, true);
      this.#opened();
      return true;
    }
    const { state, start } = settle(this.#state, ticket, mayOpen);
    this.#state = state;
    if (mayOpen) this.#await(ticket, asker, start);
    if (!start) return mayOpen;
    this.#pulse = { ticket, asker, energisedMs: null };
    if (this.#relay === null) this.#relayEnded("failed", "the relay has not been started");
    else this.#relay.pulse(pulseMs);
    return mayOpen;
  }

  /**
   * A command to open. `write`: writes it down, before anything moves. Resolves with what became of it: a pulse of its own, the one
   * that was running, or none, as it could not be written.
   */
  async commanded(
    id: string,
    write: (facts: Readonly<Record<string, unknown>>) => Promise<Settlement>,
  ): Promise<Opening> {
    const { ticket, riding } = this.granted();
    const settlement = await write(riding ? { pulse: "running" } : {});
    const mayOpen = this.settled(ticket, { kind: "command", id, passing: null }, settlement);
    if (!mayOpen) return "withheld";
    return this.#pulse?.ticket === ticket || !riding ? "started" : "running";
  }

  /** A grant of the run before whose outcome was never written: reported as such, and never pulsed again. */
  outcomeUnknown(kind: Asker["kind"], id: string): void {
    const why = "the gateway stopped before the outcome was written";
    this.#write("unknown", { kind, id, passing: null }, { why });
  }

  // ---------------------------------------------------------------- the relay

  relayEvents(): RelayEvents {
    let isDown = false;
    return {
      energised: () => this.#energised(),
      released: () => this.#relayEnded("opened", null),
      failed: (why) => this.#relayEnded("failed", why),
      up: () => {
        this.#relayChanged("up", null);
        // The first time is what everybody expects; afterwards it ends an alarm. Its driver logs both.
        if (isDown) this.#flaps.take(null);
        isDown = false;
      },
      down: (why) => {
        this.#relayChanged("down", why);
        // Another reason for the same outage is shown, and is no event.
        if (!isDown) this.#flaps.take(why);
        isDown = true;
      },
    };
  }

  #energised(): void {
    if (this.#pulse === null) return;
    this.#pulse.energisedMs = this.#rooms.clock.monotonicMs();
    this.#opened();
  }

  #relayEnded(event: "opened" | "failed", why: string | null): void {
    if (this.#pulse === null) return;
    const { ticket, asker, energisedMs } = this.#pulse;
    const { clock, log } = this.#rooms;
    this.#pulse = null;
    this.#state = pulseEnded(this.#state);
    if (energisedMs === null) {
      this.#notThrough(asker);
      // Its own outcome is `failed`; those that rode along are missed.
      this.#asking.delete(ticket);
      this.#tellMissed(stayedShut(this.#passage));
    }
    const heldMs = energisedMs === null ? 0 : Math.round(clock.monotonicMs() - energisedMs);
    if (why !== null) log.error("relay failed", { accessPoint: this.#settings.id, why });
    this.#write(event, asker, { heldMs, ...(why === null ? {} : { why }) });
  }

  #tellRelay(why: string | null): void {
    const stamp = this.#rooms.scribe.stamp();
    if (why === null) this.#note("relay-up", stamp, {});
    else this.#note("relay-down", stamp, { why });
  }

  #relayChanged(state: RelayState["state"], why: string | null): void {
    const since =
      state === "down" && this.#relayState?.state === state ? this.#relayState.since : this.#now();
    this.#relayState = { state, since, why: why === null ? null : cut(why) };
    this.#rooms.changed();
  }

  // ---------------------------------------------------------------- the contacts

  #moved(use: InputUse, active: boolean, stamp: Stamp): void {
    switch (use) {
      case "passage":
        return active ? this.#passed(stamp) : undefined;
      case "request-to-exit":
        return active ? this.#requested(stamp) : undefined;
      case "tamper":
        // What is only counted is not logged either: a contact that chatters must fill no disk.
        if (!this.#noise.tamper.admit()) return;
        if (active) this.#rooms.log.warn("tamper", { accessPoint: this.#settings.id });
        this.#note("tamper", stamp, { active });
    }
  }

  #passed(stamp: Stamp): void {
    const { state, ticket } = passed(this.#passage, stamp.monotonicMs);
    this.#passage = state;
    const asker = ticket === null ? undefined : this.#asking.get(ticket);
    if (ticket !== null) this.#asking.delete(ticket);
    if (asker !== undefined) return void this.#write("passed", asker, {}, stamp);
    if (!this.#noise.passage.admit()) return;
    this.#rooms.log.warn("passed without a grant", { accessPoint: this.#settings.id });
    this.#write("passed-without-grant", null, {}, stamp);
  }

  /** Journaled like a grant, and before anything moves. */
  #requested(stamp: Stamp): void {
    if (!this.#noise["request-to-exit"].admit()) return;
    const { ticket, riding } = this.granted();
    this.#write("request-to-exit", null, riding ? { pulse: "running" } : {}, stamp).then((settlement) =>
      this.settled(ticket, { kind: "request", id: settlement.id, passing: null }, settlement),
    );
  }

  #await(ticket: Ticket, asker: Asker, ownPulse: boolean): void {
    if (!this.#contacts.isThere("passage")) return;
    this.#asking.set(ticket, asker);
    this.#tellMissed(awaitPassage(this.#passage, ticket, ownPulse));
    this.#schedule();
  }

  /** The turnstile can be pushed from now on, and for as long as the relay is held at least. */
  #opened(): void {
    const { inputs, pulseMs } = this.#settings;
    const waitMs = Math.max((inputs.passage?.passageSeconds ?? 0) * 1_000, pulseMs ?? 0);
    this.#passage = opened(this.#passage, this.#rooms.clock.monotonicMs() + waitMs);
    this.#schedule();
  }

  #schedule(): void {
    const [next] = this.#passage.awaited.flatMap(({ untilMs }) => (untilMs === null ? [] : [untilMs]));
    this.#giveUp?.cancel();
    this.#giveUp = null;
    if (next === undefined) return;
    const { clock } = this.#rooms;
    this.#giveUp = clock.after(Math.max(0, next + CONTACT_DELAY_MS - clock.monotonicMs()), () => {
      this.#tellMissed(giveUp(this.#passage, clock.monotonicMs() - CONTACT_DELAY_MS + 1));
      this.#schedule();
    });
  }

  #tellMissed({ state, missed }: Missed): void {
    this.#passage = state;
    for (const ticket of missed) {
      const asker = this.#asking.get(ticket);
      if (asker === undefined) continue;
      this.#asking.delete(ticket);
      // Of a contact that is gone, silence says nothing.
      if (!this.#contacts.isThere("passage")) continue;
      this.#notThrough(asker);
      this.#write("not-passed", asker, {});
    }
  }

  #notThrough({ passing }: Asker): void {
    if (passing !== null) this.#rooms.notThrough(passing);
  }

  // ---------------------------------------------------------------- writing down

  /** `asker`: whose event it belongs to; where that has no id yet, this is written once it has. */
  async #write(
    event: string,
    asker: Asker | null,
    data: Readonly<Record<string, unknown>>,
    stamp = this.#rooms.scribe.stamp(),
  ): Promise<Settlement> {
    const { id, direction, pulseMs } = this.#settings;
    const asked =
      asker === null ? {} : { [asker.kind]: asker.id instanceof Promise ? await asker.id : asker.id };
    const facts = { event, accessPoint: id, direction, pulseMs, ...asked, ...data };
    return this.#rooms.scribe.write("grindvakt.passage.v1", id, stamp, facts);
  }

  #note(event: string, stamp: Stamp, data: Readonly<Record<string, unknown>>): void {
    const facts = { event, accessPoint: this.#settings.id, ...data };
    this.#rooms.scribe.write("grindvakt.gateway.v1", "gateway", stamp, facts);
  }

  #now(): string {
    return timeOf(this.#rooms.scribe.stamp());
  }
}
