/**
 * From what a refresh found to what is stored: the way to the newest list that can be had, and where one of its lists is no good,
 * the next best way.
 */
import type { BuildIndex, BuildOutcome } from "./build.ts";
import { type Feed, FeedRefusal, type FeedTarget } from "./feed.ts";
import type { Correction } from "./feed-corrections.ts";
import { newestRevision, shortestWay } from "./feed-way.ts";
import { FeedUnreachable } from "./feed-workflow.ts";
import type { Cut } from "./index-cuts.ts";
import type { Shelf } from "./shelf.ts";
import type { RefreshInstant } from "./sync-age.ts";
import type { Merger } from "./sync-merge.ts";
import type { Outcome } from "./sync-pace.ts";
import { wordsOf } from "./words.ts";

/** A list that may as well be asked for again soon: the metadata before it is as long. */
const SHORT_BYTES_MAX = 64 * 1024;

/** What a refresh found. `newest`: the feed's newest revision. */
export interface News {
  asked: RefreshInstant;
  newest: number;
  publishedAtMs: number | null;
  corrections: readonly Correction[];
}

export interface TakerRooms {
  shelf: Shelf;
  merger: Merger;
  signal: AbortSignal;
  /** Tells of it, and gives the outcome back. `cause`: what makes it another one than the refusals told before. */
  refuse(name: string, why: string, outcome?: Outcome, cause?: string): Outcome;
  /** What was built is stored. */
  adopted(asked: RefreshInstant, ignoredRows: number): Promise<void>;
}

export class Taker {
  /** What the feed's server asked for when a list was last fetched, or 0. */
  retryAfterMs = 0;

  readonly #cuts: readonly Cut[];
  readonly #world: { feed: Feed; build: BuildIndex };
  readonly #rooms: TakerRooms;
  /** SHA-256 of lists of the feed whose text was refused: it will not become better. */
  #refusedLists = new Set<string>();

  constructor(cuts: readonly Cut[], world: { feed: Feed; build: BuildIndex }, rooms: TakerRooms) {
    this.#cuts = cuts;
    this.#world = world;
    this.#rooms = rooms;
  }

  async follow(targets: readonly FeedTarget[], news: News): Promise<Outcome> {
    const { shelf, refuse } = this.#rooms;
    this.retryAfterMs = 0;
    this.#refusedLists = new Set(
      targets.map(({ sha256 }) => sha256).filter((it) => this.#refusedLists.has(it)),
    );
    const broken = new Map<string, FeedTarget>();
    for (;;) {
      const lists = targets.filter(({ sha256 }) => !this.#refusedLists.has(sha256) && !broken.has(sha256));
      const isBehind = (newestRevision(lists) ?? -1) < (shelf.inForce?.revision ?? -1);
      const way = isBehind ? null : shortestWay(shelf.revision, lists);
      if (way === null && broken.size > 0) return again(broken);
      // What was refused has been told, and another list is waited for.
      if (way === null && this.#refusedLists.size > 0) return "wait";
      if (way === null) return refuse("no-way", `the feed's lists do not lead to its newest, ${news.newest}`);
      if (way.length === 0) return broken.size > 0 ? again(broken) : "done";
      const taken = await this.#take(way, news, broken);
      if (taken !== "another-way") return taken;
    }
  }

  async #take(
    way: readonly FeedTarget[],
    news: News,
    broken: Map<string, FeedTarget>,
  ): Promise<Outcome | "another-way"> {
    const { shelf, merger, signal, refuse, adopted } = this.#rooms;
    const { asked, newest } = news;
    // A merge of layers that are about to be replaced would only take memory.
    if (way.some(({ base }) => base === null)) await merger.abandon();
    const downloads = new Downloads(this.#world.feed);
    let built: BuildOutcome;
    try {
      built = await this.#build(way, news, downloads);
    } catch (error) {
      const { failed } = downloads;
      if (failed === null) return this.#refuseList(way.at(-1)!, "build-failed", wordsOf(error));
      if (error instanceof FeedUnreachable) this.retryAfterMs = error.retryAfterMs;
      if (!(error instanceof FeedRefusal)) return this.#refuseList(failed, "unreachable", wordsOf(error));
      this.#refuseList(failed, error.refusal, error.message);
      broken.set(failed.sha256, failed);
      return "another-way";
    }
    if (signal.aborted) return "wait";
    if (built.kind === "refused") {
      const target = way[built.list]!;
      this.#refuseList(target, built.name, built.why);
      this.#refusedLists.add(target.sha256);
      return "another-way";
    }
    try {
      await shelf.adopt(built.whole, built.top, way.at(-1)!.revision === newest ? asked.wallMs : null);
    } catch (error) {
      return refuse("disk", wordsOf(error), "retry-download");
    }
    if (signal.aborted) return "wait";
    await adopted(asked, built.ignoredRows);
    return "done";
  }

  #build(
    way: readonly FeedTarget[],
    { publishedAtMs, corrections }: News,
    downloads: Downloads,
  ): Promise<BuildOutcome> {
    const { shelf, signal } = this.#rooms;
    return this.#world.build.build({
      lower: shelf.lower,
      top: shelf.top,
      cuts: this.#cuts,
      corrections,
      seal: shelf.seal,
      lists: way.map((target) => ({ ...target, publishedAtMs, gzip: downloads.of(target) })),
      signal,
    });
  }

  #refuseList({ revision, base, lengthBytes }: FeedTarget, name: string, why: string): Outcome {
    const list = base === null ? `list ${revision}` : `delta ${base}-${revision}`;
    const outcome = name === "unreachable" && lengthBytes <= SHORT_BYTES_MAX ? "retry" : "retry-download";
    return this.#rooms.refuse(name, `${list}: ${why}`, outcome, `${name} ${list}`);
  }
}

/** When lists that are not what was signed may be asked for again. */
function again(broken: ReadonlyMap<string, FeedTarget>): Outcome {
  const isShort = [...broken.values()].every(({ lengthBytes }) => lengthBytes <= SHORT_BYTES_MAX);
  return isShort ? "retry" : "retry-download";
}

/** Downloads, and which of them it was that failed. */
class Downloads {
  failed: FeedTarget | null = null;
  readonly #feed: Feed;

  constructor(feed: Feed) {
    this.#feed = feed;
  }

  async *of(target: FeedTarget): AsyncIterable<Uint8Array> {
    try {
      yield* this.#feed.download(target);
    } catch (error) {
      this.failed = target;
      throw error;
    }
  }
}
