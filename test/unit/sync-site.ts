/** A gateway's sync over a simulated disk and clock, and a feed that says what a test wants. */
import { createHash } from "node:crypto";
import { createFiles } from "../../drivers/files.ts";
import { type BuildIndex, buildInPlace } from "../../sync/build.ts";
import { type Feed, FeedRefusal, type FeedTarget, type RefreshOutcome } from "../../sync/feed.ts";
import type { Correction } from "../../sync/feed-corrections.ts";
import type { Cut } from "../../sync/index-cuts.ts";
import {
  createSync,
  type ListChange,
  type ListInForce,
  type Sync,
  type SyncRefusal,
} from "../../sync/sync.ts";
import type { Seals } from "../../sync/token-seal.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";
import { type DeltaRow, gzipOf, type ListCard, SEAL } from "./sync-lists.ts";

export const DIR = "/data/cards";

/** Says what was published last; `trouble` overrides it. */
export class ScriptedFeed implements Feed {
  targets: FeedTarget[] = [];
  corrections: readonly Correction[] = [];
  trouble: RefreshOutcome | null = null;
  /** How the next downloads break, after their first half. */
  breaks: Error | null = null;
  breaksFor: (target: FeedTarget) => boolean = () => true;
  refreshes = 0;
  downloads = 0;
  readonly downloaded: string[] = [];
  private readonly bodies = new Map<string, Uint8Array>();

  publish(revision: number, cards: readonly ListCard[], changes: Partial<FeedTarget> = {}): void {
    this.publishBytes(revision, gzipOf(cards), { cards: cards.length, ...changes });
  }

  /** A whole list beside what there is. */
  publishBeside(revision: number, cards: readonly ListCard[]): void {
    this.targets = [...this.targets, this.targetOf(revision, gzipOf(cards), { cards: cards.length })];
  }

  /** A delta beside what there is. `cards`: how many are on the list at `revision`. */
  publishDelta(base: number, revision: number, rows: readonly DeltaRow[], cards: number): void {
    this.targets = [...this.targets, this.targetOf(revision, gzipOf(rows), { base, cards })];
  }

  publishBytes(revision: number, body: Uint8Array, changes: Partial<FeedTarget>): void {
    this.targets = [this.targetOf(revision, body, changes)];
  }

  private targetOf(revision: number, body: Uint8Array, changes: Partial<FeedTarget>): FeedTarget {
    const path = `cards/${changes.base == null ? "" : `${changes.base}-`}${revision}.csv.gz`;
    const sha256 = createHash("sha256").update(body).digest("hex");
    this.bodies.set(path, body);
    return { path, revision, base: null, cards: 0, lengthBytes: body.length, sha256, ...changes };
  }

  async refresh(): Promise<RefreshOutcome> {
    this.refreshes += 1;
    const { targets, corrections } = this;
    return this.trouble ?? { kind: "verified", targets, publishedAtMs: 1_000, rootVersion: 1, corrections };
  }

  async *download(target: FeedTarget): AsyncIterable<Uint8Array> {
    this.downloads += 1;
    this.downloaded.push(target.path);
    const body = this.bodies.get(target.path)!;
    const half = body.length >> 1;
    yield body.subarray(0, half);
    if (this.breaks !== null && this.breaksFor(target)) throw this.breaks;
    yield body.subarray(half);
  }
}

/** The index files on a disk, sorted. */
export function indexFiles(disk: SimDisk): string[] {
  return disk.paths().filter((path) => path.startsWith(`${DIR}/index-`));
}

export const UNREACHABLE: RefreshOutcome = { kind: "unreachable", why: "no route to the feed" };
export const WRONG_HASH = new FeedRefusal("wrong-hash", "not the bytes that were signed");

export interface Life {
  sync: Sync;
  clock: SimClock;
  log: SimLog;
  /** The list that decisions are made on. */
  list: ListInForce | null;
  changes: ListChange[];
  refusals: SyncRefusal[];
  /** Names of events in their order. */
  events: string[];
  /** How often it was told that all is sealed as it should be. */
  sealed: number;
}

interface LifeSettings {
  refreshSeconds?: number;
  layerCardsMax?: number;
  cuts?: readonly Cut[];
  build?: BuildIndex;
  seals?: Seals;
  /** By which chance goes. */
  seed?: number;
}

/** One life of the process. */
export function live(
  feed: ScriptedFeed,
  disk: SimDisk,
  clock: SimClock,
  settings: LifeSettings & { onSwap?: () => void } = {},
): Life {
  const log = new SimLog();
  const { onSwap, build = buildInPlace, seed = 7, ...changed } = settings;
  const random = new SimRandom(seed);
  const seals = { own: SEAL, others: [] };
  const world = { clock, random, files: createFiles(disk, random), feed, build, log };
  const life: Omit<Life, "sync"> = {
    clock,
    log,
    list: null,
    changes: [],
    refusals: [],
    events: [],
    sealed: 0,
  };
  const sync = createSync(
    { refreshSeconds: 60, lateAfterMinutes: 15, staleAfterHours: 24, dir: DIR, seals, ...changed },
    world,
    {
      swapped(list, change) {
        whole.list = list;
        whole.changes.push(change);
        whole.events.push(`swapped ${change.source} ${list.revision}`);
        onSwap?.();
      },
      refreshed: () => whole.events.push("refreshed"),
      refused(refusal) {
        whole.refusals.push(refusal);
        whole.events.push(`refused ${refusal.name}`);
      },
      sealed: () => {
        whole.sealed += 1;
      },
    },
  );
  const whole: Life = Object.assign(life, { sync });
  return whole;
}

/** A life that has started, on a new machine unless told otherwise. */
export async function started(
  feed: ScriptedFeed,
  disk: SimDisk = new SimDisk(),
  clock: SimClock = new SimClock(),
  settings: LifeSettings = {},
): Promise<Life> {
  const life = live(feed, disk, clock, settings);
  await life.sync.start();
  await clock.advance(1_500);
  return life;
}
