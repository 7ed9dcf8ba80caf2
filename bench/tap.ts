/**
 * Our own part of a tap: from the reading to the relay being commanded, in process, the journal synced; beside a bare append
 * and fdatasync of as many bytes in the same folder, in turn, in the same run.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { centreWorld } from "../daemon/commands/centre.ts";
import { House, type HouseSettings } from "../daemon/house.ts";
import type { ReaderEvents, Relay, RelayEvents } from "../drivers/driver.ts";
import { createFeedSource } from "../drivers/feed-source.ts";
import { createFiles } from "../drivers/files.ts";
import { createLog } from "../drivers/log.ts";
import type { Clock } from "../drivers/ports.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../drivers/system.ts";
import { buildInPlace } from "../sync/build.ts";
import { cardRows, publishCards } from "../sync/publish.ts";
import { initFeed } from "../sync/publish-feed.ts";
import { openBareAppend } from "./bare-append.ts";
import { type Figure, percentile } from "./figures.ts";

const CARD = "BB-2611-000001";
/** As long as a tap's line in the journal. */
const LINE_BYTES = 620;
const TAPS = 2_000;
const WARM_UP_TAPS = 200;
/** CONTRACT 9. */
const RATIO_MAX = 1.5;
const EXTRA_MS_MAX = 1;

export async function benchTap(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  try {
    return await measure(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string): Promise<Figure[]> {
  const clock = createSystemClock();
  await clock.start();
  const feed = join(folder, "feed");
  await publishOneCard(feed, clock);
  const hands: Hands = { reader: null, relayCommanded: () => undefined };
  const house = new House(benchHouse(join(folder, "data"), join(feed, "root.json"), ["r"]), {
    clock,
    random: systemRandom,
    files: createFiles(createSystemDisk(), systemRandom),
    log: createLog("error"),
    feed: createFeedSource(feed),
    build: buildInPlace,
    createBroker: () => null,
    createReader: async (_id, events) => {
      hands.reader = events;
      return { start: async () => undefined, stop: async () => undefined };
    },
    createRelay: async (_id, events) => handRelay(hands, events),
    createInput: () => Promise.reject(new Error("the bench has no contacts")),
    tapped: () => undefined,
  });
  await house.start();
  await house.refresh();
  if (house.status().list.revision === null) throw new Error("the bench's own list is not in force");
  const bare = await openBareAppend(join(folder, "bare"), LINE_BYTES);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let tap = 0; tap < TAPS + WARM_UP_TAPS; tap += 1) {
    const oursMs = await tapOnce(hands, clock);
    // The outcome's own line is written before the next measurement begins.
    await new Promise((go) => setTimeout(go, 2));
    const bareMs = await bare.measure();
    if (tap < WARM_UP_TAPS) continue;
    ours.push(oursMs);
    theirs.push(bareMs);
  }
  await bare.close();
  await house.stop();
  clock.stop();
  const bareP99 = percentile(theirs, 0.99);
  return [
    {
      what: `bare append and fdatasync of ${LINE_BYTES} bytes, p50`,
      value: percentile(theirs, 0.5),
      unit: "ms",
    },
    { what: `bare append and fdatasync of ${LINE_BYTES} bytes, p99`, value: bareP99, unit: "ms" },
    { what: "tap read to relay commanded, journal synced, p50", value: percentile(ours, 0.5), unit: "ms" },
    {
      what: "tap read to relay commanded, journal synced, p99",
      value: percentile(ours, 0.99),
      unit: "ms",
      bound: bareP99 * RATIO_MAX + EXTRA_MS_MAX,
    },
    { what: "ratio of the medians", value: percentile(ours, 0.5) / percentile(theirs, 0.5), unit: "" },
  ];
}

/** What the bench holds of the gate: where a card is presented, and word of the relay. */
interface Hands {
  reader: ReaderEvents | null;
  relayCommanded(): void;
}

function tapOnce(hands: Hands, clock: Clock): Promise<number> {
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

async function publishOneCard(dir: string, clock: Clock): Promise<void> {
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
    prefix: "grindvakt",
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
