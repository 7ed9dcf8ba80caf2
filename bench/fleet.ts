/**
 * `npm run bench:fleet`: some hundreds of gateways' real sync clients on one feed, behind a real nginx with the configuration of
 * docs/nginx-feed.conf, over TLS, and a real mosquitto: at rest, at announcements, without them, and with a web server that is
 * away, refuses or is slow. docs/fleet.md says what follows for ten thousand.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { centreWorld } from "../daemon/commands/centre.ts";
import { createSystemClock, systemRandom } from "../drivers/system.ts";
import { cardRows, publishCards } from "../sync/publish.ts";
import { initFeed } from "../sync/publish-feed.ts";
import { makeAuthority } from "../test/peers/certificates.ts";
import { startMosquitto } from "../test/peers/mosquitto.ts";
import { type Asked, type Nginx, startNginx } from "../test/peers/nginx.ts";
import { MadeUpCards } from "./cards.ts";
import { type Figure, isMissed, percentile, showFigure } from "./figures.ts";
import { Fleet } from "./fleet-crew.ts";

const { values } = parseArgs({
  options: {
    gateways: { type: "string", default: "300" },
    cards: { type: "string", default: "100000" },
    "refresh-seconds": { type: "string", default: "60" },
    json: { type: "boolean", default: false },
  },
});
const GATEWAYS = Number(values.gateways);
const CARDS = Number(values.cards);
const REFRESH_SECONDS = Number(values["refresh-seconds"]);

const PROGRAM = fileURLToPath(new URL("../../dist/daemon/cli.js", import.meta.url));
const DOCUMENTED = fileURLToPath(new URL("../../docs/nginx-feed.conf", import.meta.url));
/** A file system in memory, on any Linux. */
const MEMORY = "/dev/shm";
const PROCESSES = 2;
const ANNOUNCEMENTS = 3;
/** How long a web server is away, refuses, or is slow. */
const TROUBLE_MS = 20_000;
const RETRY_AFTER_SECONDS = 15;
const SLOW_BYTES_PER_SECOND = 2_000;
/** However slow the machine, a step that takes longer has failed. */
const PATIENCE_MS = 180_000;
/** Until the last of an announcement's traffic is over. */
const SETTLE_MS = 3_000;

interface Scene {
  fleet: Fleet;
  nginx: Nginx;
  /** Sets a card with the built program; resolves with the new revision, and when the feed had it. */
  set(announce: boolean): Promise<{ revision: number; publishedMs: number; tookMs: number }>;
}

const figures: Record<string, Figure[]> = {};

/** One part of the story: what nginx was asked meanwhile, and what the part itself found. */
async function part(name: string, { fleet, nginx }: Scene, play: () => Promise<Figure[]>): Promise<void> {
  process.stderr.write(`fleet: ${name}\n`);
  const from = (await nginx.asked()).length;
  const busyMs = nginx.busyMs();
  const fleetBusyMs = fleet.busyMs();
  const startMs = performance.now();
  const found = await play();
  const seconds = (performance.now() - startMs) / 1000;
  const asked = await nginx.asked(from);
  const fleetMs = (fleet.busyMs() - fleetBusyMs) / GATEWAYS;
  figures[name] = [
    ...found,
    ...traffic(asked, seconds, nginx.busyMs() - busyMs),
    { what: "processor time of a gateway's client", value: fleetMs, unit: "ms" },
    ...refusals(fleet),
  ];
  if (!values.json)
    process.stdout.write(`\n${name}\n${figures[name].map((it) => `  ${showFigure(it)}\n`).join("")}`);
}

