/**
 * The way of a list: announcement or timer, refresh, choose the way, download, build, store, swap. Store before swap: what we
 * decide on is what a reboot would find. Whatever fails on the way changes nothing in force.
 */
import type { Clock, Files, Log, Random, Timer } from "../drivers/ports.ts";
import type { BuildIndex } from "./build.ts";
import type { CardIndex } from "./card.ts";
import type { Feed } from "./feed.ts";
import { newestRevision } from "./feed-way.ts";
import { Index } from "./index.ts";
import type { Cut } from "./index-cuts.ts";
import type { IndexImage } from "./index-file.ts";
import { OldLists } from "./old-lists.ts";
import { Shelf } from "./shelf.ts";
import { type AgeLimits, ageOf, type ListAge, type RefreshInstant } from "./sync-age.ts";
import { createMerger, type Merger } from "./sync-merge.ts";
import { nextDelayMs, type Outcome, SPREAD_MS } from "./sync-pace.ts";
import { Taker } from "./sync-take.ts";
import type { Seals } from "./token-seal.ts";
import { wordsOf } from "./words.ts";

export type { ListAge } from "./sync-age.ts";

export interface ListInForce {
  revision: number;
  publishedAtMs: number | null;
  index: CardIndex;
}

export interface SyncSettings extends AgeLimits {
  refreshSeconds: number;
  /** `dataDir/cards`. */
  dir: string;
  seals: Seals;
  /** How the site's readers cut tokens; none by default. */
  cuts?: readonly Cut[];
  /** Cards of deltas that are kept beside the index before they are merged into it. */
  layerCardsMax?: number;
}

/** `ignoredRows`: rows the one-way rule kept out. */
export interface ListChange {
  from: number | null;
  to: number;
  cards: number;
  ignoredRows: number;
  source: "disk" | "feed";
}

/**
 * `name`: TUF's refusal, a refusal of the list's text (`bad-row`, …), `unreachable`, `disk`, `damaged-index`,
 * `build-failed`, `rollback` or `no-way`. `why` is fit to be shown and holds no card number.
 */
export interface SyncRefusal {
  name: string;
  why: string;
}

export interface SyncEvents {
  /** The list in force changed; the reference to decide on from now. Called only after it is durable. */
  swapped(list: ListInForce, change: ListChange): void;
  /** A refresh verified and what it found newest is in force: age starts again. */
  refreshed(): void;
  /** Once for each new cause, not for each try. */
  refused(refusal: SyncRefusal): void;
  /** Nothing is in force that is sealed otherwise than with `seals.own`; told again and again. */
  sealed?(): void;
}

export interface Sync {
  /** Loads what is in force on disk (without the feed), then refreshes in the background for ever. Resolves when the disk has been looked at. */
  start(): Promise<void>;
  /**
   * An announcement: refresh within a random second, at most once a second. `revision`: what it announces; a feed that does
   * not have it yet (a cache before it) is asked again before long.
   */
  refreshSoon(revision?: number | null): void;
  /** Refresh now; resolves when done, whatever came of it. For commands. */
  refreshNow(): Promise<void>;
  age(): ListAge;
  /** No event comes after it is called. Resolves when nothing is being stored any more. */
  stop(): Promise<void>;
}

export interface SyncWorld {
  clock: Clock;
  random: Random;
  files: Files;
  feed: Feed;
  build: BuildIndex;
  log: Log;
  /** See `OldLists`. Left out: a list that is no longer held is found when it is found. */
  collectSoon?: () => void;
}

/** A write for each refresh would wear out an SD card; after a restart the list looks this much older at most. */
const SAVE_REFRESHED_MS = 5 * 60_000;
/** A feed that is refused for months, each time with another list, must not fill the memory. */
const TOLD_MAX = 1_000;

export function createSync(settings: SyncSettings, world: SyncWorld, events: SyncEvents): Sync {
  return new ListSync(settings, world, events);
}

class ListSync implements Sync {
  readonly #settings: SyncSettings;
  readonly #world: SyncWorld;
  readonly #events: SyncEvents;
  readonly #aborting = new AbortController();
  readonly #shelf: Shelf;
  readonly #merger: Merger;
  readonly #taker: Taker;
  readonly #oldLists: OldLists | null;

