/**
 * The gateway's loop: the way of a tap, from a reader's words to the relay's.
 *
 * intake -> repeat? -> decide -> journal -> relay and light. It holds the values that the pure rooms work on (each access
 * point's state, the list in force, which way each card last went) and carries out what they return. Nothing here waits:
 * the journal, relays and the list answer by calling back.
 */
import type { Reader, ReaderEvents, Reading, Relay, RelayEvents, Stamp } from "../drivers/driver.ts";
import type { Clock, Log } from "../drivers/ports.ts";
import type { ListAge, ListChange, ListInForce, SyncEvents } from "../sync/sync.ts";
import {
  type AccessPointState,
  grant,
  IDLE_ACCESS_POINT,
  present,
  pulseEnded,
  settle,
} from "./access-point.ts";
import { type Decision, type DecisionRules, decide, type SiteRules } from "./decide.ts";
import { Intake } from "./intake.ts";
import type { Settlement } from "./journal.ts";
import { parseOpeningHours } from "./opening-hours.ts";
import { createPresence } from "./presence.ts";
import type { ReaderState } from "./reader-state.ts";
import { type Scribe, timeOf } from "./scribe.ts";
import { createSiteTime, type SiteTime } from "./site-time.ts";
import type { RelayState } from "./status.ts";
import { cut, tapData } from "./tap-event.ts";

const MINUTE_MS = 60_000;

export interface AccessPointSettings {
  id: string;
  direction: "entry" | "exit";
  readers: readonly string[];
  /** Null where no relay is wired. */
  pulseMs: number | null;
  repeatSeconds: number;
  passback: { mode: "off" | "report" | "deny"; resetMinutes: number };
  hours: readonly string[];
  whenJournalFails: "grant" | "deny";
}

export interface GatewaySettings {
  workplaceId: string | null;
  timeZone: string;
  admit: "listed" | "site-allowed";
  whenStale: "grant-listed" | "deny";
  accessPoints: readonly AccessPointSettings[];
}

export interface GatewayRooms {
  scribe: Scribe;
  listAge(): ListAge;
  site: SiteRules;
  /** A keyed hash, in hex: how a token is named outside. */
  hashToken(uid: string): string;
  /** Something that the state topics or the console show has changed. */
  changed(): void;
  /** A tap was decided; for eyes in this process. */
  tapped(tap: TapView): void;
}

/** A decided tap, as the console and the demo show it. */
export interface TapView {
  accessPoint: string;
  reader: string;
  time: string;
  decision: Decision;
}

/** A tap that waits for its outcome: its event's id, once that is known, and the card that was let in. */
interface PulseInFlight {
  id: Settlement["id"];
  card: string | null;
  energisedMs: number | null;
}

interface AccessPointDesk {
  settings: AccessPointSettings;
  rules: DecisionRules;
  state: AccessPointState;
  pulse: PulseInFlight | null;
}

