/**
 * The gateway's loop: the way of a tap, from a reader's words to the relay's.
 *
 * intake -> repeat? -> decide -> journal -> turnstile and light. It holds the value that the pure rooms work on (the list in
 * force) and carries out what they return; what the turnstile does then is `turnstile.ts`.
 * Nothing here waits: the journal, relays and the list answer by calling back.
 */
import type {
  InputEvents,
  Reader,
  ReaderEvents,
  Reading,
  Relay,
  RelayEvents,
  Stamp,
} from "../../drivers/driver.ts";
import type { Clock, Log } from "../../drivers/ports.ts";
import type { ListAge, ListChange, ListInForce, SyncEvents } from "../../sync/sync.ts";
import type { Settlement } from "../journal/journal.ts";
import type { UnknownOutcome } from "../journal/resume.ts";
import { type Scribe, timeOf } from "../journal/scribe.ts";
import type { Presence, Step } from "../presence/presence.ts";
import { parseOpeningHours } from "../site/opening-hours.ts";
import type { SiteRules } from "../site/site-desk.ts";
import type { SiteTime } from "../site/site-time.ts";
import type { InputState, InputUse } from "./contacts.ts";
import { type Decision, type DecisionRules, decide, type ListRules } from "./decide.ts";
import { Intake } from "./intake.ts";
import type { ReaderState } from "./reader-state.ts";
import { tapData } from "./tap-event.ts";
import { type Asker, type RelayState, Turnstile, type TurnstileSettings } from "./turnstile.ts";

const MINUTE_MS = 60_000;

export interface AccessPointSettings extends TurnstileSettings {
  readers: readonly string[];
  passback: { mode: "off" | "report" | "deny"; resetMinutes: number };
  hours: readonly string[];
}

export interface GatewaySettings extends ListRules {
  workplaceId: string | null;
  siteTime: SiteTime;
  accessPoints: readonly AccessPointSettings[];
}

export interface GatewayRooms {
  scribe: Scribe;
  listAge(): ListAge;
  site: SiteRules;
  presence: Presence;
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
  /** The same instant by the monotonic clock, to measure from. */
  monotonicMs: number;
  decision: Decision;
}

interface AccessPointDesk {
  settings: AccessPointSettings;
  rules: DecisionRules;
  turnstile: Turnstile;
}

export class Gateway {
  readonly #settings: GatewaySettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rooms: GatewayRooms;
  readonly #scribe: Scribe;
  readonly #intake: Intake;
  readonly #accessPoints = new Map<string, AccessPointDesk>();
  readonly #accessPointOf = new Map<string, AccessPointDesk>();
  #readers: ReadonlyMap<string, Reader> = new Map();
  #list: ListInForce | null = null;

  constructor(settings: GatewaySettings, world: { clock: Clock; log: Log }, rooms: GatewayRooms) {
    this.#settings = settings;
    this.#clock = world.clock;
    this.#log = world.log;
    this.#rooms = rooms;
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
    this.#readers = devices.readers;
    for (const [id, { turnstile }] of this.#accessPoints) turnstile.attach(devices.relays.get(id) ?? null);
  }

  get list(): ListInForce | null {
    return this.#list;
  }

  readerStates(): Record<string, ReaderState> {
    return this.#intake.states();
  }

  /** Taps wait, and none is decided. */
  get isStill(): boolean {
    return this.#intake.isStill;
  }

  // ---------------------------------------------------------------- what devices say

  readerEvents(id: string): ReaderEvents {
    return this.#intake.eventsOf(id);
  }

  relayEvents(accessPoint: string): RelayEvents {
    return this.#turnstile(accessPoint).relayEvents();
  }

  relayStates(): Record<string, RelayState> {
    const states = [...this.#accessPoints].map(([id, { turnstile }]) => [id, turnstile.relayState] as const);
    return Object.fromEntries(states.flatMap(([id, state]) => (state === null ? [] : [[id, state]])));
  }

  inputEvents(accessPoint: string, use: InputUse): InputEvents {
    return this.#turnstile(accessPoint).inputEvents(use);
  }

  inputStates(): Record<string, Partial<Record<InputUse, InputState>>> {
    const states = [...this.#accessPoints].map(
      ([id, { turnstile }]) => [id, turnstile.inputStates()] as const,
    );
    return Object.fromEntries(states.filter(([, inputs]) => Object.keys(inputs).length > 0));
  }

  #turnstile(accessPoint: string): Turnstile {
    const desk = this.#accessPoints.get(accessPoint);
    if (desk === undefined) throw new Error(`there is no access point ${accessPoint}`);
    return desk.turnstile;
  }

  /** The turnstile of an access point that has a relay, or null. */
  turnstileOf(accessPoint: string): Turnstile | null {
    const desk = this.#accessPoints.get(accessPoint);
    return desk === undefined || desk.settings.pulseMs === null ? null : desk.turnstile;
  }

  // ---------------------------------------------------------------- the way of a tap

  #take(reader: string, reading: Reading, stamp: Stamp): boolean {
    const desk = this.#accessPointOf.get(reader);
    if (desk === undefined) return false;
    if (reading.kind === "credential") {
      const { credential } = reading;
      const key = credential.kind === "number" ? credential.number : `${credential.part}:${credential.uid}`;
      if (desk.turnstile.isRepeated(key, stamp.monotonicMs)) return false;
    }
    this.#decideTap(desk, reader, reading, stamp);
    return true;
  }

