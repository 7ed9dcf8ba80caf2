/**
 * The whole daemon, as it is installed, with a long list: its memory at its peak while it takes one list after another, and at
 * rest after a start, and how long after that start a card is decided.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { centreWorld } from "../daemon/commands/centre.ts";
import { createSystemClock, systemRandom } from "../drivers/system.ts";
import { cardRows, publishCards } from "../sync/publish.ts";
import type { CardRow } from "../sync/publish-csv.ts";
import { initFeed } from "../sync/publish-feed.ts";
import { startMosquitto, startSubscriber } from "../test/peers/mosquitto.ts";
import type { MadeUpCards } from "./cards.ts";
import type { Figure } from "./figures.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/daemon/cli.js", import.meta.url));
const REST_MS = 15_000;
/** What a list leaves behind is looked for some seconds after it is in force. */
const REST_AFTER_LIST_MS = 30_000;
const TAKEN_MS_MAX = 300_000;
const MB = 1024 ** 2;

/** CONTRACT 9: up to so many cards, so much memory at rest and such a cold start. */
const BOUNDS = [
  { cards: 1_000_000, restMb: 110, startMs: 1_000 },
  { cards: 10_000_000, restMb: 240, startMs: 2_000 },
] as const;
const PEAK_MB_MAX = 600;

/** Joins a cgroup, and becomes the program. */
const JOIN = 'echo $$ >"$0/cgroup.procs" && exec "$@"';

type Subscriber = Awaited<ReturnType<typeof startSubscriber>>;

/** `group`: the folder of a cgroup that the daemon runs in. */
export async function benchDaemon(cards: MadeUpCards, folder: string, group?: string): Promise<Figure[]> {
  const cleanUp: (() => Promise<unknown>)[] = [];
  try {
    return await measure(cards, folder, cleanUp, group);
  } finally {
    for (const step of cleanUp.reverse()) await step();
  }
}

async function measure(
  cards: MadeUpCards,
  folder: string,
  cleanUp: (() => Promise<unknown>)[],
  group: string | undefined,
): Promise<Figure[]> {
  const broker = await startMosquitto();
  cleanUp.push(() => broker.dispose());
  const subscriber = await startSubscriber(broker.url, "grindvakt/#");
  cleanUp.push(() => subscriber.stop());
  const reader = await startReader(cards.number(0));
  cleanUp.push(async () => reader.close());
  const publish = await makeFeed(folder);
  const file = await writeSite(folder, broker.url, (reader.address() as AddressInfo).port);
  const start = (): ChildProcess => {
    const words = [process.execPath, PROGRAM, "run", "-c", file];
    const [command = "", ...args] = group === undefined ? words : ["sh", "-c", JOIN, group, ...words];
    const daemon = spawn(command, args, {
      stdio: ["ignore", "ignore", "inherit"],
    });
    cleanUp.push(() => endOf(daemon));
    return daemon;
  };

  await publish(cards.rows());
  const first = start();
  await heardRevision(subscriber, 1);
  // So much changes that no delta pays: a whole list against the one before.
  await publish(laterRows(cards));
  const publishedMs = performance.now();
  await heardRevision(subscriber, 2);
  const takenMs = performance.now() - publishedMs;
  await pause(REST_AFTER_LIST_MS);
  const taken = await memoryOf(first);
  // The harder start of the two: nothing was put in order before it.
  await endOf(first, "SIGKILL");

  subscriber.heard.length = 0;
  const decided = subscriber.hear(({ topic }) => topic.endsWith("/tap"));
  const startMs = performance.now();
  const second = start();
  await decided;
  const startedMs = performance.now() - startMs;
  await pause(REST_MS);
  const rest = await memoryOf(second);

  const bounds = BOUNDS.find((bound) => cards.count <= bound.cards) ?? BOUNDS[1];
  return [
    {
      what: "daemon: memory at rest after a start",
      value: rest.residentBytes / MB,
      unit: "MB",
      bound: bounds.restMb,
    },
    {
      what: "daemon: memory at rest after taking a list",
      value: taken.residentBytes / MB,
      unit: "MB",
      bound: bounds.restMb,
    },
    {
      what: "daemon: memory at its peak, taking a list after another",
      value: taken.peakBytes / MB,
      unit: "MB",
      bound: PEAK_MB_MAX,
    },
    { what: "daemon: from a list's being published to its being in force", value: takenMs, unit: "ms" },
    {
      what: "daemon: from its start after kill -9 to a decision heard",
      value: startedMs,
      unit: "ms",
      bound: bounds.startMs,
    },
  ];
}

/** A serial device server with a card on its reader, presented whenever somebody connects. */
async function startReader(card: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write(`${card}\r\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function makeFeed(folder: string): Promise<(rows: Iterable<CardRow>) => Promise<void>> {
  const dir = join(folder, "feed");
  const place = { dir, keysDir: `${dir}.keys`, rootKeysDir: `${dir}.keys`, passphrase: null };
  const centre = centreWorld({ clock: createSystemClock(), random: systemRandom });
  await initFeed(place, "bench", centre);
  return async (rows) => {
    const options = { allowChange: 0, dryRun: false };
    const outcome = await publishCards(place, cardRows(rows), options, centre, () => undefined);
    if (outcome.kind !== "published")
      throw new Error(`the bench's feed was not published: ${outcome.why.join()}`);
  };
}

function* laterRows(cards: MadeUpCards): Generator<CardRow> {
  for (const card of cards.rows()) yield { ...card, validUntilDay: card.validUntilDay! + 1 };
}

async function writeSite(folder: string, broker: string, port: number): Promise<string> {
  const file = join(folder, "grindvakt.yaml");
  await writeFile(
    file,
    `gateway: { id: bench, site: bench }
dataDir: ./data
cards: { feed: ./feed, root: ./feed/root.json, name: bench, refreshSeconds: 1 }
readers: [{ id: line, driver: serial, port: "tcp://127.0.0.1:${port}" }]
accessPoints: [{ id: in, direction: entry, readers: [line], relay: { driver: virtual, pulseMs: 50 } }]
mqtt: { urls: ["${broker}"] }
log: { level: error }
`,
  );
  return file;
}

/** A list of ten million takes longer than the subscriber waits for one message. */
async function heardRevision(subscriber: Subscriber, revision: number): Promise<void> {
  const untilMs = performance.now() + TAKEN_MS_MAX;
  for (;;) {
    try {
      await subscriber.hear(
        ({ topic, payload }) => topic.endsWith("/state/list") && payload.includes(`"revision":${revision}`),
      );
      return;
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}

async function memoryOf({ pid }: ChildProcess): Promise<{ residentBytes: number; peakBytes: number }> {
  const status = await readFile(`/proc/${pid}/status`, "latin1");
  const bytes = (field: string) =>
    1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
  return { residentBytes: bytes("VmRSS"), peakBytes: bytes("VmHWM") };
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
