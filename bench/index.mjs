// The card index against what one would otherwise take: bits a card, nanoseconds a hit and a miss, load, build.
//   npm run build && node --expose-gc bench/index.mjs [--cards 1000000] [--map] [--json]
// --map also measures a Map of text to card, which at ten million takes several gigabytes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import { createFiles } from "../dist/drivers/files.js";
import { createSystemDisk, systemRandom } from "../dist/drivers/system.js";
import { buildInWorker } from "../dist/sync/build.js";
import { unpackNumber } from "../dist/sync/card.js";
import { Index } from "../dist/sync/index.js";
import { IndexBuilder } from "../dist/sync/index-builder.js";
import { imagePieces, openImage } from "../dist/sync/index-file.js";
import { HEADER } from "../dist/sync/rows.js";

const { values: options } = parseArgs({
  options: {
    cards: { type: "string", default: "1000000" },
    map: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const cards = Number(options.cards);
const LOOKUPS = 1_000_000;
const STATUSES = ["active", "active", "active", "active", "blocked", "suspended", "terminated", "superseded"];
const results = {};

function report(name, value, unit) {
  results[name] = value;
  if (!options.json) console.log(`${name.padEnd(44)} ${value.toLocaleString("en").padStart(12)} ${unit}`);
}

/** The card at `i`: numbers spread over the months of fifteen years, in order; 7-byte UIDs of one maker. */
function numberAt(i) {
  const month = Math.floor((i / cards) * 180);
  const digits =
    (10 + Math.floor(month / 12)) * 1e8 + ((month % 12) + 1) * 1e6 + ((Math.imul(i, 2654435761) >>> 0) % 1e6);
  return 27 * 1e10 + digits;
}

function uidAt(i) {
  const low = (Math.imul(i, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  const middle = Math.imul(i ^ (i >>> 9), 0x85ebca6b) >>> 16;
  return `04${middle.toString(16).padStart(4, "0")}${low.toString(16).padStart(8, "0")}`.toUpperCase();
}

/** Distinct numbers, as `numberAt` repeats itself now and then. */
const packed = Float64Array.from({ length: Math.ceil(cards * 1.1) }, (_, i) => numberAt(i)).sort();
const numbers = packed.filter((number, i) => number !== packed[i - 1]).slice(0, cards);

function* textPieces() {
  let lines = [HEADER];
  for (let i = 0; i < numbers.length; i++) {
    const day = new Date((20_000 + (i % 1800)) * 86_400_000).toISOString().slice(0, 10);
    lines.push(`${unpackNumber(numbers[i])},${STATUSES[i % 8]},${day},uid:${uidAt(i)}`);
    if (lines.length === 10_000) {
      yield Buffer.from(`${lines.join("\n")}\n`);
      lines = [];
    }
  }
  yield Buffer.from(`${lines.join("\n")}\n`);
}

/** A number that is not on the list, right beside the one at `i`. */
function missingAfter(i) {
  let other = numbers[i] + 1;
  for (let next = i + 1; numbers[next] === other; next++) other += 1;
  return other;
}

/** Nanoseconds a call of `look` over shuffled keys: the lowest of many batches, as other programs run meanwhile. */
function time(keys, look) {
  const batch = Math.min(keys.length, 100_000);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    for (let from = 0; from + batch <= keys.length; from += batch) {
      const start = performance.now();
      for (let i = from; i < from + batch; i++) look(keys[i]);
      best = Math.min(best, ((performance.now() - start) * 1e6) / batch);
    }
  }
  return Math.round(best);
}

function shuffled(count, make) {
  return Array.from({ length: Math.min(count, LOOKUPS) }, () =>
    make(Math.floor(Math.random() * numbers.length)),
  );
}

const order = { revision: 1, publishedAtMs: Date.now(), cards: numbers.length };
report("cards", numbers.length, "");
const pieces = [...textPieces()];
report("text", Math.round(pieces.reduce((sum, piece) => sum + piece.length, 0) / 1e6), "MB");

let start = performance.now();
const builder = new IndexBuilder(order, null);
for (const piece of pieces) builder.push(piece);
report("parse", Math.round(performance.now() - start), "ms");
const built = builder.finish();
report("parse and build, from plain text", Math.round(performance.now() - start), "ms");
if (built.kind !== "built") throw new Error(built.why);

start = performance.now();
const gzip = await gzipped(pieces);
report("gzip", Math.round(gzip.reduce((sum, piece) => sum + piece.length, 0) / 1e6), "MB");
pieces.length = 0;
globalThis.gc?.();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
start = performance.now();
const worker = await buildInWorker({
  ...order,
  gzip: (async function* () {
    yield* gzip;
  })(),
  previous: built.image,
  signal: new AbortController().signal,
});
delay.disable();
report("build in the worker, from gzip, previous list", Math.round(performance.now() - start), "ms");
report("longest event-loop stall meanwhile", Math.round(delay.max / 1e5) / 10, "ms");
report("resident memory at its peak", Math.round(process.resourceUsage().maxRSS / 1024), "MB");
if (worker.kind !== "built") throw new Error(worker.why);

const dir = mkdtempSync(join(tmpdir(), "grindvakt-bench-"));
const files = createFiles(createSystemDisk(), systemRandom);
const path = join(dir, "index-1.bin");
start = performance.now();
await files.replace(path, imagePieces(worker.image));
report("write, durable", Math.round(performance.now() - start), "ms");
globalThis.gc?.();
start = performance.now();
const opened = await openImage(files, path);
report("load and check", Math.round(performance.now() - start), "ms");
rmSync(dir, { recursive: true });
if (opened.kind !== "opened") throw new Error(opened.why);

const index = new Index(opened.image);
const { parts, bytes } = opened.image;
const numberBits =
  (parts.numbers.starts.length * 4 + parts.numbers.cells.length * 4 + parts.numbers.tops.length) * 8;
report("bits a card, numbers with status and day", round1(numberBits / numbers.length), "bits");
report(
  "bits a card, tokens",
  round1(((parts.tokens.starts.length + parts.tokens.entries.length) * 32) / numbers.length),
  "bits",
);
report("bytes a card, all", round1(bytes.length / numbers.length), "bytes");

const sample = shuffled(numbers.length, (i) => i);
const known = sample.map((i) => unpackNumber(numbers[i]));
const unknown = sample.map((i) => unpackNumber(missingAfter(i)));
const uids = sample.map(uidAt);
const strangers = uids.map((uid) => `05${uid.slice(2)}`);
report(
  "number, hit",
  time(known, (number) => index.byNumber(number)),
  "ns",
);
report(
  "number, miss",
  time(unknown, (number) => index.byNumber(number)),
  "ns",
);
report(
  "token, hit",
  time(uids, (uid) => index.byToken(uid, "whole")),
  "ns",
);
report(
  "token, miss",
  time(strangers, (uid) => index.byToken(uid, "whole")),
  "ns",
);
start = performance.now();
index.byToken("AABBCCDD", "last");
report("cut index, first question", Math.round(performance.now() - start), "ms");
const cuts = uids.map((uid) => uid.slice(-8));
report(
  "token cut to its last 4, hit",
  time(cuts, (uid) => index.byToken(uid, "last")),
  "ns",
);

if (options.map) {
  globalThis.gc?.();
  const before = process.memoryUsage();
  start = performance.now();
  const byNumber = new Map();
  const byToken = new Map();
  for (let i = 0; i < numbers.length; i++) {
    const card = {
      number: unpackNumber(numbers[i]),
      status: STATUSES[i % 8],
      validUntilDay: 20_000 + (i % 1800),
    };
    byNumber.set(card.number, card);
    byToken.set(uidAt(i), card);
  }
  report("Map: build", Math.round(performance.now() - start), "ms");
  globalThis.gc?.();
  report(
    "Map: bits a card",
    Math.round(((process.memoryUsage().heapUsed - before.heapUsed) * 8) / numbers.length),
    "bits",
  );
  report(
    "Map: number, hit",
    time(known, (number) => byNumber.get(number)),
    "ns",
  );
  report(
    "Map: number, miss",
    time(unknown, (number) => byNumber.get(number)),
    "ns",
  );
  report(
    "Map: token, hit",
    time(uids, (uid) => byToken.get(uid)),
    "ns",
  );
  report(
    "Map: token, miss",
    time(strangers, (uid) => byToken.get(uid)),
    "ns",
  );
}
if (options.json) console.log(JSON.stringify(results));

function round1(value) {
  return Math.round(value * 10) / 10;
}

async function gzipped(plain) {
  const out = [];
  const stream = createGzip({ level: 1 });
  stream.on("data", (piece) => out.push(piece));
  const ended = new Promise((resolve) => stream.once("end", resolve));
  for (const piece of plain)
    if (!stream.write(piece)) await new Promise((resolve) => stream.once("drain", resolve));
  stream.end();
  await ended;
  return out;
}
