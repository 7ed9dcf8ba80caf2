/**
 * What a site sees: from the bytes on a serial line to the message at a subscriber of a real mosquitto, by the program as it is
 * installed; beside a bare append and fdatasync in the same run.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { centreWorld } from "../daemon/commands/centre.ts";
import { createSystemClock, systemRandom } from "../drivers/system.ts";
import { unpackNumber } from "../sync/card.ts";
import { cardRows, publishCards } from "../sync/publish.ts";
import { initFeed } from "../sync/publish-feed.ts";
import { type Heard, startMosquitto, startSubscriber } from "../test/peers/mosquitto.ts";
import { Pty } from "../test/peers/pty.ts";
import { openBareAppend } from "./bare-append.ts";
import { type Figure, percentile } from "./figures.ts";

const TAPS = 1_000;
const WARM_UP_TAPS = 100;
const LINE_BYTES = 620;
const PROGRAM = fileURLToPath(new URL("../../dist/daemon/cli.js", import.meta.url));
const FIRST_NUMBER = 27 * 10_000_000_000 + 2_611_000_001;

export async function benchLine(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  const cleanUp: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    return await measure(folder, cleanUp);
  } finally {
    for (const step of cleanUp.reverse()) await step();
  }
}

async function measure(folder: string, cleanUp: (() => Promise<unknown>)[]): Promise<Figure[]> {
  const taps = TAPS + WARM_UP_TAPS;
  await publishCardsFor(taps, join(folder, "feed"));
  const pty = await Pty.make();
  cleanUp.push(() => pty.remove());
  await pty.plug();
  const broker = await startMosquitto();
  cleanUp.push(() => broker.dispose());
  const subscriber = await startSubscriber(broker.url, "grindvakt/#");
  cleanUp.push(() => subscriber.stop());
  const daemon = await startGateway(folder, pty.path, broker.url);
  cleanUp.push(() => endOf(daemon));
  const listInForce = (message: Heard): boolean =>
    message.topic.endsWith("/state") &&
    message.payload.includes('"revision":1') &&
    message.payload.includes('"line":"up"');
  await subscriber.hear(listInForce);

  const bare = await openBareAppend(join(folder, "bare"), LINE_BYTES);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let tap = 0; tap < taps; tap += 1) {
    const card = unpackNumber(FIRST_NUMBER + tap);
    const startMs = performance.now();
    const heard = subscriber.hear(({ topic, payload }) => topic.endsWith("/tap") && payload.includes(card));
    await pty.send(`${card}\r\n`);
    await heard;
    const tapMs = performance.now() - startMs;
    const bareMs = await bare.measure();
    subscriber.heard.length = 0;
    if (tap < WARM_UP_TAPS) continue;
    ours.push(tapMs);
    theirs.push(bareMs);
  }
  await bare.close();
  const medians = percentile(ours, 0.5) / percentile(theirs, 0.5);
  return [
    {
      what: `bare append and fdatasync of ${LINE_BYTES} bytes, p50`,
      value: percentile(theirs, 0.5),
      unit: "ms",
    },
    {
      what: `bare append and fdatasync of ${LINE_BYTES} bytes, p99`,
      value: percentile(theirs, 0.99),
      unit: "ms",
    },
    { what: "serial bytes in to message at a subscriber, p50", value: percentile(ours, 0.5), unit: "ms" },
    { what: "serial bytes in to message at a subscriber, p99", value: percentile(ours, 0.99), unit: "ms" },
    { what: "ratio of the medians", value: medians, unit: "" },
  ];
}

async function publishCardsFor(count: number, dir: string): Promise<void> {
  const centre = centreWorld({ clock: createSystemClock(), random: systemRandom });
  const place = { dir, keysDir: `${dir}.keys`, rootKeysDir: `${dir}.keys`, passphrase: null };
  await initFeed(place, "bench", centre);
  const cards = Array.from({ length: count }, (_, index) => ({
    number: unpackNumber(FIRST_NUMBER + index),
    status: "active" as const,
    validUntilDay: null,
    tokens: [],
  }));
  await publishCards(place, cardRows(cards), { allowChange: 0, dryRun: false }, centre, () => undefined);
}

async function startGateway(folder: string, port: string, broker: string): Promise<ChildProcess> {
  const file = join(folder, "grindvakt.yaml");
  await writeFile(
    file,
    `gateway: { id: bench, site: bench }
dataDir: ./data
cards: { feed: ./feed, root: ./feed/root.json, name: bench }
readers: [{ id: line, driver: serial, port: ${port} }]
accessPoints: [{ id: in, direction: entry, readers: [line], relay: { driver: virtual, pulseMs: 50 } }]
mqtt: { urls: ["${broker}"] }
log: { level: error }
`,
  );
  return spawn(process.execPath, [PROGRAM, "run", "-c", file], { stdio: ["ignore", "ignore", "inherit"] });
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((ended) => {
    child.once("exit", () => ended());
    child.kill("SIGTERM");
  });
}
