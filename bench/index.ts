/**
 * The card list at a million cards, or as many as are asked for: lookups beside what one would otherwise take, the way of
 * whole lists and deltas into force, and the whole daemon's memory and cold start with such a list.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createFiles } from "../drivers/files.ts";
import { createLog } from "../drivers/log.ts";
import { createSystemDisk, systemRandom } from "../drivers/system.ts";
import type { FeedTarget } from "../sync/feed.ts";
import type { IndexImage } from "../sync/index-file.ts";
import { Shelf } from "../sync/shelf.ts";
import { MadeUpCards, SEALS, writeTarget } from "./cards.ts";
import { benchDaemon } from "./daemon-list.ts";
import type { Figure } from "./figures.ts";
import type { StepFigures, Task } from "./list-life.ts";
import { benchLookup } from "./lookup.ts";

export const CARDS = 1_000_000;
const DELTA_ROWS = 10_000;
/** Two deltas are merged, one is not. */
const LAYER_CARDS_MAX = 1.5 * DELTA_ROWS;
const LIFE = fileURLToPath(new URL("./list-life.js", import.meta.url));

/** CONTRACT 9. */
const BYTES_PER_CARD_MAX = 13;
const DELTA_MS_MAX = 1_000;
const STALL_MS_MAX = 5;

interface Wanted {
  cards: number;
  withRivals: boolean;
}

export async function benchIndex(
  { cards, withRivals }: Wanted,
  say: (what: string) => void,
): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  try {
    return await measure(new MadeUpCards(cards), folder, withRivals, say);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  cards: MadeUpCards,
  folder: string,
  withRivals: boolean,
  say: (what: string) => void,
): Promise<Figure[]> {
  say("lists are written, and taken by a gateway's sync");
  const dir = join(folder, "cards");
  const lists = await takeLists(cards, folder, dir);
  say("lookups are timed");
  const loaded = await loadLists(dir);
  const [whole] = loaded.images;
  const lookups = await benchLookup(cards, loaded, withRivals, say);
  say("the daemon is started with the list");
  const daemon = await benchDaemon(cards, folder);
  return [
    { what: "cards", value: cards.count, unit: "" },
    {
      what: "index",
      value: whole!.bytes.length / cards.count,
      unit: "B/card",
      bound: BYTES_PER_CARD_MAX,
    },
    { what: "index: read and checked", value: loaded.openedMs, unit: "ms" },
    ...lookups,
    ...lists,
    ...daemon,
  ];
}

/** What a daemon does at its start. */
async function loadLists(dir: string): Promise<{ images: IndexImage[]; openedMs: number }> {
  const files = createFiles(createSystemDisk(), systemRandom);
  const shelf = new Shelf(dir, SEALS, {
    files,
    log: createLog("warn"),
    signal: new AbortController().signal,
  });
  const startMs = performance.now();
  const damage = await shelf.load();
  if (damage !== null) throw new Error(damage);
  return { images: shelf.layers, openedMs: performance.now() - startMs };
}

// ---------------------------------------------------------------- the way into force

async function takeLists(cards: MadeUpCards, folder: string, dir: string): Promise<Figure[]> {
  const step = async (name: string, base: number | null, revision: number, text: Iterable<string>) => {
    const file = join(folder, `${base ?? ""}-${revision}.csv.gz`);
    await writeTarget(file, text);
    return { name, file, target: await describe(file, base, revision, cards.count), merges: false };
  };
  const steps: Task["steps"] = [
    await step("whole list", null, 1, cards.text()),
    await step("whole list, against the one before", null, 2, cards.text()),
    await step("delta", 2, 3, cards.delta(DELTA_ROWS, 0, "suspended")),
    { ...(await step("delta and merge", 3, 4, cards.delta(DELTA_ROWS, 1, "suspended"))), merges: true },
    await step("delta after a merge", 4, 5, cards.delta(DELTA_ROWS, 8, "blocked")),
  ];
  const task: Task = { dir, layerCardsMax: LAYER_CARDS_MAX, steps };
  const taskFile = join(folder, "task.json");
  await writeFile(taskFile, JSON.stringify(task));
  const { stdout } = await promisify(execFile)(process.execPath, [LIFE, taskFile]);
  const [idle, ...taken] = JSON.parse(stdout) as StepFigures[];
  return [...turnFigures("idle, the baseline", idle!), ...taken.flatMap(stepFigures)];
}

async function describe(
  file: string,
  base: number | null,
  revision: number,
  cards: number,
): Promise<FeedTarget> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  const { size } = await stat(file);
  return { path: file, revision, base, cards, lengthBytes: size, sha256: hash.digest("hex") };
}

function stepFigures(step: StepFigures): Figure[] {
  const { name, tookMs, peakBytes } = step;
  const took: Figure = { what: `${name}: durable and in force after`, value: tookMs, unit: "ms" };
  if (name.startsWith("delta") && !name.includes("and merge")) took.bound = DELTA_MS_MAX;
  const peak: Figure = {
    what: `${name}: memory of that program at its peak`,
    value: megabytes(peakBytes),
    unit: "MB",
  };
  return [took, ...turnFigures(name, step, STALL_MS_MAX), peak];
}

function turnFigures(name: string, { turns }: StepFigures, bound?: number): Figure[] {
  const delay: Figure = { what: `${name}: longest delay of the loop`, value: turns.delayMs, unit: "ms" };
  const collected: Figure = {
    what: `${name}: longest pause of the garbage collector`,
    value: turns.collectedMs,
    unit: "ms",
  };
  if (turns.busyMs === null) return [delay, collected];
  const busy: Figure = {
    what: `${name}: longest turn of the loop, on the processor`,
    value: turns.busyMs,
    unit: "ms",
  };
  return [delay, collected, bound === undefined ? busy : { ...busy, bound }];
}

export function megabytes(bytes: number): number {
  return bytes / 1024 ** 2;
}
