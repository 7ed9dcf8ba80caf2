/**
 * A backlog after a long outage: so many events of a journal go to a real mosquitto and a centre that hears them, while people go on
 * presenting cards; beside the same gate with nothing to catch up on, in turn, in the same run. By the clock a tap also waits for
 * the broker and the centre, which are on the same processors here; what the gate's own thread does meanwhile is ours.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pathsOf } from "../daemon/data-paths.ts";
import type { House } from "../daemon/house.ts";
import { Journal } from "../daemon/journal/journal.ts";
import type { Draft } from "../daemon/journal/record.ts";
import { createBroker } from "../drivers/broker.ts";
import { createFiles } from "../drivers/files.ts";
import { createLog } from "../drivers/log.ts";
import type { Clock } from "../drivers/ports.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../drivers/system.ts";
import { startMosquitto } from "../test/peers/mosquitto.ts";
import type { Account } from "./backlog-centre.ts";
import { type Figure, percentile } from "./figures.ts";
import { type Hands, publishOneCard, startBenchHouse, tapOnce } from "./house.ts";
import { ThreadTime } from "./turns.ts";

const EVENTS = 100_000;
/** Each of a catching-up and a quiet part. */
const ROUNDS = 3;
/** A card this often, twenty times as often as people come. */
const TAP_MS = 25;
const QUIET_TAPS = 500;
const WARM_UP_TAPS = 200;
/** CONTRACT 9: 5,000 events a second. */
const DRAIN_SECONDS_MAX = EVENTS / 5_000;
/** Of p99 with nothing unsent: it is to be the same, as far as two runs ever are. */
const RATIO_MAX = 1.5;
const EXTRA_MS_MAX = 1;
/** Far more often than anybody asks how a gateway is. */
const LOOK_MS = 20;
/** Appended at once, far below what the journal lets wait. */
const FILL_EVENTS = 5_000;
/** Longer than any round that is worth a figure. */
const DRAIN_MS_MAX = 120_000;
const CENTRE = fileURLToPath(new URL("./backlog-centre.js", import.meta.url));

type CleanUp = (() => Promise<unknown>)[];

export async function benchBacklog(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  const cleanUp: CleanUp = [() => rm(folder, { recursive: true, force: true })];
  try {
    return await measure(folder, cleanUp);
  } finally {
    for (const step of cleanUp.reverse()) await step();
  }
}

async function measure(folder: string, cleanUp: CleanUp): Promise<Figure[]> {
  const clock = createSystemClock();
  await clock.start();
  cleanUp.push(async () => clock.stop());
  const feed = join(folder, "feed");
  await publishOneCard(feed, clock);
  const mosquitto = await startMosquitto();
  cleanUp.push(() => mosquitto.dispose());
  const centre = await startCentre(mosquitto.url);
  cleanUp.push(() => centre.stop());
  const start = (dataDir: string) =>
    startBenchHouse(dataDir, feed, clock, (will, subscriptions) =>
      createBroker(
        { urls: [mosquitto.url], clientId: "grindvakt-bench", will, subscriptions },
        { clock, random: systemRandom, log: createLog("error") },
      ),
    );

  const [behind, level] = [join(folder, "behind"), join(folder, "level")];
  await fillJournal(behind, clock);
  const perSecond: number[] = [];
  const quiet: Times = { wallMs: [], cpuMs: [] };
  const catchingUp: Times = { wallMs: [], cpuMs: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const even = await start(level);
    await allSent(even.house);
    await tapOn(even.hands, clock, { wallMs: [], cpuMs: [] }, (taps) => taps < WARM_UP_TAPS);
    await tapOn(even.hands, clock, quiet, (taps) => taps < QUIET_TAPS);
    await even.house.stop();

    // As if nothing had ever been acknowledged.
    await rm(pathsOf(behind).cursor, { force: true });
    await centre.ask("anew");
    const { house, hands } = await start(behind);
    let drained: number | null = null;
    const draining = allSent(house).then((rate) => {
      drained = rate;
    });
    await tapOn(hands, clock, catchingUp, () => drained === null);
    await draining;
    perSecond.push(drained ?? 0);
    await allSent(house);
    const { acknowledgedSeq } = house.status().outbox;
    const account = await centre.ask("");
    if (acknowledgedSeq < EVENTS || account.throughSeq < acknowledgedSeq || account.outOfOrder > 0)
      throw new Error(`of ${acknowledgedSeq} events the centre has ${JSON.stringify(account)}`);
    await house.stop();
  }
  return figuresOf(perSecond, quiet, catchingUp);
}

/** Milliseconds from the reading to the relay being commanded: by the clock, and of them those the gate's thread computed. */
interface Times {
  wallMs: number[];
  cpuMs: number[];
}

