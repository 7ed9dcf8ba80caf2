/** A whole gate in a bench's own process, between a reader and a relay that cost nothing. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { centreWorld } from "../daemon/commands/centre.ts";
import { House } from "../daemon/house.ts";
import type { HousePorts, HouseSettings } from "../daemon/house-ports.ts";
import type { ReaderEvents, Relay, RelayEvents } from "../drivers/driver.ts";
import { createFeedSource } from "../drivers/feed-source.ts";
import { createFiles } from "../drivers/files.ts";
import { createLog } from "../drivers/log.ts";
import type { Clock } from "../drivers/ports.ts";
import { createSystemDisk, systemRandom } from "../drivers/system.ts";
import { buildInPlace } from "../sync/build.ts";
import { cardRows, publishCards } from "../sync/publish.ts";
import { initFeed } from "../sync/publish-feed.ts";

const CARD = "BB-2611-000001";

/** With a list of one card in force. `feed`: from `publishOneCard`. */
export async function startBenchHouse(
  dataDir: string,
  feed: string,
  clock: Clock,
  createBroker: HousePorts["createBroker"] = () => null,
): Promise<{ house: House; hands: Hands }> {
  const hands: Hands = { reader: null, relayCommanded: () => undefined };
  const house = new House(benchHouse(dataDir, join(feed, "root.json"), ["r"]), {
    clock,
    random: systemRandom,
    files: createFiles(createSystemDisk(), systemRandom),
    log: createLog("error"),
    feed: createFeedSource(feed),
    build: buildInPlace,
    createBroker,
    createReader: async (_id, events) => {
      hands.reader = events;
      return { start: async () => undefined, stop: async () => undefined };
    },
    createRelay: async (_id, events) => handRelay(hands, events),
    createInput: () => Promise.reject(new Error("the bench has no contacts")),
    candidatesOf: () => [],
    commandReader: null,
    tapped: () => undefined,
  });
  await house.start();
  await house.refresh();
  if (house.status().list.revision === null) throw new Error("the bench's own list is not in force");
  return { house, hands };
}

/** What the bench holds of the gate: where a card is presented, and word of the relay. */
export interface Hands {
  reader: ReaderEvents | null;
  relayCommanded(): void;
}

/** Milliseconds from a reading to the relay being commanded. */
export function tapOnce(hands: Hands, clock: Clock): Promise<number> {
  return new Promise((measured) => {
    const startMs = clock.monotonicMs();
    hands.relayCommanded = () => measured(clock.monotonicMs() - startMs);
    hands.reader?.reading(
      { kind: "credential", credential: { kind: "number", number: CARD }, assurance: "number" },
      { monotonicMs: startMs, wallMs: clock.wallMs(), trusted: true },
    );
  });
}

/** A relay without a device: it is commanded, and released at once. */
function handRelay(hands: Hands, events: RelayEvents): Relay {
  return {
    start: async () => events.up({}),
    stop: async () => undefined,
    pulse: () => {
      hands.relayCommanded();
      events.energised();
      events.released();
    },
  };
}

export async function publishOneCard(dir: string, clock: Clock): Promise<void> {
  const centre = centreWorld({ clock, random: systemRandom });
  const place = { dir, keysDir: `${dir}.keys`, rootKeysDir: `${dir}.keys`, passphrase: null };
  await initFeed(place, "bench", centre);
  const card = { number: CARD, status: "active", validUntilDay: null, tokens: [] } as const;
  await publishCards(place, cardRows([card]), { allowChange: 0, dryRun: false }, centre, () => undefined);
}

/** A gate with one access point, and nothing to wait for. */
export function benchHouse(dataDir: string, root: string, readers: readonly string[]): HouseSettings {
  return {
    gateway: "bench",
    site: "bench",
    workplaceId: null,
    timeZone: "Europe/Stockholm",
    version: "bench",
    boot: "bench",
    machine: { boot: null, uptimeMs: 0 },
    dataDir,
    tokenKeys: { own: randomBytes(32), before: null },
    prefix: "grindvakt",
    commands: [],
    homeAssistant: false,
    accessPoints: [
      {
        id: "in",
        direction: "entry",
        readers,
        pulseMs: 50,
        repeatSeconds: 0,
        passback: { mode: "off", resetMinutes: 1 },
        hours: [],
        whenJournalFails: "deny",
        inputs: {},
      },
    ],
    cards: {
      name: "bench",
      root,
      refreshSeconds: 3_600,
      lateAfterMinutes: 15,
      staleAfterHours: 24,
      whenStale: "grant-listed",
      admit: "listed",
    },
    journal: { keepDays: 740, maxBytes: 1024 ** 3 },
  };
}
