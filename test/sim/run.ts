/** The simulation outside the tests. Exit 1 when something that must hold did not. */
import { parseArgs } from "node:util";
import { live } from "./life.ts";
import { liveOffline, Year } from "./year.ts";

const USAGE = `npm run sim -- [--seed S] [--trace] [--json] and one of
  --seeds COUNT     stormy minutes, from seed S on (one, unless said)
  --hours N         hours of a site with 2,000 taps a day; 8760 are a year
  --offline DAYS    days without any network, and what memory they take`;

/** Kept after the first days, in which every path has been compiled and every cache filled. */
const SETTLED_DAYS = 10;
/** A collection leaves some more on one day than on another: means are compared. */
const DAYS_COMPARED = 10;
const GROWTH_MIB_MAX = 10;
const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string" },
    hours: { type: "string" },
    offline: { type: "string" },
    trace: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(USAGE);
  return number;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function print(figures: object): void {
  progress("");
  if (values.json) return console.log(JSON.stringify(figures));
  for (const [name, value] of Object.entries(figures)) console.log(`${name}: ${JSON.stringify(value)}`);
}

async function storms(first: number, count: number): Promise<boolean> {
  let failed = 0;
  const show = values.trace ? (line: string) => console.log(line) : () => undefined;
  for (let seed = first; seed < first + count; seed += 1) {
    await live(seed, { prepare: ({ world }) => world.watch(show) }).catch((error: Error) => {
      failed += 1;
      console.error(`seed ${seed}: ${error.message}`);
    });
    progress(`${seed - first + 1} of ${count} seeds, ${failed} failed`);
  }
  print({ seeds: count, first, failed });
  return failed === 0;
}

async function hours(seed: number, count: number): Promise<boolean> {
  const startedMs = performance.now();
  const year = new Year(seed);
  const { figures } = year;
  await year.start();
  for (let hour = 1; hour <= count; hour += 1) {
    await year.hour();
    progress(`${hour} of ${count} hours, ${figures.events} events, ${figures.lives} lives`);
  }
  await year.finish();
  print({ ...figures, tookSeconds: Math.round((performance.now() - startedMs) / 1_000) });
  return true;
}

/** Memory is looked at after a collection: what is left is what is held. */
async function offline(seed: number, days: number): Promise<boolean> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("run it with node --expose-gc, as npm run sim does");
  const looks: { resident: number; heap: number; buffers: number }[] = [];
  let backlog = 0;
  await liveOffline(seed, days, (day, unsent) => {
    collect();
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    looks.push({ resident: rss / MIB, heap: heapUsed / MIB, buffers: arrayBuffers / MIB });
    backlog = unsent;
    progress(`day ${day} of ${days}: ${Math.round(rss / MIB)} MiB`);
  });
  const settled = looks.slice(Math.min(SETTLED_DAYS, days - 1));
  const sizesOf = (part: "resident" | "heap" | "buffers") => settled.map((look) => Math.round(look[part]));
  const sizes = sizesOf("resident");
  const growthMiB = Math.round(mean(sizes.slice(-DAYS_COMPARED)) - mean(sizes.slice(0, DAYS_COMPARED)));
  print({
    seed,
    days,
    unsent: backlog,
    growthMiB,
    residentMiB: rangeOf(sizes),
    heapMiB: rangeOf(sizesOf("heap")),
    buffersMiB: rangeOf(sizesOf("buffers")),
  });
  return growthMiB <= GROWTH_MIB_MAX;
}

function mean(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

function rangeOf(sizes: readonly number[]): { least: number; most: number } {
  return { least: Math.min(...sizes), most: Math.max(...sizes) };
}

async function main(): Promise<boolean> {
  const seed = wholeNumber(values.seed);
  if (values.hours !== undefined) return hours(seed, wholeNumber(values.hours));
  if (values.offline !== undefined) return offline(seed, wholeNumber(values.offline));
  return storms(seed, wholeNumber(values.seeds ?? "1"));
}

main().then(
  (isWell) => {
    process.exitCode = isWell ? 0 : 1;
  },
  (error: Error) => {
    progress("");
    console.error(error.message);
    process.exitCode = 1;
  },
);
