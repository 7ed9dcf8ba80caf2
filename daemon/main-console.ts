/** The console on a real gate: which rooms its pages are answered from. */
import { randomUUID } from "node:crypto";
import type { Configuration } from "../config/schema.ts";
import { candidatesOf } from "../drivers/candidates.ts";
import type { Clock, Log } from "../drivers/ports.ts";
import { readCard } from "../drivers/reads.ts";
import type { System } from "../drivers/system.ts";
import { tellStory } from "./answers/card-story.ts";
import type { History } from "./answers/history.ts";
import { type Identified, Identifier } from "./answers/identify.ts";
import type { Console } from "./console/console.ts";
import { Openings } from "./console/openings.ts";
import type { ConsoleRooms } from "./console/routes.ts";
import { pathsOf } from "./data-paths.ts";
import type { House } from "./house.ts";
import { readPeriod } from "./journal/journal-period.ts";
import type { Line } from "./journal/record.ts";
import { credentialsOf } from "./main-secrets.ts";
import type { Metrics } from "./report/metrics.ts";
import { inSlices } from "./slices.ts";

/** For a card's story: its own taps, and those of which no number was read, which stand between them. */
const STORY_TAPS_MAX = 2_000;

export type Identify = (reader: string, tell: (identified: Identified) => void) => () => void;

interface Gate {
  house: House;
  metrics: Metrics;
  history: History;
}

/** Null where none is configured. Rejects with `CannotStart` where its secrets cannot be read. */
export async function consoleOf(
  configuration: Configuration,
  gate: Gate,
  world: System & { log: Log },
): Promise<Console | null> {
  const { console: options } = configuration;
  if (options === undefined) return null;
  // Its packages take 6 MB, which a gate without a console keeps.
  const { createConsole } = await import("./console/console.ts");
  const { loadPage } = await import("./console/page.ts");
  const { password, tls } = await credentialsOf("console", options, world.files);
  const { cert, key } = tls ?? {};
  return createConsole(
    {
      ...options.listen,
      password: password ?? null,
      tls: cert === undefined || key === undefined ? null : { cert, key },
    },
    world,
    await loadPage(world.files),
    roomsOf(configuration, gate, world),
  );
}

function roomsOf(
  configuration: Configuration,
  { house, metrics, history }: Gate,
  { clock, files }: System,
): ConsoleRooms {
  const { cards, gateway, readers, dataDir } = configuration;
  const journalDir = pathsOf(dataDir).journal;
  const openings = new Openings({
    run: randomUUID(),
    turnstileOf: (accessPoint) => house.turnstileOf(accessPoint),
    note: (event, data) => house.note(event, data),
  });
  return {
    clock,
    facts: {
      workplaceId: gateway.workplaceId ?? null,
      timeZone: gateway.timeZone,
      virtualReaders: readers.filter(({ driver }) => driver === "virtual").map(({ id }) => id),
      allowsOnly: cards.admit === "site-allowed",
    },
    status: () => house.status(),
    metrics: () => metrics.render(),
    history: () =>
      history.show(async function* (fromMs, toMs): AsyncGenerator<Line> {
        const period = { fromMs, toMs, acknowledgedSeq: 0 };
        for await (const { line } of readPeriod(files, journalDir, period, () => undefined)) yield line;
      }),
    taps: (limit, before) => house.taps(limit, before),
    search: (query, limit, before) => house.searchTaps(query, limit, before),
    present: (reader, credential) => house.present(reader, credential),
    lookup: (card) => house.lookup(readCard(card, cards.issuers)),
    story: async (card) => {
      const query = { ...ANY, cardEnd: card.replace(/\D/g, ""), orUnread: true };
      const { taps, next } = await house.searchTaps(query, STORY_TAPS_MAX, null);
      return tellStory(card, taps, next === null ? null : (taps.at(-1)?.time ?? null));
    },
    note: (event, data) => house.note(event, data),
    refresh: () => house.refresh(),
    numberOf: (text) => {
      const reading = readCard(text, cards.issuers);
      if (reading.kind !== "credential" || reading.credential.kind !== "number") return null;
      return reading.credential.number;
    },
    open: (accessPoint, claims) => openings.open(accessPoint, claims),
    rollCall: () => inSlices(clock, house.presence.rollCall(null)),
    sayPresence: (request) => house.presence.say(request),
    siteList: () => house.siteList(),
    changeSiteList: (request) => house.changeSiteList(request),
    identify: identifierOf(house, configuration, clock, byItsEnds),
  };
}

const ANY = { cardEnd: null, reason: null, accessPoint: null, reader: null, fromMs: null, toMs: null };

/** A token leaves the gateway in no clear form: its ends are enough to hold two readings side by side. */
export function byItsEnds(uid: string): string {
  return `uid:${uid.slice(0, 2)}…${uid.slice(-2)} (${uid.length / 2} bytes)`;
}

/** Shows a technician the next taps at a reader, and what they could be read as. */
export function identifierOf(
  house: House,
  { cards }: Configuration,
  clock: Clock,
  nameToken: (uid: string) => string,
): Identify {
  return (reader, tell) => {
    const identifier = new Identifier({
      clock,
      desk: house,
      nameToken,
      candidatesOf: (sight) => candidatesOf(sight, cards.issuers),
    });
    const stop = house.watch(reader, (sight, stamp) => identifier.take(sight, stamp, tell));
    return () => {
      identifier.stop();
      stop();
    };
  };
}