  /** What is decided on. */
  #index: Index | null = null;
  #refreshed: RefreshInstant | null = null;
  #startedMonotonicMs: number;
  #savedMonotonicMs = Number.NEGATIVE_INFINITY;
  /** Causes told since the last refresh that was done: one a name, and one a list that was refused. */
  readonly #told = new Set<string>();

  #timer: { dueMs: number; timer: Timer } | null = null;
  #failures = 0;
  /** What the feed's server last asked for. */
  #retryAfterMs = 0;
  #announced: number | null = null;
  /** The next refresh is one that other gateways make, too. */
  #isTogether = false;
  #lastStartMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #following: Promise<void> | null = null;

  constructor(settings: SyncSettings, world: SyncWorld, events: SyncEvents) {
    this.#settings = settings;
    this.#world = world;
    this.#events = events;
    this.#shelf = new Shelf(settings.dir, settings.seals, { ...world, signal: this.#aborting.signal });
    this.#merger = createMerger(settings, world, this.#shelf, (layers) => this.#lieIn(layers));
    this.#oldLists = world.collectSoon === undefined ? null : new OldLists(world.clock, world.collectSoon);
    this.#taker = new Taker(settings.cuts ?? [], world, {
      shelf: this.#shelf,
      merger: this.#merger,
      signal: this.#aborting.signal,
      refuse: (name, why, outcome, cause) => this.#refuse(name, why, outcome, cause),
      adopted: (asked, ignoredRows) => {
        this.#savedMonotonicMs = asked.monotonicMs;
        return this.#swap({ ignoredRows, source: "feed" });
      },
    });
    this.#startedMonotonicMs = world.clock.monotonicMs();
  }

  async start(): Promise<void> {
    this.#startedMonotonicMs = this.#world.clock.monotonicMs();
    try {
      await this.#load();
    } catch (error) {
      this.#refuse("disk", wordsOf(error));
    }
    if (this.#stopped) return;
    this.#isTogether = true;
    if (this.#index === null) this.#schedule(0);
    else this.refreshSoon();
  }

  refreshSoon(revision: number | null = null): void {
    this.#announced = revision;
    const { clock, random } = this.#world;
    const oncePerSecondMs = this.#lastStartMs + SPREAD_MS - clock.monotonicMs();
    this.#isTogether = true;
    this.#schedule(Math.max(random.fraction() * SPREAD_MS, oncePerSecondMs));
  }

  refreshNow(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (this.#running === null) return this.#run();
    // The one under way may have asked too early: another follows, which serves all who ask meanwhile.
    this.#following ??= this.#running.then(() => {
      this.#following = null;
      return this.refreshNow();
    });
    return this.#following;
  }

  age(): ListAge {
    const facts = {
      refreshed: this.#refreshed,
      restoredAtMs: this.#shelf.inForce?.refreshedAtMs ?? null,
      startedMonotonicMs: this.#startedMonotonicMs,
      hasList: this.#index !== null,
    };
    return ageOf(facts, this.#settings, this.#world.clock);
  }

  async stop(): Promise<void> {
    this.#aborting.abort();
    this.#merger.stop();
    this.#timer?.timer.cancel();
    this.#oldLists?.stop();
    await this.#shelf.idle();
  }

  get #stopped(): boolean {
    return this.#aborting.signal.aborted;
  }

  // ---------------------------------------------------------------- when

  /** In `delayMs`, unless it is to be earlier already. */
  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    const dueMs = this.#world.clock.monotonicMs() + delayMs;
    if (this.#timer !== null && this.#timer.dueMs <= dueMs) return;
    this.#timer?.timer.cancel();
    const timer = this.#world.clock.after(delayMs, () => {
      this.#timer = null;
      void this.refreshNow();
    });
    this.#timer = { dueMs, timer };
  }

  #run(): Promise<void> {
    const { clock, random } = this.#world;
    const isTogether = this.#isTogether;
    this.#isTogether = false;
    this.#retryAfterMs = 0;
    this.#lastStartMs = clock.monotonicMs();
    this.#running = this.#refresh().then((outcome) => {
      this.#running = null;
      this.#failures = outcome === "retry" || outcome === "retry-download" ? this.#failures + 1 : 0;
      const failures = this.#failures;
      const retryAfterMs = this.#retryAfterMs;
      const refreshed = { outcome, failures, retryAfterMs, isTogether };
      this.#schedule(nextDelayMs(refreshed, this.#settings.refreshSeconds, random));
    });
    return this.#running;
  }

  // ---------------------------------------------------------------- from disk

  async #load(): Promise<void> {
    const damage = await this.#shelf.load();
    if (this.#stopped) return;
    if (damage !== null) this.#refuse("damaged-index", `${damage}; it is built again from the feed`);
    else if (this.#shelf.inForce !== null) await this.#swap({ ignoredRows: 0, source: "disk" });
  }

  // ---------------------------------------------------------------- from the feed

  async #refresh(): Promise<Outcome> {
    const { clock, feed } = this.#world;
    const asked = { monotonicMs: clock.monotonicMs(), wallMs: clock.trusted() ? clock.wallMs() : null };
    const outcome = await feed.refresh();
    if (this.#stopped) return "wait";
    if (outcome.kind === "unreachable") {
      this.#retryAfterMs = outcome.retryAfterMs ?? 0;
      return this.#refuse("unreachable", outcome.why, "retry");
    }
    if (outcome.kind === "refused") return this.#refuse(outcome.name, outcome.why);
    const newest = newestRevision(outcome.targets);
    if (newest === null) return this.#refuse("no-way", "the feed holds no list");
    const inForce = this.#shelf.inForce?.revision ?? -1;
    if (newest < inForce) {
      const why = `the feed's newest list is ${newest}, the one in force is ${inForce}`;
      return this.#refuse("rollback", why);
    }
    const { publishedAtMs, corrections = [] } = outcome;
    const news = { asked, newest, publishedAtMs, corrections };
    const taken = await this.#taker.follow(outcome.targets, news);
    this.#retryAfterMs = this.#taker.retryAfterMs;
    if (taken !== "done" || this.#shelf.revision !== newest) return taken === "done" ? "wait" : taken;
    this.#told.clear();
    this.#refreshed = asked;
    if (asked.wallMs !== null) await this.#saveRefreshed(asked.wallMs);
    if (this.#stopped) return "wait";
    this.#events.refreshed();
    return newest < (this.#announced ?? newest) ? "retry" : "done";
  }

  async #swap(how: Pick<ListChange, "ignoredRows" | "source">): Promise<void> {
    const from = this.#index?.facts.revision ?? null;
    const before = this.#index?.images ?? [];
    this.#index = new Index(...this.#shelf.layers);
    const { revision, publishedAtMs, cards } = this.#index.facts;
    this.#events.swapped(
      { revision, publishedAtMs, index: this.#index },
      { ...how, from, to: revision, cards },
    );
    this.#oldLists?.replaced(before, this.#index.images);
    await this.#shelf.tidy();
    this.#tellSealed();
    this.#merger.mergeWhenDue();
  }

  /** A merge: other layers, the same list. */
  #lieIn(layers: readonly IndexImage[]): void {
    const before = this.#index?.images ?? [];
    this.#index?.lieIn(layers);
    this.#oldLists?.replaced(before, layers);
    this.#tellSealed();
  }

  #tellSealed(): void {
    if (this.#shelf.isSealed && !this.#stopped) this.#events.sealed?.();
  }

  async #saveRefreshed(wallMs: number): Promise<void> {
    const { clock, log } = this.#world;
    if (clock.monotonicMs() - this.#savedMonotonicMs < SAVE_REFRESHED_MS) return;
    this.#savedMonotonicMs = clock.monotonicMs();
    await this.#shelf.saveRefreshed(wallMs).catch((error: Error) => {
      // The list itself is safe; after a restart it would look older than it is, and is refreshed at once.
      log.warn("the time of the last refresh could not be written", { why: error.message });
    });
  }

  /** `cause`: what makes it another one than the refusals told before. */
  #refuse(name: string, why: string, outcome: Outcome = "wait", cause = name): Outcome {
    if (this.#told.has(cause) || this.#stopped) return outcome;
    if (this.#told.size === TOLD_MAX) this.#told.clear();
    this.#told.add(cause);
    this.#events.refused({ name, why });
    return outcome;
  }
}