function figuresOf(perSecond: number[], quiet: Times, catchingUp: Times): Figure[] {
  const slowest = Math.min(...perSecond);
  const quietP99 = percentile(quiet.wallMs, 0.99);
  const of = (name: string, { wallMs, cpuMs }: Times): Figure[] => [
    { what: `${name}: tap read to relay commanded, p50`, value: percentile(wallMs, 0.5), unit: "ms" },
    { what: `${name}: of it the gate's own thread, p99`, value: percentile(cpuMs, 0.99), unit: "ms" },
  ];
  const p99 = "tap read to relay commanded, p99";
  return [
    { what: "events acknowledged, in the slowest round", value: slowest, unit: "/s" },
    {
      what: `${EVENTS.toLocaleString("en")} events at that rate`,
      value: EVENTS / slowest,
      unit: "s",
      bound: DRAIN_SECONDS_MAX,
    },
    ...of("nothing unsent", quiet),
    { what: `nothing unsent: ${p99}`, value: quietP99, unit: "ms" },
    ...of("catching up", catchingUp),
    {
      what: `catching up: ${p99}`,
      value: percentile(catchingUp.wallMs, 0.99),
      unit: "ms",
      bound: quietP99 * RATIO_MAX + EXTRA_MS_MAX,
    },
  ];
}

/** A card now and then, for as long as it is to go on. */
async function tapOn(
  hands: Hands,
  clock: Clock,
  times: Times,
  goesOn: (taps: number) => boolean,
): Promise<void> {
  const processor = ThreadTime.open();
  for (let taps = 0; goesOn(taps); taps += 1) {
    const startNs = processor?.readNs() ?? Number.NaN;
    const wallMs = await tapOnce(hands, clock);
    times.cpuMs.push(((processor?.readNs() ?? Number.NaN) - startNs) / 1e6);
    times.wallMs.push(wallMs);
    await pause(TAP_MS);
  }
  processor?.close();
}

/** Events acknowledged a second, from now until nothing is unsent. */
async function allSent(house: House): Promise<number> {
  const before = house.status().outbox.acknowledgedSeq;
  const startMs = performance.now();
  for (;;) {
    const { unsent, acknowledgedSeq } = house.status().outbox;
    const elapsedMs = performance.now() - startMs;
    if (unsent === 0) return ((acknowledgedSeq - before) / elapsedMs) * 1_000;
    if (elapsedMs > DRAIN_MS_MAX) throw new Error(`${unsent} events are still unsent`);
    await pause(LOOK_MS);
  }
}

/** Written by the journal itself. */
async function fillJournal(dataDir: string, clock: Clock): Promise<void> {
  const files = createFiles(createSystemDisk(), systemRandom);
  const { journal: dir } = pathsOf(dataDir);
  await files.makeDirs(dir);
  const settings = { keepMs: Number.MAX_SAFE_INTEGER, maxBytes: 1024 ** 3, segmentBytesMax: 4 * 1024 ** 2 };
  const nothing = (): undefined => undefined;
  const journal = new Journal(
    { dir, gateway: "bench", boot: "before", ...settings },
    { clock, files, log: createLog("error") },
    { synced: nothing, volatile: nothing, failed: nothing, recovered: nothing, gone: nothing },
  );
  await journal.start(0);
  for (let written = 0; written < EVENTS; written += FILL_EVENTS)
    await Promise.all(
      Array.from({ length: FILL_EVENTS }, (_, index) => journal.append(draft(written + index))),
    );
  await journal.stop();
}

/** What a tap is, as far as its length and the broker are concerned. */
function draft(index: number): Draft {
  return {
    type: "grindvakt.tap.v1",
    subject: "in",
    time: "2026-11-22T06:58:12.345Z",
    data: {
      workplaceId: "8112345678",
      accessPoint: "in",
      direction: "entry",
      reader: "r",
      card: `BB-2611-${String(index).padStart(6, "0")}`,
      credential: { kind: "number", assurance: "number" },
      granted: true,
      reason: "granted",
      list: { revision: 120, ageSeconds: 35, freshness: "fresh" },
      clock: { trusted: true, boot: "7b1c2d3e-0000-4000-8000-000000000000", uptimeMs: index },
    },
  };
}

interface Centre {
  ask(word: string): Promise<Account>;
  stop(): Promise<unknown>;
}

async function startCentre(url: string): Promise<Centre> {
  const child = spawn(process.execPath, [CENTRE, url], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    ask: async (word) => {
      child.stdin.write(`${word}\n`);
      return JSON.parse((await lines.next()).value ?? "{}") as Account;
    },
    stop: () => {
      child.stdin.end();
      return once(child, "exit");
    },
  };
}
