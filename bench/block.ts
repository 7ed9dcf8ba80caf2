/**
 * A block on its way: from the moment somebody at the centre types `feed set` to the first tap of that card refused, heard at a
 * subscriber; the programs as they are installed, a web server and a real mosquitto between them.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { centreWorld } from "../daemon/commands/centre.ts";
import { createSystemClock, systemRandom } from "../drivers/system.ts";
import { cardRows, publishCards } from "../sync/publish.ts";
import type { CardRow } from "../sync/publish-csv.ts";
import { initFeed } from "../sync/publish-feed.ts";
import { startMosquitto, startSubscriber } from "../test/peers/mosquitto.ts";
import { Pty } from "../test/peers/pty.ts";
import { serveWeb } from "../test/peers/web.ts";
import { MadeUpCards } from "./cards.ts";
import { type Figure, percentile } from "./figures.ts";

const CARDS = 100_000;
const ANNOUNCED = 20;
const UNANNOUNCED = 5;
/** With announcements the gateway's own asking is not what helps; without, waiting a minute each time would help nobody. */
const REFRESH_SECONDS = { announced: 60, unannounced: 5 };
/** How often the card is presented meanwhile. */
const TAP_MS = 25;
/** Between two blocks, longer than a gateway waits from one announcement's refresh to the next. */
const PAUSE_MS = 1_500;
/** CONTRACT 9: with the announcement, and beyond `refreshSeconds` without it. */
const BLOCK_MS_MAX = 2_000;
const PROGRAM = fileURLToPath(new URL("../../dist/daemon/cli.js", import.meta.url));

type CleanUp = (() => Promise<unknown>)[];

export async function benchBlock(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  const cleanUp: CleanUp = [() => rm(folder, { recursive: true, force: true })];
  try {
    return await measure(folder, cleanUp);
  } finally {
    for (const step of cleanUp.reverse()) await step();
  }
}

async function measure(folder: string, cleanUp: CleanUp): Promise<Figure[]> {
  const cards = new MadeUpCards(CARDS);
  const feed = join(folder, "feed");
  const place = { dir: feed, keysDir: `${feed}.keys`, rootKeysDir: `${feed}.keys`, passphrase: null };
  const centre = centreWorld({ clock: createSystemClock(), random: systemRandom });
  await initFeed(place, "bench", centre);
  await publishCards(
    place,
    cardRows(lasting(cards)),
    { allowChange: 0, dryRun: false },
    centre,
    () => undefined,
  );
  const web = await serveWeb(feed);
  cleanUp.push(() => web.stop());
  const broker = await startMosquitto();
  cleanUp.push(() => broker.dispose());
  const subscriber = await startSubscriber(broker.url, "grindvakt/#");
  cleanUp.push(() => subscriber.stop());
  const pty = await Pty.make();
  cleanUp.push(() => pty.remove());
  await pty.plug();

  let next = 0;
  /** Milliseconds from the command to the refusal, and how long the command itself took. */
  const block = async (notify: string[]): Promise<{ blockMs: number; commandMs: number }> => {
    // Every eighth card is active, and another each time.
    const card = cards.number(8 * next++);
    const hear = (reason: string) =>
      subscriber.hear(
        ({ topic, payload }) =>
          topic.endsWith("/tap") && payload.includes(card) && payload.includes(`"reason":"${reason}"`),
      );
    const tapping = setInterval(() => void pty.send(`${card}\r\n`), TAP_MS);
    try {
      await hear("granted");
      const startMs = performance.now();
      const refused = hear("blocked");
      const command = ["feed", "set", feed, card, "blocked", ...notify];
      await promisify(execFile)(process.execPath, [PROGRAM, ...command]);
      const commandMs = performance.now() - startMs;
      await refused;
      return { blockMs: performance.now() - startMs, commandMs };
    } finally {
      clearInterval(tapping);
      subscriber.heard.length = 0;
    }
  };
  const blocks = async (count: number, refreshSeconds: number, notify: string[]) => {
    subscriber.heard.length = 0;
    const daemon = await startGateway(folder, {
      port: pty.path,
      feed: web.url,
      broker: broker.url,
      refreshSeconds,
    });
    cleanUp.push(() => endOf(daemon));
    await subscriber.hear(
      ({ topic, payload }) =>
        topic.endsWith("/state") && /"revision":[1-9]/.test(payload) && payload.includes('"line":"up"'),
    );
    const times: { blockMs: number; commandMs: number }[] = [];
    for (let time = 0; time < count; time += 1) {
      times.push(await block(notify));
      await pause(PAUSE_MS);
    }
    await endOf(daemon);
    return times;
  };

  const announced = await blocks(ANNOUNCED, REFRESH_SECONDS.announced, ["--notify", broker.url]);
  const unannounced = await blocks(UNANNOUNCED, REFRESH_SECONDS.unannounced, []);
  const waited = `refreshSeconds ${REFRESH_SECONDS.unannounced}`;
  const unit = "ms";
  const of = (times: typeof announced, what: "blockMs" | "commandMs", share: number) =>
    percentile(
      times.map((time) => time[what]),
      share,
    );
  return [
    { what: "feed set --notify itself, p50", value: of(announced, "commandMs", 0.5), unit },
    { what: "block to refusal, announced, p50", value: of(announced, "blockMs", 0.5), unit },
    {
      what: `block to refusal, announced, the longest of ${ANNOUNCED}`,
      value: of(announced, "blockMs", 1),
      unit,
      bound: BLOCK_MS_MAX,
    },
    { what: `block to refusal, not announced, ${waited}, p50`, value: of(unannounced, "blockMs", 0.5), unit },
    {
      what: `block to refusal, not announced, ${waited}, the longest of ${UNANNOUNCED}`,
      value: of(unannounced, "blockMs", 1),
      unit,
      bound: REFRESH_SECONDS.unannounced * 1_000 + BLOCK_MS_MAX,
    },
  ];
}

/** None of them has expired. */
function* lasting(cards: MadeUpCards): Generator<CardRow> {
  for (const card of cards.rows()) yield { ...card, validUntilDay: null };
}

async function startGateway(
  folder: string,
  {
    port,
    feed,
    broker,
    refreshSeconds,
  }: { port: string; feed: string; broker: string; refreshSeconds: number },
): Promise<ChildProcess> {
  const file = join(folder, "grindvakt.yaml");
  await writeFile(
    file,
    `gateway: { id: bench, site: bench }
dataDir: ./data
cards: { feed: "${feed}", root: ./feed/root.json, name: bench, refreshSeconds: ${refreshSeconds} }
readers: [{ id: line, driver: serial, port: ${port} }]
accessPoints: [{ id: in, direction: entry, readers: [line], relay: { driver: virtual, pulseMs: 50 }, repeatSeconds: 0 }]
mqtt: { urls: ["${broker}"] }
log: { level: error }
`,
  );
  return spawn(process.execPath, [PROGRAM, "run", "-c", file], { stdio: ["ignore", "ignore", "inherit"] });
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
