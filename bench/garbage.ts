/**
 * What neighbours cost a reader: taps over a real socket from another process, in turn without and with noise on eleven other
 * readers (one of them as fast as it is taken) and two that are dead; from the card's being sent to its being decided. At the end
 * a hundred send noise at once, and it is looked whether memory grows.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { House } from "../daemon/house.ts";
import type { HousePorts } from "../daemon/house-ports.ts";
import { openChannel } from "../drivers/channel.ts";
import { createFeedSource } from "../drivers/feed-source.ts";
import { createFiles } from "../drivers/files.ts";
import { createLog } from "../drivers/log.ts";
import { serialReader } from "../drivers/reader-serial.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../drivers/system.ts";
import { buildInPlace } from "../sync/build.ts";
import { type Figure, percentile } from "./figures.ts";
import { benchHouse } from "./house.ts";

const SENDERS = fileURLToPath(new URL("garbage-senders.js", import.meta.url));
const ROUNDS = 10;
const ROUND_MS = 1_500;
/** After a change, until it is there and what waited is done. */
const SETTLE_MS = 300;
/** Nothing listens there. */
const DEAD_PORTS = [1, 2];
const EXTRA_MS_MAX = 1;
/** The first quarter of a hundred's noise is for buffers and code to find their size. */
const CROWD_MS = 120_000;
const CROWD_LOOK_MS = 100;
const SETTLED_SHARE = 0.25;
const GROWTH_MB_MAX = 10;

export async function benchGarbage(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  const senders = spawn(process.execPath, [SENDERS], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(senders, "exit");
  try {
    const lines = createInterface({ input: senders.stdout })[Symbol.asyncIterator]();
    const { good, bad } = JSON.parse((await lines.next()).value as string) as { good: number; bad: number[] };
    const ports = [good, ...bad, ...DEAD_PORTS];
    const decided = new Map<string, bigint>();
    const stop = await startHouse(folder, ports, (card) => decided.set(card, process.hrtime.bigint()));
    const sent: { card: string; atNs: bigint; round: number }[] = [];
    let round = -1;
    const reading = readSent(lines, (card, atNs) => {
      if (round >= 0) sent.push({ card, atNs, round });
    });
    for (let next = 0; next < 2 * ROUNDS; next += 1) {
      round = -1;
      senders.stdin.write(next % 2 === 0 ? "quiet\n" : "noise\n");
      await pause(SETTLE_MS);
      round = next;
      await pause(ROUND_MS);
    }
    round = -1;
    senders.stdin.write("crowd\n");
    const growthMb = await growthInCrowd();
    await stop();
    senders.stdin.end();
    await reading;
    return [
      ...figures(sent, decided),
      {
        what: `a hundred send noise for ${CROWD_MS / 1_000} s: memory grows by`,
        value: growthMb,
        unit: "MB",
        bound: GROWTH_MB_MAX,
      },
    ];
  } finally {
    senders.stdin.end();
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

/** Between the least of the first half and the least of the second: what lies between is garbage that was not collected yet. */
async function growthInCrowd(): Promise<number> {
  const looksMb: number[] = [];
  for (let ms = 0; ms < CROWD_MS; ms += CROWD_LOOK_MS) {
    await pause(CROWD_LOOK_MS);
    looksMb.push(process.memoryUsage.rss() / 1024 ** 2);
  }
  const settled = looksMb.slice(looksMb.length * SETTLED_SHARE, looksMb.length / 2);
  return Math.min(...looksMb.slice(looksMb.length / 2)) - Math.min(...settled);
}

async function readSent(
  lines: AsyncIterableIterator<string>,
  take: (card: string, atNs: bigint) => void,
): Promise<void> {
  for await (const line of lines) {
    const [card = "", atNs = "0"] = line.split(" ");
    take(card, BigInt(atNs));
  }
}

async function startHouse(
  folder: string,
  ports: readonly number[],
  decided: (card: string) => void,
): Promise<() => Promise<void>> {
  const clock = createSystemClock();
  await clock.start();
  const log = createLog("error");
  const world = { clock, random: systemRandom, log, openChannel };
  const createReader: HousePorts["createReader"] = async (id, events) => {
    const port = `tcp://127.0.0.1:${ports[Number(id.slice(1))]}`;
    const options = { id, port, baudRate: 9_600, reads: "card-number" as const, issuers: ["BB"] };
    return serialReader.create(options, world, events);
  };
  const readers = ports.map((_, index) => `r${index}`);
  const settings = benchHouse(join(folder, "data"), join(folder, "root.json"), readers);
  const accessPoints = settings.accessPoints.map((accessPoint) => ({ ...accessPoint, pulseMs: null }));
  const house = new House(
    { ...settings, accessPoints },
    {
      clock,
      random: systemRandom,
      files: createFiles(createSystemDisk(), systemRandom),
      log: createLog("error"),
      feed: createFeedSource(folder),
      build: buildInPlace,
      createBroker: () => null,
      createReader,
      createRelay: () => Promise.reject(new Error("the bench has no relay")),
      createInput: () => Promise.reject(new Error("the bench has no contacts")),
      candidatesOf: () => [],
      commandReader: null,
      tapped: ({ reader, decision }) => {
        if (reader === "r0" && decision.card !== null) decided(decision.card);
      },
    },
  );
  await house.start();
  return async () => {
    await house.stop();
    clock.stop();
  };
}

function figures(
  sent: readonly { card: string; atNs: bigint; round: number }[],
  decided: ReadonlyMap<string, bigint>,
): Figure[] {
  const quiet: number[] = [];
  const noisy: number[] = [];
  let undecided = 0;
  for (const { card, atNs, round } of sent) {
    const at = decided.get(card);
    if (at === undefined) undecided += 1;
    else (round % 2 === 0 ? quiet : noisy).push(Number(at - atNs) / 1e6);
  }
  const quietP99 = percentile(quiet, 0.99);
  return [
    {
      what: `card sent to decided, quiet neighbours, p50 of ${quiet.length}`,
      value: percentile(quiet, 0.5),
      unit: "ms",
    },
    { what: "the same, p99", value: quietP99, unit: "ms" },
    {
      what: `eleven send noise, two are dead, p50 of ${noisy.length}`,
      value: percentile(noisy, 0.5),
      unit: "ms",
    },
    { what: "the same, p99", value: percentile(noisy, 0.99), unit: "ms", bound: quietP99 + EXTRA_MS_MAX },
    { what: "cards that were not decided", value: undecided, unit: "", bound: 0 },
  ];
}
