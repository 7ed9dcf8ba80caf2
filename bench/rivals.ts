/**
 * What a user would take instead of the index: a Map, lowdb's JSON, SQLite with a prepared statement, LMDB. Each holds the same
 * cards, answers by the same texts, and is set up as kindly as it allows: no syncs, the file mapped into memory.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Low } from "lowdb";
import { JSONFile } from "lowdb/node";
import { packNumber, type Status } from "../sync/card.ts";
import type { Borrow } from "./borrowed.ts";
import { type MadeUpCards, statusCode } from "./cards.ts";
import type { Keys, Lookup, Times } from "./lookup.ts";

/** One column of the comparison. `readyMs`: from a file, or for a Map from the cards, to the first answer. */
export interface Rival {
  name: string;
  /** Of how many cards; not all of them where that would take minutes or gigabytes. */
  cards: number;
  bytesPerCard: number;
  readyMs: number;
  times: Times;
}

/** Keys, and how many lookups are timed at once, to what times a lookup by them. */
type Timing = (keys: Keys, batch: number) => (lookup: Lookup) => Times;

interface Tools {
  drawKeys(cards: MadeUpCards, count: number): Keys;
  borrow: Borrow;
  say(what: string): void;
}

/** Its tokens alone take a kilobyte for five. */
const MAP_CARDS_MAX = 1_000_000;
/** Of a million its text is 100 MB, parsed in one turn of the loop. */
const LOWDB_CARDS_MAX = 100_000;
const BATCH = 100_000;
/** The slow ones, so that all of them take seconds. */
const SMALL_BATCH = 10_000;

export async function rivalsOf(cards: MadeUpCards, timing: Timing, tools: Tools): Promise<Rival[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  const { drawKeys, borrow, say } = tools;
  const keysOf = (countMax: number) => drawKeys(cards, Math.min(cards.count, countMax));
  try {
    const rivals: (Rival | null)[] = [];
    say("a Map");
    rivals.push(mapRival(cards, timing(keysOf(MAP_CARDS_MAX), BATCH)));
    say("lowdb's JSON");
    rivals.push(await lowdbRival(cards, timing(keysOf(LOWDB_CARDS_MAX), SMALL_BATCH), folder));
    say("SQLite");
    rivals.push(await sqliteRival(cards, timing(keysOf(cards.count), SMALL_BATCH), folder, borrow));
    say("LMDB");
    rivals.push(await lmdbRival(cards, timing(keysOf(cards.count), SMALL_BATCH), folder, borrow));
    return rivals.filter((rival) => rival !== null);
  } finally {
    await rm(folder, { recursive: true });
  }
}

// ---------------------------------------------------------------- a Map

/** Numbers packed, status and day in one number: as small as a Map can be. */
function mapRival(cards: MadeUpCards, timesOf: (lookup: Lookup) => Times): Rival {
  const count = Math.min(cards.count, MAP_CARDS_MAX);
  const heapBefore = process.memoryUsage().heapUsed;
  const startMs = performance.now();
  const standings = new Map<number, number>();
  const numbers = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const packed = cards.numbers[i]!;
    standings.set(packed, cards.day(i) * 8 + statusCode(cards.status(i)));
    numbers.set(cards.uid(i), packed);
  }
  const readyMs = performance.now() - startMs;
  const bytesPerCard = (process.memoryUsage().heapUsed - heapBefore) / count;
  const number = (text: string) => standings.get(packNumber(text));
  const token = (uid: string) => standings.get(numbers.get(uid) ?? -1);
  return { name: "Map", cards: count, bytesPerCard, readyMs, times: timesOf({ number, token }) };
}

// ---------------------------------------------------------------- lowdb

interface Document {
  cards: Record<string, { status: Status; day: number }>;
  tokens: Record<string, string>;
}

async function lowdbRival(
  cards: MadeUpCards,
  timesOf: (lookup: Lookup) => Times,
  folder: string,
): Promise<Rival> {
  const count = Math.min(cards.count, LOWDB_CARDS_MAX);
  const file = join(folder, "cards.json");
  const written = new Low<Document>(new JSONFile(file), { cards: {}, tokens: {} });
  for (let i = 0; i < count; i++) {
    written.data.cards[cards.number(i)] = { status: cards.status(i), day: cards.day(i) };
    written.data.tokens[cards.uid(i)] = cards.number(i);
  }
  await written.write();
  const startMs = performance.now();
  const db = new Low<Document>(new JSONFile(file), { cards: {}, tokens: {} });
  await db.read();
  const readyMs = performance.now() - startMs;
  const number = (text: string) => db.data.cards[text];
  const token = (uid: string) => number(db.data.tokens[uid] ?? "");
  const bytesPerCard = (await stat(file)).size / count;
  return { name: "lowdb", cards: count, bytesPerCard, readyMs, times: timesOf({ number, token }) };
}