function traffic(asked: readonly Asked[], seconds: number, busyMs: number): Figure[] {
  const perSecond = new Map<number, number>();
  const byStatus = new Map<number, number>();
  for (const { atMs, status } of asked) {
    const second = Math.floor(atMs / 1000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }
  const bytes = (of: (line: Asked) => number) => asked.reduce((sum, line) => sum + of(line), 0);
  return [
    { what: "took", value: seconds, unit: "s" },
    { what: "requests a gateway", value: asked.length / GATEWAYS, unit: "" },
    ...[...byStatus].sort().map(([status, count]) => ({
      what: `  answered ${status}`,
      value: count / GATEWAYS,
      unit: "",
    })),
    { what: "bytes to a gateway, without TLS", value: bytes((it) => it.sentBytes) / GATEWAYS, unit: "B" },
    {
      what: "bytes from a gateway, without TLS",
      value: bytes((it) => it.receivedBytes) / GATEWAYS,
      unit: "B",
    },
    { what: "requests in the busiest second", value: Math.max(0, ...perSecond.values()), unit: "" },
    ...(asked.length === 0
      ? []
      : [{ what: "processor time of nginx a request", value: busyMs / asked.length, unit: "ms" }]),
  ];
}

function refusals(fleet: Fleet): Figure[] {
  return Object.entries(fleet.refusals()).map(([name, count]) => ({
    what: `gateways that told "${name}"`,
    value: count,
    unit: "",
  }));
}

/** From `sinceMs` until gateways had the revision. */
function delays(fleet: Fleet, revision: number, sinceMs: number, since: string): Figure[] {
  const seconds = fleet.hadAtMs(revision).map((atMs) => (atMs - sinceMs) / 1000);
  const unit = "s";
  return [
    { what: `in force, from ${since}: half of the gateways`, value: percentile(seconds, 0.5), unit },
    { what: `in force, from ${since}: 99 of 100`, value: percentile(seconds, 0.99), unit },
    { what: `in force, from ${since}: the last`, value: Math.max(...seconds), unit },
  ];
}

async function story(scene: Scene): Promise<void> {
  const { fleet, nginx, set } = scene;
  await part("start, each takes the whole list", scene, async () => {
    const startMs = Date.now();
    await fleet.connected(PATIENCE_MS);
    await fleet.has(1, PATIENCE_MS);
    return delays(fleet, 1, startMs, "the start");
  });
  await part("at rest", scene, async () => {
    await pause(1.5 * REFRESH_SECONDS * 1000);
    return [];
  });
  for (let time = 1; time <= ANNOUNCEMENTS; time += 1) {
    await part(`a block, announced, ${time}`, scene, async () => {
      const { revision, publishedMs, tookMs } = await set(true);
      await fleet.has(revision, PATIENCE_MS);
      await pause(SETTLE_MS);
      const command = { what: "feed set --notify", value: tookMs / 1000, unit: "s" };
      return [command, ...delays(fleet, revision, publishedMs, "its publication")];
    });
  }
  await part("a block, not announced", scene, async () => {
    const { revision, publishedMs } = await set(false);
    await fleet.has(revision, PATIENCE_MS);
    const told = delays(fleet, revision, publishedMs, "its publication");
    return told.map((it, index) => (index === 2 ? { ...it, bound: REFRESH_SECONDS + 2 } : it));
  });
  await trouble(scene, "the web server is away", () => nginx.stop());
  const refusing = [`add_header Retry-After ${RETRY_AFTER_SECONDS} always;`, "return 503;"];
  const refuses = `the web server answers 503, Retry-After ${RETRY_AFTER_SECONDS}`;
  await trouble(scene, refuses, () => restarted(nginx, refusing));
  await part(`a block, announced, at ${SLOW_BYTES_PER_SECOND} bytes a second`, scene, async () => {
    await restarted(nginx, [`limit_rate ${SLOW_BYTES_PER_SECOND};`]);
    const { revision, publishedMs } = await set(true);
    await fleet.has(revision, PATIENCE_MS);
    return delays(fleet, revision, publishedMs, "its publication");
  });
}

/** A block is announced while the feed cannot be had; then it can. */
async function trouble(scene: Scene, name: string, bring: () => Promise<void>): Promise<void> {
  const { fleet, nginx, set } = scene;
  let announced = 0;
  await part(`${name}, a block is announced`, scene, async () => {
    await bring();
    announced = (await set(true)).revision;
    await pause(TROUBLE_MS);
    return [];
  });
  await part(`${name}, and after it`, scene, async () => {
    await nginx.stop();
    await nginx.start();
    const startMs = Date.now();
    await fleet.has(announced, PATIENCE_MS);
    return delays(fleet, announced, startMs, "its return");
  });
}

async function restarted(nginx: Nginx, lines: string[]): Promise<void> {
  await nginx.stop();
  await nginx.start(lines);
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-fleet-"));
  const cleanUp: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    await story(await setScene(folder, cleanUp));
  } finally {
    for (const step of cleanUp.reverse()) await step();
  }
}

async function setScene(folder: string, cleanUp: (() => Promise<unknown>)[]): Promise<Scene> {
  process.stderr.write(`fleet: a feed of ${CARDS} cards, ${GATEWAYS} gateways\n`);
  const dir = join(folder, "feed");
  const place = { dir, keysDir: `${dir}.keys`, rootKeysDir: `${dir}.keys`, passphrase: null };
  const centre = centreWorld({ clock: createSystemClock(), random: systemRandom });
  const cards = new MadeUpCards(CARDS);
  await initFeed(place, "fleet", centre);
  await publishCards(
    place,
    cardRows(cards.rows()),
    { allowChange: 0, dryRun: false },
    centre,
    () => undefined,
  );
  const authority = await makeAuthority(folder);
  const certificate = await authority.issue("lists");
  const nginx = await startNginx({ root: dir, documented: DOCUMENTED, certificate });
  cleanUp.push(() => nginx.dispose());
  const broker = await startMosquitto();
  cleanUp.push(() => broker.dispose());
  // Hundreds of gateways on one disk would wait for each other's syncs; each of them has its own.
  const memory = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "grindvakt-fleet-"));
  cleanUp.push(() => rm(memory, { recursive: true, force: true }));
  const order = {
    folder: memory,
    rootPath: join(dir, "1.root.json"),
    feedUrl: nginx.url,
    caFile: authority.caFile,
    brokerUrl: broker.url,
    topic: "grindvakt/feeds/fleet",
    refreshSeconds: REFRESH_SECONDS,
  };
  const fleet = new Fleet(order, GATEWAYS, PROCESSES);
  cleanUp.push(() => fleet.stop());
  let card = 0;
  const set = async (announce: boolean) => {
    // Each time another card that is active now.
    const number = cards.number(8 * card++);
    const notify = announce ? ["--notify", broker.url] : [];
    const startMs = performance.now();
    const command = ["feed", "set", dir, number, "blocked", "--json", ...notify];
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...command]);
    const tookMs = performance.now() - startMs;
    const { mtimeMs } = await stat(join(dir, "timestamp.json"));
    return { revision: (JSON.parse(stdout) as { to: number }).to, publishedMs: mtimeMs, tookMs };
  };
  return { fleet, nginx, set };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

await main();
if (values.json) process.stdout.write(`${JSON.stringify({ gateways: GATEWAYS, cards: CARDS, figures })}\n`);
process.exit(Object.values(figures).flat().some(isMissed) ? 1 : 0);
