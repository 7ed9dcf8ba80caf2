/** Which gateways lag behind: from what they have left at the broker, without asking any of them. */
import { type Visit, visitBroker } from "../../drivers/broker-visit.ts";
import type { Clock } from "../../drivers/ports.ts";
import { createSystemClock } from "../../drivers/system.ts";
import type { Freshness } from "../../sync/card.ts";
import { NAME_PATTERN } from "../../sync/publish-feed.ts";
import { Exit } from "./exit.ts";
import { type BrokerOptions, brokerOf, inOptions } from "./feed-broker.ts";
import { fault, warn } from "./feed-words.ts";
import { paint, print, printJson } from "./terms.ts";

/** What is retained comes at once: after so long a silence there is no more of it, and in any case after `LISTEN_MS_MAX`. */
const SILENCE_MS = 1_000;
const LISTEN_MS_MAX = 30_000;

/** How often it is looked whether all has come. */
const LOOK_MS = 20;

/** Topics asked for at once by their own names: no broker holds back so few. */
const ASKED_AT_ONCE_MAX = 50;

/** More gateways than any one broker has. */
const GATES_MAX = 100_000;

const FRESHNESS: readonly Freshness[] = ["fresh", "late", "stale"];

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]{8,12}Z$/;

export interface Gate {
  site: string;
  gateway: string;
  online: boolean;
  /** Null: it has no list, or has not said. */
  revision: number | null;
  /** Null: it has not said. */
  freshness: Freshness | null;
  refreshedAt: string | null;
}

/** The two topics of a gateway that are heard. */
type Part = "state" | "state/list";

/** What is heard, until it is summed up. */
export class Fleet {
  readonly #prefix: string;
  readonly #gates = new Map<string, Gate>();
  /** By gateway, what has been heard of it. */
  readonly #heard = new Map<Gate, Set<Part>>();
  /** By the feed's name, the revision that was announced. */
  readonly announced = new Map<string, number>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** To be asked one after the other, the shortest first. */
  topics(): string[][] {
    const prefix = this.#prefix;
    return [[`${prefix}/feeds/+`, `${prefix}/+/+/state/list`], [`${prefix}/+/+/state`]];
  }

  /** Of gateways that were heard of: topics that were not. */
  missing(): string[] {
    return [...this.#heard].flatMap(([{ site, gateway }, parts]) =>
      (["state", "state/list"] as const)
        .filter((part) => !parts.has(part))
        .map((part) => `${this.#prefix}/${site}/${gateway}/${part}`),
    );
  }

