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
  const residentMiB: number[] = [];
  let backlog = 0;
  await liveOffline(seed, days, (day, unsent) => {
    collect();
    const { rss, heapUsed } = process.memoryUsage();
    residentMiB.push(Math.round(rss / MIB));
    backlog = unsent;
    progress(`day ${day} of ${days}: ${residentMiB.at(-1)} MiB, of which heap ${Math.round(heapUsed / MIB)}`);
  });
  const settled = residentMiB.slice(Math.min(SETTLED_DAYS, days - 1));
  const spreadMiB = Math.max(...settled) - Math.min(...settled);
  print({
    seed,
    days,
    unsent: backlog,
    residentMiB: `${Math.min(...settled)} to ${Math.max(...settled)}`,
    spreadMiB,
  });
  return true;
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
