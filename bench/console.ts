/**
 * `npm run bench:console`: how soon the page is there on a gateway that has seen 10,000 taps, what it weighs, and whether 50 pages
 * that ask the console every second are felt at the gate.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { HistoryView } from "../daemon/answers/history.ts";
import { startChromium } from "../test/peers/chromium.ts";
import { type Figure, showFigures } from "./figures.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/daemon/cli.js", import.meta.url));
const TAPS = 10_000;
const POLLERS = 50;
const POLL_MS = 1_000;
/** Half as many as the gateway tells of, so that what was before is told apart. */
const MEASURED_TAPS = 100;
/** Of so few the p99 would be the slowest, which a single sync of the disk decides. */
const ROUNDS = 5;
const PULSE_MS = 50;
const LOADS = 9;
/** Of the page and its files, headers too. */
const WEIGHT = `["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type))
  .filter(({ name }) => !name.includes("/api/")).reduce((sum, { transferSize }) => sum + transferSize, 0)`;
const CARD = "BB-2611-000001";
const CONFIGURATION = `
gateway: { id: gate-07, site: bench }
dataDir: ./data
cards: { feed: ./feed, root: ./feed/root.json, name: bench }
readers: [{ id: desk, driver: virtual }]
accessPoints:
  - { id: in, direction: entry, readers: [desk], repeatSeconds: 0, relay: { driver: virtual, pulseMs: ${PULSE_MS} } }
console: { listen: "127.0.0.1:0" }
`;

const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
try {
  await writeFile(join(folder, "gate.yaml"), CONFIGURATION);
  await writeFile(join(folder, "cards.csv"), `number,status,valid_until,tokens\n${CARD},active,,\n`);
  await command("feed", "init", "feed", "--name", "bench");
  await command("feed", "publish", "feed", "--cards", "cards.csv");
  const gateway = spawn(process.execPath, [PROGRAM, "run", "-c", "gate.yaml"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    const url = await addressOf(gateway.stderr);
    process.stdout.write(`console\n  ${showFigures(await measure(url, gateway.pid!))}\n`);
  } finally {
    gateway.kill();
    await once(gateway, "exit");
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

function command(...args: string[]): Promise<unknown> {
  return promisify(execFile)(process.execPath, [PROGRAM, ...args], { cwd: folder });
}

/** As it logs it once it runs; what it logs later is read and left. */
function addressOf(log: NodeJS.ReadableStream): Promise<string> {
  return new Promise((done, fail) => {
    createInterface({ input: log })
      .on("line", (line) => {
        const { console: url } = JSON.parse(line) as { console?: string };
        if (url !== undefined) done(url);
      })
      .on("close", () => fail(new Error("the gateway has ended")));
  });
}

async function measure(url: string, pid: number): Promise<Figure[]> {
  const say = (what: string) => process.stderr.write(`console: ${what}\n`);
  say("taps are timed, one after the other");
  const alone = await latencies(url, pid);
  say(`${TAPS} taps are made`);
  for (let count = 0; count < TAPS; count += 50)
    await Promise.all(Array.from({ length: 50 }, () => tap(url)));
  say(`taps are timed while ${POLLERS} programs ask`);
  const polling = poll(url);
  const beset = await latencies(url, pid);
  const asked = await polling();
  say("the page is loaded");
  const page = await load(url);
  return [
    { what: `first paint, ${TAPS} taps in the journal`, value: page.paintMs, unit: "ms" },
    { what: "first paint, the slowest of the loads", value: page.paintMsMax, unit: "ms" },
    { what: "weight of the page", value: page.bytes / 1_000, unit: "kB" },
    { what: "tap to relay, p50", value: at(alone.sortedMs, 0.5), unit: "ms" },
    { what: "tap to relay, p99", value: at(alone.sortedMs, 0.99), unit: "ms" },
    { what: `tap to relay, ${POLLERS} pollers, p50`, value: at(beset.sortedMs, 0.5), unit: "ms" },
    { what: `tap to relay, ${POLLERS} pollers, p99`, value: at(beset.sortedMs, 0.99), unit: "ms" },
    { what: "requests of the pollers that were answered", value: asked, unit: "/s" },
    { what: "the gateway's thread, alone", value: alone.busyMs, unit: "ms/s" },
    { what: `the gateway's thread, ${POLLERS} pollers`, value: beset.busyMs, unit: "ms/s" },
  ];
}

async function tap(url: string): Promise<void> {
  const body = JSON.stringify({ reader: "desk", credential: CARD });
  const reply = await fetch(`${url}/api/taps`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  await reply.text();
}

/** One opening after the other, as the gateway measures them; and how long of each second its thread was on a processor. */
async function latencies(url: string, pid: number): Promise<{ sortedMs: number[]; busyMs: number }> {
  const sinceMs = performance.now();
  const busySinceMs = await threadMs(pid);
  const all: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let count = 0; count < MEASURED_TAPS; count += 1) {
      await tap(url);
      await new Promise((done) => setTimeout(done, 2 * PULSE_MS));
    }
    const { latenciesMs } = (await (await fetch(`${url}/api/history`)).json()) as HistoryView;
    all.push(...latenciesMs.slice(-MEASURED_TAPS));
  }
  const busyMs = ((await threadMs(pid)) - busySinceMs) / ((performance.now() - sinceMs) / 1_000);
  return { sortedMs: all.sort((a, b) => a - b), busyMs };
}

/** Of the process's first thread, which is the loop's. */
async function threadMs(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/schedstat`, "utf8")).split(" ")[0]) / 1e6;
}

/** Pages that ask every second. Ends with the answers a second. */
function poll(url: string): () => Promise<number> {
  let isOver = false;
  let answered = 0;
  const sinceMs = performance.now();
  const pages = Array.from({ length: POLLERS }, async (_, index) => {
    while (!isOver) {
      const reply = await fetch(`${url}${index % 2 === 0 ? "/api/status" : "/api/taps?limit=50"}`);
      await reply.text();
      if (reply.ok) answered += 1;
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(pages);
    return answered / ((performance.now() - sinceMs) / 1_000);
  };
}

/** Each time with nothing kept from before. */
async function load(url: string): Promise<{ paintMs: number; paintMsMax: number; bytes: number }> {
  const browser = await startChromium();
  try {
    const paints: number[] = [];
    let bytes = 0;
    for (let count = 0; count < LOADS; count += 1) {
      const page = await (await browser.newContext()).newPage();
      await page.goto(url);
      await page.waitForSelector(".hero");
      paints.push(
        await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
      );
      bytes = await page.evaluate<number>(WEIGHT);
      await page.context().close();
    }
    paints.sort((a, b) => a - b);
    return { paintMs: at(paints, 0.5), paintMsMax: at(paints, 1), bytes };
  } finally {
    await browser.close();
  }
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}
