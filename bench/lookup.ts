/**
 * A decision's lookup, and the same lookup in what a user would take instead: a Map, SQLite with a prepared statement,
 * LMDB, lowdb's JSON. The last three are measured where they are installed, or where it takes minutes only when asked.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packNumber } from "../sync/card.ts";
import { Index } from "../sync/index.ts";
import type { IndexImage } from "../sync/index-file.ts";
import { type MadeUpCards, statusCode } from "./cards.ts";
import type { Figure } from "./figures.ts";

const SAMPLES_MAX = 1_000_000;
const BATCH = 100_000;
/** The slow ones, so that all of them take seconds. */
const SMALL_BATCH = 10_000;
const ROUNDS = 10;
/** More would take gigabytes. */
const MAP_CARDS_MAX = 1_000_000;

/** CONTRACT 9. */
const NUMBER_NS_MAX = 500;
const TOKEN_NS_MAX = 1_000;
const NUMBER_SHARE_OF_SQLITE_MAX = 1 / 10;
const TOKEN_SHARE_OF_SQLITE_MAX = 1 / 5;

interface Keys {
  numbers: string[];
  missing: string[];
  uids: string[];
  strangers: string[];
}

/** What answers, by text. */
interface Lookup {
  number(number: string): unknown;
  token(uid: string): unknown;
}

type Times = Record<"numberHit" | "numberMiss" | "tokenHit" | "tokenMiss", number>;

export async function benchLookup(
  cards: MadeUpCards,
  images: readonly IndexImage[],
  say: (what: string) => void,
): Promise<Figure[]> {
  const keys = drawKeys(cards);
  const index = new Index(...images);
  const ours = timesOf(
    {
      number: (number) => index.byNumber(number),
      token: (uid) => index.byToken(uid, "whole"),
    },
    keys,
    BATCH,
  );
  const figures: Figure[] = [
    { what: "card number, hit", value: ours.numberHit, unit: "ns", bound: NUMBER_NS_MAX },
    { what: "card number, miss", value: ours.numberMiss, unit: "ns", bound: NUMBER_NS_MAX },
    { what: "token, hit", value: ours.tokenHit, unit: "ns", bound: TOKEN_NS_MAX },
    { what: "token, miss", value: ours.tokenMiss, unit: "ns", bound: TOKEN_NS_MAX },
  ];
  if (cards.count <= MAP_CARDS_MAX) figures.push(...mapFigures(cards, keys));
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  try {
    figures.push(...sqliteFigures(cards, keys, ours, folder, say));
    figures.push(...(await lmdbFigures(cards, keys, folder, say)));
  } finally {
    await rm(folder, { recursive: true });
  }
  return figures;
}

function drawKeys(cards: MadeUpCards): Keys {
  const picks = Array.from({ length: Math.min(cards.count, SAMPLES_MAX) }, () =>
    Math.floor(Math.random() * cards.count),
  );
  return {
    numbers: picks.map((i) => cards.number(i)),
    missing: picks.map((i) => cards.missing(i)),
    uids: picks.map((i) => cards.uid(i)),
    strangers: picks.map((i) => cards.uid(i, "05")),
  };
}

function timesOf(lookup: Lookup, keys: Keys, batch: number): Times {
  return {
    numberHit: time(keys.numbers, lookup.number, batch),
    numberMiss: time(keys.missing, lookup.number, batch),
    tokenHit: time(keys.uids, lookup.token, batch),
    tokenMiss: time(keys.strangers, lookup.token, batch),
  };
}

/** Nanoseconds a call: the lowest of many batches, as other programs run meanwhile. */
function time(keys: readonly string[], look: (key: string) => unknown, batch: number): number {
  let bestNs = Number.POSITIVE_INFINITY;
  const last = Math.min(keys.length, ROUNDS * batch);
  for (let round = 0; round < ROUNDS; round++) {
    for (let from = 0; from + batch <= last; from += batch) {
      const startMs = performance.now();
      for (let i = from; i < from + batch; i++) look(keys[i]!);
      bestNs = Math.min(bestNs, ((performance.now() - startMs) * 1e6) / batch);
    }
  }
  return bestNs;
}

function figuresOf(name: string, times: Times): Figure[] {
  return [
    { what: `${name}: card number, hit`, value: times.numberHit, unit: "ns" },
    { what: `${name}: card number, miss`, value: times.numberMiss, unit: "ns" },
    { what: `${name}: token, hit`, value: times.tokenHit, unit: "ns" },
    { what: `${name}: token, miss`, value: times.tokenMiss, unit: "ns" },
  ];
}

// ---------------------------------------------------------------- a Map

function mapFigures(cards: MadeUpCards, keys: Keys): Figure[] {
  const heapBefore = process.memoryUsage().heapUsed;
  const startMs = performance.now();
  const byNumber = new Map<string, object>();
  const byToken = new Map<string, object>();
  for (let i = 0; i < cards.count; i++) {
    const card = { number: cards.number(i), status: cards.status(i), validUntilDay: cards.day(i) };
    byNumber.set(card.number, card);
    byToken.set(cards.uid(i), card);
  }
  const builtMs = performance.now() - startMs;
  const heapBytes = process.memoryUsage().heapUsed - heapBefore;
  const times = timesOf(
    { number: (number) => byNumber.get(number), token: (uid) => byToken.get(uid) },
    keys,
    BATCH,
  );
  return [
    { what: "Map: built", value: builtMs, unit: "ms" },
    { what: "Map: memory", value: heapBytes / cards.count, unit: "B/card" },
    ...figuresOf("Map", times),
  ];
}