  #decideTap(desk: AccessPointDesk, reader: string, reading: Reading, stamp: Stamp): void {
    const age = this.#rooms.listAge();
    const decision = decide(reading, desk.rules, this.#circumstances(desk, age, stamp));
    // Now, not when the disk has answered: until then the card could be presented at another gate.
    const passing = decision.granted ? this.#passed(decision.card, desk.settings, stamp) : null;
    const grant = decision.granted ? desk.turnstile.granted() : null;
    if (grant === null) this.#readers.get(reader)?.signal?.("denied");
    const data = tapData({
      workplaceId: this.#settings.workplaceId,
      accessPoint: desk.settings.id,
      direction: desk.settings.direction,
      reader,
      reading,
      decision,
      riding: grant?.riding ?? false,
      list: this.#list,
      age,
      hashToken: this.#rooms.hashToken,
    });
    this.#scribe.write("grindvakt.tap.v1", desk.settings.id, stamp, data).then((settlement) => {
      if (grant === null) return;
      const asker: Asker = { kind: "tap", id: settlement.id, passing };
      const mayOpen = desk.turnstile.settled(grant.ticket, asker, settlement);
      this.#readers.get(reader)?.signal?.(mayOpen ? "granted" : "denied");
    });
    const { monotonicMs } = stamp;
    this.#rooms.tapped({
      accessPoint: desk.settings.id,
      reader,
      time: timeOf(stamp),
      monotonicMs,
      decision,
    });
  }

  #passed(card: string | null, { id, direction }: AccessPointSettings, stamp: Stamp): Step | null {
    if (card === null) return null;
    return this.#rooms.presence.passed({ ...stamp, card, direction, accessPoint: id, byHand: null });
  }

  #circumstances(desk: AccessPointDesk, age: ListAge, stamp: Stamp) {
    const { passback } = desk.settings;
    return {
      list: this.#list === null ? null : { index: this.#list.index, freshness: age.freshness },
      site: this.#rooms.site,
      whereabouts: (card: string) =>
        this.#rooms.presence.whereabouts(card, stamp, passback.resetMinutes * MINUTE_MS),
      day: this.#settings.siteTime.dayOf(this.#scribe.judgedMs(stamp)),
      minuteOfWeek: stamp.trusted ? this.#settings.siteTime.minuteOfWeekOf(stamp.wallMs) : null,
    };
  }

  /** Openings of the run before whose outcome was never written: reported as such, and never pulsed again. */
  resume(unknownOutcomes: readonly UnknownOutcome[]): void {
    for (const { accessPoint, kind, id } of unknownOutcomes)
      this.#accessPoints.get(accessPoint)?.turnstile.outcomeUnknown(kind, id);
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
    for (const { turnstile } of this.#accessPoints.values()) turnstile.close();
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
      turnstile: new Turnstile(settings, {
        clock: this.#clock,
        log: this.#log,
        scribe: this.#scribe,
        changed: this.#rooms.changed,
        notThrough: (passing) => this.#rooms.presence.takeBack(passing),
      }),
    };
    this.#accessPoints.set(settings.id, desk);
    for (const reader of settings.readers) this.#accessPointOf.set(reader, desk);
  }
}
