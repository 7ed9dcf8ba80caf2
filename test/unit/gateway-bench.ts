/**
 * A gateway on a bench: the real loop between rooms of a few lines each, whose answers the test decides.
 */

import type { InputUse } from "../../daemon/gate/contacts.ts";
import {
  type AccessPointSettings,
  Gateway,
  type GatewaySettings,
  type TapView,
} from "../../daemon/gate/gateway.ts";
import type { Settlement } from "../../daemon/journal/journal.ts";
import type { Draft } from "../../daemon/journal/record.ts";
import { Scribe } from "../../daemon/journal/scribe.ts";
import { Presence } from "../../daemon/presence/presence.ts";
import { createSiteTime } from "../../daemon/site/site-time.ts";
import type {
  Assurance,
  Credential,
  InputEvents,
  MisreadReason,
  Reading,
  Signal,
  Stamp,
} from "../../drivers/driver.ts";
import type { Card, CardAnswer, CardIndex } from "../../sync/card.ts";
import type { ListAge, ListInForce } from "../../sync/sync.ts";
import { SimClock, type SimClockOptions } from "../sim/clock.ts";
import { SimLog } from "../sim/log.ts";

export const BOOT = "boot-1";
export const TOKEN = "04A1B2C3D4E5F6";
export const NUMBER = "BB-1234-567890";

/** A line on its way to the disk. */
export interface PendingLine {
  draft: Draft;
  settle(settlement: Settlement): void;
}

export interface BenchOptions {
  clock?: SimClockOptions;
  settings?: Partial<GatewaySettings>;
  accessPoints?: readonly (Partial<AccessPointSettings> & { id: string })[];
}

export class GatewayBench {
  readonly clock: SimClock;
  readonly log = new SimLog();
  readonly gateway: Gateway;
  /** Everything that was to be written down, in order. */
  readonly drafts: Draft[] = [];
  /** `synced`: each line at once. `held`: the test settles the lines in `pending`. */
  disk: "synced" | "held" = "synced";
  readonly pending: PendingLine[] = [];
  readonly signals: { reader: string; signal: Signal }[] = [];
  readonly pulses: { accessPoint: string; durationMs: number }[] = [];
  readonly taps: TapView[] = [];
  readonly #inputs = new Map<string, InputEvents>();
  changes = 0;
  age: ListAge = { freshness: "fresh", ageSeconds: 35, refreshedAtMs: Date.parse("2026-11-23T05:59:25Z") };
  readonly scribe: Scribe;
  readonly presence = new Presence();
  readonly blocked = new Set<string>();
  readonly allowed = new Set<string>();

