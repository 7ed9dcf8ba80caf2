/**
 * How the gateway is, in one value: what the retained states, the console and the commands show.
 */
import type { Freshness } from "../../sync/card.ts";
import type { ListAge, ListInForce } from "../../sync/sync.ts";
import type { CommandState } from "../broker/command.ts";
import type { CommandName } from "../broker/command-schema.ts";
import type { OutboxState } from "../broker/outbox.ts";
import type { BrokerStatus } from "../broker/uplink.ts";
import type { InputState, InputUse } from "../gate/contacts.ts";
import type { ReaderState } from "../gate/reader-state.ts";
import type { RelayState } from "../gate/turnstile.ts";
import type { JournalFill } from "../journal/journal.ts";
import type { Direction } from "../presence/presence.ts";
import type { PresenceStatus } from "../presence/presence-desk.ts";
import type { SiteStatus } from "../site/site-desk.ts";

export interface ListStatus {
  revision: number | null;
  cards: number;
  /** RFC 3339; null where the feed does not say. */
  publishedAt: string | null;
  refreshedAt: string | null;
  freshness: Freshness;
}

export interface Status {
  gateway: string;
  site: string;
  version: string;
  boot: string;
  since: string;
  clockTrusted: boolean;
  list: ListStatus;
  siteList: SiteStatus;
  presence: PresenceStatus;
  readers: Record<string, ReaderState>;
  /** By access point; those that have one. */
  relays: Record<string, RelayState>;
  /** By access point, and what they tell; those that are wired. */
  inputs: Record<string, Partial<Record<InputUse, InputState>>>;
  accessPoints: readonly { id: string; direction: Direction; readers: readonly string[] }[];
  /** Those that are taken from the broker, and whether it lets them be heard. */
  commands: Partial<Record<CommandName, CommandState>>;
  outbox: OutboxState;
  journal: JournalFill & { state: "well" | "failed"; headSeq: number };
  broker: BrokerStatus;
}

export function listStatus(list: ListInForce | null, age: ListAge): ListStatus {
  return {
    revision: list?.revision ?? null,
    cards: list?.index.cards ?? 0,
    publishedAt: timeOrNull(list?.publishedAtMs ?? null),
    refreshedAt: timeOrNull(age.refreshedAtMs),
    freshness: age.freshness,
  };
}

/** Why the gate cannot do its work, in words; null when it can (CONTRACT 8, `/healthz`). */
export function ailment(status: Status): string | null {
  if (status.list.revision === null) return "no verified card list is in force";
  const states = Object.values(status.readers).map(({ state }) => state);
  if (states.includes("starting")) return "readers are being opened";
  const isUp = (reader: string): boolean => status.readers[reader]?.state === "up";
  const someGateWorks = status.accessPoints.some(({ readers }) => readers.some(isUp));
  return someGateWorks ? null : "no access point has a reader that is up";
}

function timeOrNull(wallMs: number | null): string | null {
  return wallMs === null ? null : new Date(wallMs).toISOString();
}