  /** Whatever is no state of a gateway or announcement is passed over. */
  hear(topic: string, payload: Uint8Array): void {
    if (!topic.startsWith(`${this.#prefix}/`)) return;
    const [site, gateway, state, list, ...rest] = topic.slice(this.#prefix.length + 1).split("/");
    const json = parse(payload);
    // What anybody may have written there ends on a terminal: nothing but the words of a gateway is taken.
    if (json === null || !isName(site) || !isName(gateway) || rest.length > 0) return;
    if (site === "feeds" && state === undefined) {
      if (isRevision(json.revision)) this.announced.set(gateway, json.revision);
    } else if (state === "state" && list === undefined) {
      const gate = this.#gate(site, gateway, "state");
      if (gate !== null) gate.online = json.state === "online";
    } else if (state === "state" && list === "list") {
      const gate = this.#gate(site, gateway, "state/list");
      if (gate === null) return;
      gate.revision = isRevision(json.revision) ? json.revision : null;
      gate.freshness = FRESHNESS.find((freshness) => freshness === json.freshness) ?? null;
      gate.refreshedAt = TIME.test(String(json.refreshedAt)) ? String(json.refreshedAt) : null;
    }
  }

  #gate(site: string, gateway: string, part: Part): Gate | null {
    const key = `${site}/${gateway}`;
    const known = this.#gates.get(key);
    if (known !== undefined) {
      this.#heard.get(known)?.add(part);
      return known;
    }
    if (this.#gates.size === GATES_MAX) return null;
    const gate: Gate = { site, gateway, online: false, revision: null, freshness: null, refreshedAt: null };
    this.#gates.set(key, gate);
    this.#heard.set(gate, new Set([part]));
    return gate;
  }

  /** In the order of sites and gateways. */
  all(): Gate[] {
    return [...this.#gates.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, gate]) => gate);
  }
}

/** What `feed` was announced to be at, or the newest revision that any gateway has. */
export function newestOf(fleet: Fleet, feed: string | undefined): number | null {
  const announced = feed === undefined ? [...fleet.announced.values()] : [fleet.announced.get(feed) ?? null];
  // Of several feeds nobody says here which one a gateway follows.
  if (announced.length === 1) return announced[0]!;
  return fleet.all().reduce<number | null>((most, { revision }) => {
    return revision === null ? most : Math.max(most ?? 0, revision);
  }, null);
}

/** What is wrong with a gateway, in a word; null when it is where it should be. */
export function lagOf(gate: Gate, newest: number | null): string | null {
  if (gate.revision === null) return "no list";
  if (newest !== null && gate.revision < newest) return `${newest - gate.revision} behind`;
  if (!gate.online) return "offline";
  return gate.freshness === "fresh" ? null : (gate.freshness ?? "no word");
}

function parse(payload: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isName(text: string | undefined): text is string {
  return text !== undefined && NAME_PATTERN.test(text);
}

function isRevision(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

// ---------------------------------------------------------------- the command

export interface GatesOptions extends BrokerOptions {
  broker: string;
  name?: string;
  all?: true;
  json?: true;
}

export async function gates(options: GatesOptions): Promise<void> {
  const fleet = await listen(options, createSystemClock());
  const all = fleet.all();
  const newest = newestOf(fleet, options.name);
  const told = all.map((gate) => ({ ...gate, lag: lagOf(gate, newest) }));
  const lagging = told.filter(({ lag }) => lag !== null);
  if (options.json === true) printJson({ revision: newest, gates: told });
  else printGates(options.all === true ? told : lagging, newest, all.length, lagging.length);
  if (all.length === 0) {
    throw fault([
      `no gateway has left a state under ${options.prefix}/: is --prefix right, and may this user read there?`,
    ]);
  }
  // What is wrong has been printed.
  if (lagging.length > 0) throw new Exit(1, "");
}

async function listen(options: GatesOptions, clock: Clock): Promise<Fleet> {
  const fleet = new Fleet(options.prefix);
  const settings = await brokerOf(options.broker, options);
  const visited = await visitBroker(settings, clock, (visit) => hearAll(visit, fleet, clock, warn));
  const why = visited.kind === "failed" ? visited.why : visited.result;
  if (why !== null) throw fault([inOptions(why)]);
  return fleet;
}

/** Null when all has been heard that the broker gives, or why it refuses. */
export async function hearAll(
  visit: Pick<Visit, "subscribe">,
  fleet: Fleet,
  clock: Clock,
  say: (notice: string) => void,
): Promise<string | null> {
  const endMs = clock.monotonicMs() + LISTEN_MS_MAX;
  /** Until all of it has come, or no more does. */
  const ask = async (topics: string[], isAll: () => boolean): Promise<string | null> => {
    let heardMs = clock.monotonicMs();
    const why = await visit.subscribe(topics, (topic, payload) => {
      heardMs = clock.monotonicMs();
      fleet.hear(topic, payload);
    });
    if (why !== null) return why;
    for (;;) {
      const leftMs = Math.min(heardMs + SILENCE_MS, endMs) - clock.monotonicMs();
      if (leftMs <= 0 || isAll()) return null;
      await new Promise<void>((resolve) => clock.after(Math.min(leftMs, LOOK_MS), resolve));
    }
  };
  for (const topics of fleet.topics()) {
    const why = await ask(topics, () => false);
    if (why !== null) return why;
  }
  const missing = fleet.missing();
  for (let from = 0; from < missing.length; from += ASKED_AT_ONCE_MAX) {
    const topics = missing.slice(from, from + ASKED_AT_ONCE_MAX);
    const why = await ask(topics, () => {
      const still = new Set(fleet.missing());
      return !topics.some((topic) => still.has(topic));
    });
    if (why !== null) return why;
  }
  const found = missing.length - fleet.missing().length;
  if (found > 0)
    say(
      `the broker left out ${found} of what it holds until it was asked for each: gateways may be missing here; raise what it queues for one reader (mosquitto: max_queued_messages)`,
    );
  return null;
}

function printGates(
  gates: (Gate & { lag: string | null })[],
  newest: number | null,
  count: number,
  lagging: number,
): void {
  const verdict = `${lagging} of ${count} gateways lag behind`;
  const revision = newest === null ? "no revision is known" : `revision ${newest}`;
  print(`${paint(verdict, lagging > 0 ? "red" : "green")}; ${revision}`);
  const names = gates.map(({ site, gateway }) => `${site}/${gateway}`);
  const width = Math.max(0, ...names.map((name) => name.length));
  gates.forEach((gate, index) => {
    const has = gate.revision === null ? "no list" : `revision ${gate.revision}`;
    const state = gate.online ? "online" : "offline";
    const refreshed = gate.refreshedAt === null ? "" : `, refreshed ${gate.refreshedAt}`;
    const lag = gate.lag === null ? "" : `  ${gate.lag}`;
    print(
      `  ${names[index]!.padEnd(width)}  ${state}, ${has}, ${gate.freshness ?? "no word"}${refreshed}${lag}`,
    );
  });
}
