/**
 * A program of its own: the sync of a gateway over real files, told to take lists one after the other. Prints what it took as
 * JSON. It is no part of the daemon's memory figures, but its loop is as empty as a gate's at night, and its heap kept as small.
 */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { buildRoomily } from "../daemon/roomy-build.ts";
import { createFiles } from "../drivers/files.ts";
import { Heap, keepHeapSmall } from "../drivers/heap.ts";
import { createLog } from "../drivers/log.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../drivers/system.ts";
import { buildInWorker } from "../sync/build.ts";
import type { Feed, FeedTarget } from "../sync/feed.ts";
import type { Index } from "../sync/index.ts";
import { createSync, type ListInForce } from "../sync/sync.ts";
import { SEALS } from "./cards.ts";
import { type Turns, watchTurns } from "./turns.ts";

/** What it is told. `layerCardsMax`: what more is merged. */
export interface Task {
  dir: string;
  layerCardsMax: number;
  /** Of each step the file that is fetched; `merges`: it ends when all layers have been merged. */
  steps: readonly { name: string; file: string; target: FeedTarget; merges: boolean }[];
}

/** What it tells of each step. `peakBytes`: resident, the most until then. */
export interface StepFigures {
  name: string;
  tookMs: number;
  turns: Turns;
  residentBytes: number;
  peakBytes: number;
}

const IDLE_MS = 3_000;
const LOOK_MS = 5;

keepHeapSmall();
const heap = new Heap();
const task = JSON.parse(await readFile(process.argv[2]!, "utf8")) as Task;
const clock = createSystemClock();
await clock.start();
let step = task.steps[0]!;
const held: { list: ListInForce | null } = { list: null };
const feed: Feed = {
  refresh: async () => ({
    kind: "verified",
    targets: [step.target],
    publishedAtMs: Date.now(),
    rootVersion: 1,
  }),
  download: () => createReadStream(step.file),
};
const sync = createSync(
  { ...task, seals: SEALS, refreshSeconds: 3_600, lateAfterMinutes: 15, staleAfterHours: 24 },
  {
    clock,
    random: systemRandom,
    files: createFiles(createSystemDisk(), systemRandom),
    feed,
    build: buildRoomily(buildInWorker, heap),
    collectSoon: () => heap.collectSoon(),
    log: createLog("warn"),
  },
  {
    swapped: (list) => {
      held.list = list;
    },
    refreshed: () => undefined,
    refused: ({ name, why }) => {
      throw new Error(`${name}: ${why}`);
    },
  },
);
const figures: StepFigures[] = [];
const idle = await watchTurns(() => pause(IDLE_MS));
figures.push({ name: "idle", tookMs: IDLE_MS, turns: idle.turns, ...(await memory()) });
for (step of task.steps) {
  const startMs = performance.now();
  const { turns } = await watchTurns(() => take());
  figures.push({ name: step.name, tookMs: performance.now() - startMs, turns, ...(await memory()) });
}
await sync.stop();
clock.stop();
process.stdout.write(JSON.stringify(figures));
process.exit(0);

async function take(): Promise<void> {
  // The first refresh is that of `start`.
  if (held.list === null) await sync.start();
  await sync.refreshNow();
  if (held.list?.revision !== step.target.revision) throw new Error(`${step.name}: it is not in force`);
  const index = held.list.index as Index;
  while (step.merges && index.layers.length > 1) await pause(LOOK_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function memory(): Promise<{ residentBytes: number; peakBytes: number }> {
  const status = await readFile("/proc/self/status", "latin1");
  const kilobytes = (field: string) =>
    Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN);
  return { residentBytes: kilobytes("VmRSS") * 1024, peakBytes: kilobytes("VmHWM") * 1024 };
}