  constructor(options: BenchOptions = {}) {
    this.clock = new SimClock(options.clock);
    this.scribe = new Scribe(BOOT, this.clock, (draft) => this.#append(draft));
    const accessPoints = (options.accessPoints ?? [{ id: "north-in" }]).map(accessPointOf);
    const settings: GatewaySettings = {
      workplaceId: "8112345678",
      siteTime: createSiteTime("Europe/Stockholm"),
      admit: "listed",
      whenStale: "grant-listed",
      ...options.settings,
      accessPoints,
    };
    this.gateway = new Gateway(
      settings,
      { clock: this.clock, log: this.log },
      {
        scribe: this.scribe,
        listAge: () => this.age,
        site: { isBlocked: (card) => this.blocked.has(card), isAllowed: (card) => this.allowed.has(card) },
        presence: this.presence,
        hashToken: (uid) => Buffer.from(`keyed ${uid}`).toString("hex").padEnd(64, "0"),
        changed: () => {
          this.changes += 1;
        },
        tapped: (tap) => this.taps.push(tap),
      },
    );
    const readers = accessPoints.flatMap((accessPoint) => accessPoint.readers);
    this.gateway.attach({
      readers: new Map(readers.map((reader) => [reader, this.#reader(reader)])),
      relays: new Map(
        accessPoints.flatMap(({ id, pulseMs }) => (pulseMs === null ? [] : [[id, this.#relay(id)]])),
      ),
    });
  }

  #reader(reader: string) {
    return {
      start: async () => {},
      stop: async () => {},
      signal: (signal: Signal) => void this.signals.push({ reader, signal }),
    };
  }

  #relay(accessPoint: string) {
    return {
      start: async () => {},
      stop: async () => {},
      pulse: (durationMs: number) => void this.pulses.push({ accessPoint, durationMs }),
    };
  }

  #append(draft: Draft): Promise<Settlement> {
    this.drafts.push(draft);
    if (this.disk === "synced")
      return Promise.resolve({ kind: "synced", id: `gate-07/${this.drafts.length}` });
    return new Promise((settle) => this.pending.push({ draft, settle }));
  }

  // ---- what the world does

  useList(list: ListInForce): void {
    const { revision, index } = list;
    const change = { from: null, to: revision, cards: index.cards, ignoredRows: 0, source: "disk" as const };
    this.gateway.listEvents.swapped(list, change);
  }

  stamp(): Stamp {
    const { clock } = this;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs(), trusted: clock.trusted() };
  }

  present(reader: string, reading: Reading): void {
    this.gateway.readerEvents(reader).reading(reading, this.stamp());
  }

  /** The contact of this access point closes and opens again; its instant is now, or given. */
  touch(accessPoint: string, use: InputUse, stamp = this.stamp()): void {
    const input = this.#input(accessPoint, use);
    input.changed(true, stamp);
    input.changed(false, stamp);
  }

  #input(accessPoint: string, use: InputUse): InputEvents {
    const key = `${accessPoint} ${use}`;
    const events = this.#inputs.get(key) ?? this.gateway.inputEvents(accessPoint, use);
    this.#inputs.set(key, events);
    return events;
  }

  presentNumber(reader: string, number = NUMBER): void {
    this.present(reader, credential({ kind: "number", number }, "number"));
  }

  /** Lets everything that can settle without time passing settle. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  // ---- what came of it

  dataOf(type: string): Readonly<Record<string, unknown>>[] {
    return this.drafts.filter((draft) => draft.type === `grindvakt.${type}.v1`).map(({ data }) => data);
  }
}

/** A gateway with a list on which every number is active. */
export function openGate(options: BenchOptions = {}): GatewayBench {
  const bench = new GatewayBench(options);
  bench.useList(listOfAll());
  return bench;
}

export function credential(what: Credential, assurance: Assurance): Reading {
  return { kind: "credential", credential: what, assurance };
}

export function misread(reason: MisreadReason, step = "on the bench"): Reading {
  return { kind: "misread", reason, step };
}

export function cardOf(number: string, more: Partial<Card> = {}): Card {
  return { number, status: "active", validUntilDay: null, ...more };
}

/** A list that gives every question the same answer. */
export function listOf(answer: CardAnswer, revision = 120): ListInForce {
  const index: CardIndex = {
    cards: 1_000,
    byNumber: () => answer,
    byToken: () => answer,
    search: () => null,
    sinceOf: () => null,
  };
  return { revision, publishedAtMs: null, index };
}

/** A list on which every card number is active, and no token is known. */
export function listOfAll(revision = 120): ListInForce {
  const byNumber = (number: string): CardAnswer => ({ kind: "card", card: cardOf(number) });
  return {
    revision,
    publishedAtMs: null,
    index: {
      cards: 1_000,
      byNumber,
      byToken: () => ({ kind: "unknown" }),
      search: () => null,
      sinceOf: () => null,
    },
  };
}

function accessPointOf(given: Partial<AccessPointSettings> & { id: string }): AccessPointSettings {
  return {
    direction: "entry",
    readers: [`${given.id}-1`],
    pulseMs: 800,
    repeatSeconds: 2,
    passback: { mode: "off", resetMinutes: 720 },
    hours: [],
    whenJournalFails: "grant",
    inputs: {},
    ...given,
  };
}