export class Gateway {
  readonly #settings: GatewaySettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rooms: GatewayRooms;
  readonly #siteTime: SiteTime;
  readonly #scribe: Scribe;
  readonly #intake: Intake;
  readonly #presence = createPresence();
  readonly #accessPoints = new Map<string, AccessPointDesk>();
  readonly #relayState = new Map<string, RelayState>();
  readonly #accessPointOf = new Map<string, AccessPointDesk>();
  #devices: { readers: ReadonlyMap<string, Reader>; relays: ReadonlyMap<string, Relay> } = {
    readers: new Map(),
    relays: new Map(),
  };
  #list: ListInForce | null = null;
  #nextTicket = 1;

  constructor(settings: GatewaySettings, world: { clock: Clock; log: Log }, rooms: GatewayRooms) {
    this.#settings = settings;
    this.#clock = world.clock;
    this.#log = world.log;
    this.#rooms = rooms;
    this.#siteTime = createSiteTime(settings.timeZone);
    this.#scribe = rooms.scribe;
    for (const accessPoint of settings.accessPoints) this.#furnish(accessPoint);
    this.#intake = new Intake([...this.#accessPointOf.keys()], world.clock, {
      scribe: this.#scribe,
      take: (reader, reading, stamp) => this.#take(reader, reading, stamp),
      changed: rooms.changed,
    });
  }

  /** Hands over the devices, before they start. */
  attach(devices: { readers: ReadonlyMap<string, Reader>; relays: ReadonlyMap<string, Relay> }): void {
    this.#devices = devices;
  }

  get list(): ListInForce | null {
    return this.#list;
  }

  readerStates(): Record<string, ReaderState> {
    return this.#intake.states();
  }

  // ---------------------------------------------------------------- what devices say

  readerEvents(id: string): ReaderEvents {
    return this.#intake.eventsOf(id);
  }

  relayStates(): Record<string, RelayState> {
    return Object.fromEntries(this.#relayState);
  }

  #relayChanged(accessPoint: string, state: RelayState["state"], why: string | null): void {
    const since = timeOf(this.#scribe.stamp());
    this.#relayState.set(accessPoint, { state, since, why: why === null ? null : cut(why) });
    this.#rooms.changed();
  }

  relayEvents(accessPoint: string): RelayEvents {
    let isDown = false;
    return {
      energised: () => this.#relayEnergised(accessPoint),
      released: () => this.#relayEnded(accessPoint, "opened", null),
      failed: (why) => this.#relayEnded(accessPoint, "failed", why),
      up: ({ model }) => {
        this.#relayChanged(accessPoint, "up", null);
        this.#log.info("relay is up", { accessPoint, model });
        // The first time is what everybody expects; afterwards it ends an alarm.
        if (isDown) this.note("relay-up", { accessPoint });
        isDown = false;
      },
      down: (why) => {
        this.#relayChanged(accessPoint, "down", why);
        this.#log.warn("relay is down", { accessPoint, why });
        this.note("relay-down", { accessPoint, why });
        isDown = true;
      },
    };
  }

  // ---------------------------------------------------------------- the way of a tap

  #take(reader: string, reading: Reading, stamp: Stamp): boolean {
    const desk = this.#accessPointOf.get(reader);
    if (desk === undefined) return false;
    if (reading.kind === "credential") {
      const { credential } = reading;
      const key = credential.kind === "number" ? credential.number : `${credential.part}:${credential.uid}`;
      const repeatMs = desk.settings.repeatSeconds * 1_000;
      const { state, repeated } = present(desk.state, key, stamp.monotonicMs, repeatMs);
      desk.state = state;
      if (repeated) return false;
    }
    this.#decideTap(desk, reader, reading, stamp);
    return true;
  }

  #decideTap(desk: AccessPointDesk, reader: string, reading: Reading, stamp: Stamp): void {
    const age = this.#rooms.listAge();
    const decision = decide(reading, desk.rules, this.#circumstances(desk, age, stamp));
    const ticket = this.#nextTicket;
    this.#nextTicket += 1;
    let riding = false;
    if (decision.granted) {
      // Now, not when the disk has answered: until then the card could be presented at another gate.
      if (decision.card !== null)
        this.#presence.granted(decision.card, desk.settings.direction, stamp.monotonicMs);
      if (desk.settings.pulseMs !== null) {
        const granted = grant(desk.state, ticket);
        desk.state = granted.state;
        riding = granted.riding;
      }
    } else this.#devices.readers.get(reader)?.signal?.("denied");
    const data = tapData({
      workplaceId: this.#settings.workplaceId,
      accessPoint: desk.settings.id,
      direction: desk.settings.direction,
      reader,
      reading,
      decision,
      riding,
      list: this.#list,
      age,
      hashToken: this.#rooms.hashToken,
    });
    this.#scribe.write("grindvakt.tap.v1", desk.settings.id, stamp, data).then((settlement) => {
      if (decision.granted) this.#grantSettled(desk, reader, ticket, decision.card, settlement);
    });
    this.#rooms.tapped({ accessPoint: desk.settings.id, reader, time: timeOf(stamp), decision });
  }

  #circumstances(desk: AccessPointDesk, age: ListAge, stamp: Stamp) {
    const { passback } = desk.settings;
    return {
      list: this.#list === null ? null : { index: this.#list.index, freshness: age.freshness },
      site: this.#rooms.site,
      whereabouts: (card: string) =>
        this.#presence.whereabouts(card, stamp.monotonicMs, passback.resetMinutes * MINUTE_MS),
      day: this.#siteTime.dayOf(this.#scribe.judgedMs(stamp)),
      minuteOfWeek: stamp.trusted ? this.#siteTime.minuteOfWeekOf(stamp.wallMs) : null,
    };
  }

  /** The line of a grant is on disk, or is not: the relay may move now, or may not. */
  #grantSettled(
    desk: AccessPointDesk,
    reader: string,
    ticket: number,
    card: string | null,
    settlement: Settlement,
  ): void {
    const mayOpen = settlement.kind === "synced" || desk.settings.whenJournalFails === "grant";
    const { id, pulseMs } = desk.settings;
    this.#devices.readers.get(reader)?.signal?.(mayOpen ? "granted" : "denied");
    if (!mayOpen) {
      const why = "the journal could not be written, and whenJournalFails is deny";
      this.#writePassage(desk, "withheld", settlement.id, { why });
      if (card !== null) this.#presence.forget(card);
    }
    if (pulseMs === null) return;
    const { state, start } = settle(desk.state, ticket, mayOpen);
    desk.state = state;
    if (!start) return;
    desk.pulse = { id: settlement.id, card, energisedMs: null };
    const relay = this.#devices.relays.get(id);
    if (relay === undefined) this.#relayEnded(id, "failed", "the relay has not been started");
    else relay.pulse(pulseMs);
  }

  #relayEnergised(accessPoint: string): void {
    const pulse = this.#accessPoints.get(accessPoint)?.pulse;
    if (pulse !== null && pulse !== undefined) pulse.energisedMs = this.#clock.monotonicMs();
  }

  #relayEnded(accessPoint: string, event: "opened" | "failed", why: string | null): void {
    const desk = this.#accessPoints.get(accessPoint);
    if (desk === undefined || desk.pulse === null) return;
    const { id, card, energisedMs } = desk.pulse;
    desk.pulse = null;
    if (energisedMs === null && card !== null) this.#presence.forget(card);
    desk.state = pulseEnded(desk.state);
    const heldMs = energisedMs === null ? 0 : Math.round(this.#clock.monotonicMs() - energisedMs);
    if (why !== null) this.#log.error("relay failed", { accessPoint, why });
    this.#writePassage(desk, event, id, { heldMs, ...(why === null ? {} : { why }) });
  }

  /** Grants of the run before whose outcome was never written: reported as such, and never pulsed again. */
  resume(unknownOutcomes: readonly { accessPoint: string; tap: string }[]): void {
    const why = "the gateway stopped before the outcome was written";
    for (const { accessPoint, tap } of unknownOutcomes) {
      const desk = this.#accessPoints.get(accessPoint);
      if (desk !== undefined) this.#writePassage(desk, "unknown", tap, { why });
    }
  }

  /** `tap`: the id of the tap's event; where that is not certain yet, the passage is written once it is. */
  async #writePassage(
    { settings }: AccessPointDesk,
    event: string,
    tap: Settlement["id"],
    data: Record<string, unknown>,
  ): Promise<void> {
    const stamp = this.#scribe.stamp();
    this.#scribe.write("grindvakt.passage.v1", settings.id, stamp, {
      event,
      accessPoint: settings.id,
      direction: settings.direction,
      pulseMs: settings.pulseMs,
      tap: tap instanceof Promise ? await tap : tap,
      ...data,
    });
  }

  // ---------------------------------------------------------------- what the list says

  readonly listEvents: SyncEvents = {
    swapped: (list: ListInForce, change: ListChange) => {
      this.#list = list;
      this.#scribe.write("grindvakt.list.v1", "list", this.#scribe.stamp(), { event: "in-force", ...change });
      this.#log.info("card list in force", { revision: change.to, cards: change.cards, from: change.source });
      this.#rooms.changed();
    },
    refreshed: () => this.#rooms.changed(),
    refused: ({ name, why }) => {
      this.#scribe.write("grindvakt.list.v1", "list", this.#scribe.stamp(), { event: "refused", name, why });
      this.#log.warn(name === "unreachable" ? "feed out of reach" : "card list refused", { name, why });
      this.#rooms.changed();
    },
  };

  // ---------------------------------------------------------------- writing down

  /** The last word of this run: what was only counted so far, and that it stops. */
  stopped(): Promise<Settlement> {
    this.#intake.close();
    return this.note("stopped", {});
  }

  /** Journals and reports something about the gateway itself. */
  note(event: string, data: Record<string, unknown>): Promise<Settlement> {
    return this.#scribe.write("grindvakt.gateway.v1", "gateway", this.#scribe.stamp(), { event, ...data });
  }

  #furnish(settings: AccessPointSettings): void {
    const desk: AccessPointDesk = {
      settings,
      rules: {
        direction: settings.direction,
        admit: this.#settings.admit,
        whenStale: this.#settings.whenStale,
        hours: parseOpeningHours(settings.hours),
        passback: settings.passback.mode,
      },
      state: IDLE_ACCESS_POINT,
      pulse: null,
    };
    this.#accessPoints.set(settings.id, desk);
    if (settings.pulseMs !== null) this.#relayChanged(settings.id, "starting", null);
    for (const reader of settings.readers) this.#accessPointOf.set(reader, desk);
  }
}