// ---------------------------------------------------------------- SQLite

/** The few calls of better-sqlite3 that are made here. */
interface Database {
  exec(sql: string): void;
  prepare(sql: string): { run(...values: unknown[]): unknown; get(...values: unknown[]): unknown };
  close(): void;
}

const SCHEMA = `
  PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
  CREATE TABLE cards (number INTEGER PRIMARY KEY, status INTEGER, day INTEGER);
  CREATE TABLE tokens (uid BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID;
  BEGIN`;

async function sqliteRival(
  cards: MadeUpCards,
  timesOf: (lookup: Lookup) => Times,
  folder: string,
  borrow: Borrow,
): Promise<Rival | null> {
  const Sqlite = borrow<new (path: string) => Database>("better-sqlite3");
  if (Sqlite === null) return null;
  const file = join(folder, "cards.db");
  fillSqlite(new Sqlite(file), cards);
  const startMs = performance.now();
  const db = new Sqlite(file);
  db.exec("PRAGMA mmap_size = 4000000000");
  const byNumber = db.prepare("SELECT status, day FROM cards WHERE number = ?");
  const byToken = db.prepare(
    "SELECT cards.number, status, day FROM tokens JOIN cards ON cards.number = tokens.number WHERE uid = ?",
  );
  const number = (text: string) => byNumber.get(packNumber(text));
  const token = (uid: string) => byToken.get(Buffer.from(uid, "hex"));
  number(cards.number(0));
  const readyMs = performance.now() - startMs;
  const times = timesOf({ number, token });
  db.close();
  const bytesPerCard = (await stat(file)).size / cards.count;
  return { name: "SQLite, prepared", cards: cards.count, bytesPerCard, readyMs, times };
}

function fillSqlite(db: Database, cards: MadeUpCards): void {
  db.exec(SCHEMA);
  const addCard = db.prepare("INSERT INTO cards VALUES (?, ?, ?)");
  const addToken = db.prepare("INSERT OR IGNORE INTO tokens VALUES (?, ?)");
  for (let i = 0; i < cards.count; i++) {
    addCard.run(cards.numbers[i]!, statusCode(cards.status(i)), cards.day(i));
    addToken.run(Buffer.from(cards.uid(i), "hex"), cards.numbers[i]!);
  }
  db.exec("COMMIT");
  db.close();
}

// ---------------------------------------------------------------- LMDB

/** The few calls of lmdb that are made here. */
interface Table {
  put(key: unknown, value: unknown): unknown;
  get(key: unknown): unknown;
  flushed: Promise<unknown>;
  close(): Promise<void>;
}
interface Lmdb {
  open(options: object): Table;
}

/** Puts that may wait for the disk. */
const PUTS_AHEAD_MAX = 100_000;

async function lmdbRival(
  cards: MadeUpCards,
  timesOf: (lookup: Lookup) => Times,
  folder: string,
  borrow: Borrow,
): Promise<Rival | null> {
  const lmdb = borrow<Lmdb>("lmdb");
  if (lmdb === null) return null;
  const paths = [join(folder, "numbers.mdb"), join(folder, "tokens.mdb")] as const;
  const open = (): [Table, Table] => [
    lmdb.open({ path: paths[0], noSync: true, encoding: "binary", keyEncoding: "ordered-binary" }),
    lmdb.open({ path: paths[1], noSync: true, encoding: "binary", keyEncoding: "binary" }),
  ];
  await fillLmdb(open(), cards);
  const startMs = performance.now();
  const [numbers, tokens] = open();
  const number = (text: string) => numbers.get(packNumber(text));
  const token = (uid: string) => tokens.get(Buffer.from(uid, "hex"));
  number(cards.number(0));
  const readyMs = performance.now() - startMs;
  const times = timesOf({ number, token });
  await Promise.all([numbers.close(), tokens.close()]);
  const names = (await readdir(folder)).filter((name) => /^(numbers|tokens)\.mdb$/.test(name));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  const bytesPerCard = sizes.reduce((sum, size) => sum + size, 0) / cards.count;
  return { name: "LMDB", cards: cards.count, bytesPerCard, readyMs, times };
}

async function fillLmdb([numbers, tokens]: [Table, Table], cards: MadeUpCards): Promise<void> {
  for (let i = 0; i < cards.count; i++) {
    const value = Buffer.alloc(12);
    value.writeDoubleLE(cards.numbers[i]!, 0);
    value.writeInt32LE(cards.day(i) * 8 + statusCode(cards.status(i)), 8);
    numbers.put(cards.numbers[i]!, value);
    tokens.put(Buffer.from(cards.uid(i), "hex"), value);
    if (i % PUTS_AHEAD_MAX === 0) await tokens.flushed;
  }
  await Promise.all([numbers.flushed, tokens.flushed]);
  await Promise.all([numbers.close(), tokens.close()]);
}
