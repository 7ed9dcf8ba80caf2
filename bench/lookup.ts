/**
 * A decision's lookup: by number and by token, of cards that are on the list and of others, warm and with cold caches; and
 * beside it, where that is asked for, the same in what a user would take instead.
 */
import { Index } from "../sync/index.ts";
import type { IndexImage } from "../sync/index-file.ts";
import { borrowPackages } from "./borrowed.ts";
import type { MadeUpCards } from "./cards.ts";
import { type Figure, percentile } from "./figures.ts";
import { type Rival, rivalsOf } from "./rivals.ts";
import { limitBytes } from "./theory.ts";

const SAMPLES_MAX = 1_000_000;
const BATCH = 100_000;
const ROUNDS = 10;
const COLD_LOOKUPS = 200;
/** More than the processor's caches hold. */
const CHILL_BYTES = 32 * 1024 ** 2;
const CACHE_LINE_BYTES = 64;

/** CONTRACT 9. */
const NUMBER_NS_MAX = 500;
const TOKEN_NS_MAX = 1_000;
const NUMBER_SHARE_OF_SQLITE_MAX = 1 / 10;
const TOKEN_SHARE_OF_SQLITE_MAX = 1 / 5;

export interface Keys {
  numbers: string[];
  missing: string[];
  uids: string[];
  strangers: string[];
}

/** What answers, by text. */
export interface Lookup {
  number(number: string): unknown;
  token(uid: string): unknown;
}

const KINDS = {
  numberHit: "card number, hit",
  numberMiss: "card number, miss",
  tokenHit: "token, hit",
  tokenMiss: "token, miss",
} as const;
type Kind = keyof typeof KINDS;
/** Nanoseconds a lookup. */
export type Times = Record<Kind, number>;
const kinds = Object.keys(KINDS) as Kind[];

/** `images`: layers of the list, oldest first. `openedMs`: what it took to have them. */
export async function benchLookup(
  cards: MadeUpCards,
  { images, openedMs }: { images: readonly IndexImage[]; openedMs: number },
  withRivals: boolean,
  say: (what: string) => void,
): Promise<Figure[]> {
  const keys = drawKeys(cards, cards.count);
  const index = new Index(...images);
  const lookup: Lookup = {
    number: (number) => index.byNumber(number),
    token: (uid) => index.byToken(uid, "whole"),
  };
  const times = timesOf(lookup, keys, BATCH);
  const isNumber = (kind: Kind) => kind.startsWith("number");
  const own = kinds.map((kind) => ({
    what: KINDS[kind],
    value: times[kind],
    unit: "ns",
    bound: isNumber(kind) ? NUMBER_NS_MAX : TOKEN_NS_MAX,
  }));
  const cold = coldFigures(lookup, keys);
  if (!withRivals) return [...own, ...cold];
  const bytesPerCard = images[0]!.bytes.length / cards.count;
  const ours: Rival = { name: "index", cards: cards.count, bytesPerCard, readyMs: openedMs, times };
  const rivals = await rivalsOf(cards, (some, batch) => (its) => timesOf(its, some, batch), {
    drawKeys,
    borrow: await borrowPackages(say),
    say,
  });
  const shares = rivals.filter(({ name }) => name.startsWith("SQLite")).flatMap((it) => sharesOf(ours, it));
  return [...own, ...cold, ...shares, ...[ours, ...rivals].flatMap(columnOf), limitFigure(cards.count)];
}

/** Of the first `count` cards. */
function drawKeys(cards: MadeUpCards, count: number): Keys {
  const picks = Array.from({ length: Math.min(count, SAMPLES_MAX) }, () => Math.floor(Math.random() * count));
  return {
    numbers: picks.map((i) => cards.number(i)),
    missing: picks.map((i) => cards.missing(i)),
    uids: picks.map((i) => cards.uid(i)),
    strangers: picks.map((i) => cards.uid(i + cards.count)),
  };
}

function timesOf({ number, token }: Lookup, keys: Keys, batch: number): Times {
  return {
    numberHit: time(keys.numbers, number, batch),
    numberMiss: time(keys.missing, number, batch),
    tokenHit: time(keys.uids, token, batch),
    tokenMiss: time(keys.strangers, token, batch),
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

/** One at a time, as a gate is asked: whatever the caches held has been pushed out since the one before. */
function coldFigures({ number, token }: Lookup, keys: Keys): Figure[] {
  const others = new Uint8Array(CHILL_BYTES);
  const timeAll = (some: readonly string[], look: (key: string) => unknown): number[] =>
    some.slice(0, COLD_LOOKUPS).map((key) => {
      for (let at = 0; at < others.length; at += CACHE_LINE_BYTES) others[at]! += 1;
      const startMs = performance.now();
      look(key);
      return (performance.now() - startMs) * 1e6;
    });
  const figures = (what: string, samples: number[]): Figure[] => [
    { what: `${what}, caches cold, p50`, value: percentile(samples, 0.5), unit: "ns" },
    { what: `${what}, caches cold, p99`, value: percentile(samples, 0.99), unit: "ns" },
  ];
  return [
    ...figures("card number", timeAll(keys.numbers, number)),
    ...figures("token", timeAll(keys.uids, token)),
  ];
}

function sharesOf(ours: Rival, theirs: Rival): Figure[] {
  return kinds.map((kind) => ({
    what: `index, as a share of ${theirs.name}: ${KINDS[kind]}`,
    value: ours.times[kind] / theirs.times[kind],
    unit: "",
    bound: kind.startsWith("number") ? NUMBER_SHARE_OF_SQLITE_MAX : TOKEN_SHARE_OF_SQLITE_MAX,
  }));
}

function columnOf({ name, cards, bytesPerCard, readyMs, times }: Rival): Figure[] {
  return [
    { what: "cards", value: cards, unit: "", column: name },
    { what: "bytes a card", value: bytesPerCard, unit: "B", column: name },
    { what: "ready to answer after", value: readyMs, unit: "ms", column: name },
    ...kinds.map((kind) => ({ what: KINDS[kind], value: times[kind], unit: "ns", column: name })),
  ];
}

function limitFigure(cards: number): Figure {
  return { what: "bytes a card", value: limitBytes(cards), unit: "B", column: "the limit, by theory" };
}