// ---------------------------------------------------------------- SQLite

/** The few calls of better-sqlite3 that are made here. */
interface Database {
  exec(sql: string): void;
  prepare(sql: string): { run(...values: unknown[]): unknown; get(...values: unknown[]): unknown };
  close(): void;
}

const SCHEMA = `
  PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA mmap_size = 4000000000;
  CREATE TABLE cards (number INTEGER PRIMARY KEY, status INTEGER, day INTEGER);
  CREATE TABLE tokens (uid BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID;
  BEGIN`;

function sqliteFigures(
  cards: MadeUpCards,
  keys: Keys,
  ours: Times,
  folder: string,
  say: (what: string) => void,
): Figure[] {
  const Sqlite = optional<new (path: string) => Database>("better-sqlite3", say);
  if (Sqlite === null) return [];
  const db = new Sqlite(join(folder, "cards.db"));
  db.exec(SCHEMA);
  const addCard = db.prepare("INSERT INTO cards VALUES (?, ?, ?)");
  const addToken = db.prepare("INSERT OR IGNORE INTO tokens VALUES (?, ?)");
  const startMs = performance.now();
  for (let i = 0; i < cards.count; i++) {
    addCard.run(cards.numbers[i]!, statusCode(cards.status(i)), cards.day(i));
    addToken.run(Buffer.from(cards.uid(i), "hex"), cards.numbers[i]!);
  }
  db.exec("COMMIT");
  const builtMs = performance.now() - startMs;
  const byNumber = db.prepare("SELECT status, day FROM cards WHERE number = ?");
  const byToken = db.prepare(
    "SELECT cards.number, status, day FROM tokens JOIN cards ON cards.number = tokens.number WHERE uid = ?",
  );
  const times = timesOf(
    {
      number: (number) => byNumber.get(packNumber(number)),
      token: (uid) => byToken.get(Buffer.from(uid, "hex")),
    },
    keys,
    SMALL_BATCH,
  );
  db.close();
  const share = (what: string, mine: number, theirs: number, bound: number): Figure => ({
    what: `ours, as a share of SQLite, prepared: ${what}`,
    value: mine / theirs,
    unit: "",
    bound,
  });
  return [
    { what: "SQLite: built", value: builtMs, unit: "ms" },
    ...figuresOf("SQLite, prepared", times),
    share("card number, hit", ours.numberHit, times.numberHit, NUMBER_SHARE_OF_SQLITE_MAX),
    share("card number, miss", ours.numberMiss, times.numberMiss, NUMBER_SHARE_OF_SQLITE_MAX),
    share("token, hit", ours.tokenHit, times.tokenHit, TOKEN_SHARE_OF_SQLITE_MAX),
    share("token, miss", ours.tokenMiss, times.tokenMiss, TOKEN_SHARE_OF_SQLITE_MAX),
  ];
}

// ---------------------------------------------------------------- LMDB

/** The few calls of lmdb that are made here. */
interface Lmdb {
  open(options: object): {
    put(key: unknown, value: unknown): unknown;
    get(key: unknown): unknown;
    flushed: Promise<unknown>;
    close(): Promise<void>;
  };
}

/** Puts that may wait for the disk. */
const PUTS_AHEAD_MAX = 100_000;

async function lmdbFigures(
  cards: MadeUpCards,
  keys: Keys,
  folder: string,
  say: (what: string) => void,
): Promise<Figure[]> {
  const lmdb = optional<Lmdb>("lmdb", say);
  if (lmdb === null) return [];
  const options = { noSync: true, keyEncoding: "binary", encoding: "binary" };
  const numbers = lmdb.open({ ...options, path: join(folder, "numbers"), keyEncoding: "ordered-binary" });
  const tokens = lmdb.open({ ...options, path: join(folder, "tokens") });
  const startMs = performance.now();
  for (let i = 0; i < cards.count; i++) {
    const value = Buffer.alloc(12);
    value.writeDoubleLE(cards.numbers[i]!, 0);
    value.writeInt32LE(cards.day(i) * 8 + statusCode(cards.status(i)), 8);
    numbers.put(cards.numbers[i]!, value);
    tokens.put(Buffer.from(cards.uid(i), "hex"), value);
    if (i % PUTS_AHEAD_MAX === 0) await tokens.flushed;
  }
  await Promise.all([numbers.flushed, tokens.flushed]);
  const builtMs = performance.now() - startMs;
  const times = timesOf(
    {
      number: (number) => numbers.get(packNumber(number)),
      token: (uid) => tokens.get(Buffer.from(uid, "hex")),
    },
    keys,
    SMALL_BATCH,
  );
  await Promise.all([numbers.close(), tokens.close()]);
  return [{ what: "LMDB: built", value: builtMs, unit: "ms" }, ...figuresOf("LMDB", times)];
}

/** A package that is no part of the project: one compiles for minutes, and both serve nothing but this comparison. */
function optional<T>(name: string, say: (what: string) => void): T | null {
  try {
    return createRequire(import.meta.url)(name) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    say(`${name} is not installed and not compared with: npm i --no-save better-sqlite3@12 lmdb@3`);
    return null;
  }
}
