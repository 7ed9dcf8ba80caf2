import { describe, expect, it } from "vitest";
import { type BuildIndex, buildInPlace } from "../../sync/build.ts";
import { FeedRefusal } from "../../sync/feed.ts";
import type { Index } from "../../sync/index.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { card, deltaOf, type ListCard } from "./sync-lists.ts";
import { indexFiles, type Life, ScriptedFeed, started, UNREACHABLE } from "./sync-site.ts";

const MINUTE_MS = 60_000;
const [A, B, C] = ["BB-2401-000001", "BB-2401-000002", "BB-2401-000003"] as const;
const LISTS: ListCard[][] = [
  [],
  [card(A, "active", "04A1B2C3D4E5F6"), card(B)],
  [card(A, "blocked", "04A1B2C3D4E5F6"), card(B)],
  [card(A, "blocked"), card(B, "terminated"), card(C, "active", "04A1B2C3D4E5F6")],
  [card(A, "active"), card(B, "active"), card(C, "active", "04A1B2C3D4E5F6")],
];

/** A feed with list 1, whole. */
function feedWithOne(): ScriptedFeed {
  const feed = new ScriptedFeed();
  feed.publish(1, LISTS[1]!);
  return feed;
}

function publishDelta(feed: ScriptedFeed, base: number, revision: number): void {
  const list = LISTS[revision]!;
  feed.publishDelta(base, revision, deltaOf(LISTS[base]!, list), list.length);
}

function statuses({ list }: Life): (string | undefined)[] {
  return [A, B, C].map((number) => {
    const answer = list!.index.byNumber(number);
    return answer.kind === "card" ? answer.card.status : answer.kind;
  });
}

function layersOf({ list }: Life): Index["layers"] {
  return (list!.index as Index).layers;
}

/** A restart on what a power cut left, without the feed. */
function restarted(disk: SimDisk, clock: SimClock): Promise<Life> {
  const feed = new ScriptedFeed();
  feed.trouble = UNREACHABLE;
  return started(feed, disk.crash("lose"), clock.boot());
}

describe("a delta", () => {
  it("is taken instead of the whole list, and is in force after a restart", async () => {
    const feed = feedWithOne();
    const disk = new SimDisk();
    const life = await started(feed, disk);
    publishDelta(feed, 1, 2);
    await life.clock.advance(MINUTE_MS);
    expect(feed.downloaded).toEqual(["cards/1.csv.gz", "cards/1-2.csv.gz"]);
    expect(life.changes.at(-1)).toEqual({ from: 1, to: 2, cards: 2, ignoredRows: 0, source: "feed" });
    expect(statuses(life)).toEqual(["blocked", "active", "unknown"]);
    expect(indexFiles(disk)).toHaveLength(2);
    publishDelta(feed, 2, 3);
    publishDelta(feed, 3, 4);
    await life.clock.advance(MINUTE_MS);
    expect(life.changes.at(-1)).toEqual({ from: 2, to: 4, cards: 3, ignoredRows: 1, source: "feed" });
    expect(statuses(life)).toEqual(["active", "terminated", "active"]);
    expect(indexFiles(disk)).toHaveLength(2);
    const next = await restarted(disk, life.clock);
    expect(next.changes).toEqual([{ from: null, to: 4, cards: 3, ignoredRows: 0, source: "disk" }]);
    expect(statuses(next)).toEqual(["active", "terminated", "active"]);
    expect(next.list?.index.byToken("04A1B2C3D4E5F6", "whole")).toMatchObject({ card: { number: C } });
  });

  it("comes with the whole list before it on a new machine", async () => {
    const feed = feedWithOne();
    publishDelta(feed, 1, 2);
    const life = await started(feed);
    expect(life.events).toEqual(["swapped feed 2", "refreshed"]);
    expect(statuses(life)).toEqual(["blocked", "active", "unknown"]);
  });

  it("may begin before the list in force", async () => {
    const feed = feedWithOne();
    publishDelta(feed, 1, 2);
    const life = await started(feed);
    publishDelta(feed, 1, 3);
    await life.clock.advance(MINUTE_MS);
    expect(statuses(life)).toEqual(["blocked", "terminated", "active"]);
  });

  it("brings back a card that the root corrects", async () => {
    const feed = feedWithOne();
    publishDelta(feed, 1, 3);
    const life = await started(feed);
    feed.corrections = [{ number: B, from: "terminated", revision: 4 }];
    publishDelta(feed, 3, 4);
    await life.clock.advance(MINUTE_MS);
    expect(life.changes.at(-1)).toMatchObject({ to: 4, ignoredRows: 0 });
    expect(statuses(life)).toEqual(["active", "active", "active"]);
  });

  it("whose text is refused is told once, and the whole list is taken", async () => {
    const feed = feedWithOne();
    const life = await started(feed);
    feed.publishDelta(1, 2, [card("BB-24-1")], 2);
    await life.clock.advance(10 * MINUTE_MS);
    expect(life.refusals).toEqual([
      { name: "bad-row", why: expect.stringMatching(/^delta 1-2: row 2: the/) },
    ]);
    expect(life.list?.revision).toBe(1);
    feed.publishBeside(2, LISTS[2]!);
    await life.clock.advance(MINUTE_MS);
    expect(life.refusals).toHaveLength(1);
    expect(life.list?.revision).toBe(2);
    expect(feed.downloaded.filter((path) => path === "cards/1-2.csv.gz")).toHaveLength(1);
  });

  it("that is not there is told, and the whole list is taken in the same refresh", async () => {
    const feed = feedWithOne();
    const life = await started(feed);
    publishDelta(feed, 1, 3);
    feed.publishBeside(3, [...LISTS[3]!, card("BB-2401-000099")]);
    feed.breaks = new FeedRefusal("missing-file", "the feed has no such file");
    feed.breaksFor = ({ base }) => base !== null;
    await life.sync.refreshNow();
    expect(life.refusals).toEqual([{ name: "missing-file", why: "delta 1-3: the feed has no such file" }]);
    expect(life.list?.revision).toBe(3);
    expect(life.list?.index.cards).toBe(4);
  });

  it("over a layer that is damaged is built again from what is whole, and nothing older is in force meanwhile", async () => {
    const feed = feedWithOne();
    const disk = new SimDisk();
    const life = await started(feed, disk);
    publishDelta(feed, 1, 3);
    await life.clock.advance(MINUTE_MS);
    await life.sync.stop();
    disk.flipBit(indexFiles(disk)[1]!, 200);
    const alone = await restarted(disk, life.clock);
    expect(alone.events).toEqual(["refused damaged-index", "refused unreachable"]);
    expect(alone.list).toBeNull();
    const next = await started(feed, disk.crash("keep"), life.clock.boot());
    expect(next.events).toEqual(["refused damaged-index", "swapped feed 3", "refreshed"]);
    expect(statuses(next)).toEqual(["blocked", "terminated", "active"]);
    expect(feed.downloaded).toEqual(["cards/1.csv.gz", "cards/1-3.csv.gz", "cards/1-3.csv.gz"]);
  });
});

/** Merges that wait until they are let go. */
function heldMerges() {
  let letGo: () => void = () => undefined;
  const held = { merges: 0, letGo: () => letGo() };
  const build: BuildIndex = {
    ...buildInPlace,
    async merge(request) {
      held.merges += 1;
      await new Promise<void>((resolve, reject) => {
        letGo = resolve;
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
      return buildInPlace.merge(request);
    },
  };
  return Object.assign(held, { build });
}

describe("merging", () => {
  it("leaves one file and the same answers, tells nobody, and waits for enough changes", async () => {
    const feed = feedWithOne();
    const disk = new SimDisk();
    const life = await started(feed, disk, new SimClock(), { layerCardsMax: 1 });
    publishDelta(feed, 1, 2);
    await life.clock.advance(MINUTE_MS);
    expect(indexFiles(disk)).toHaveLength(2);
    publishDelta(feed, 2, 3);
    await life.clock.advance(MINUTE_MS);
    expect(indexFiles(disk)).toEqual([expect.stringContaining("/index-3-")]);
    expect(life.events.filter((event) => event.startsWith("swapped"))).toHaveLength(3);
    expect(layersOf(life)).toHaveLength(1);
    expect(statuses(life)).toEqual(["blocked", "terminated", "active"]);
    expect(statuses(await restarted(disk, life.clock))).toEqual(["blocked", "terminated", "active"]);
  });

  it("goes on while deltas are taken above it", async () => {
    const feed = feedWithOne();
    const disk = new SimDisk();
    const held = heldMerges();
    const settings = { layerCardsMax: 0, build: held.build };
    const life = await started(feed, disk, new SimClock(), settings);
    publishDelta(feed, 1, 2);
    await life.clock.advance(MINUTE_MS);
    publishDelta(feed, 2, 3);
    publishDelta(feed, 3, 4);
    await life.clock.advance(MINUTE_MS);
    expect(held.merges).toBe(1);
    expect(indexFiles(disk)).toHaveLength(3);
    const late = ["active", "terminated", "active"];
    expect(statuses(life)).toEqual(late);
    expect(statuses(await restarted(disk, life.clock))).toEqual(late);
    held.letGo();
    await life.clock.advance(1);
    expect(layersOf(life)).toHaveLength(2);
    expect(indexFiles(disk)).toEqual([
      expect.stringContaining("/index-2-"),
      expect.stringContaining("/index-4-"),
    ]);
    expect(statuses(life)).toEqual(late);
    expect(statuses(await restarted(disk, life.clock))).toEqual(late);
    // What a restart finds in three layers is merged then.
    const next = await started(feed, disk.crash("lose"), life.clock.boot(), { layerCardsMax: 0 });
    expect(layersOf(next)).toHaveLength(1);
    expect(statuses(next)).toEqual(late);
  });

  it("is given up when a whole list comes", async () => {
    const feed = feedWithOne();
    const disk = new SimDisk();
    const held = heldMerges();
    const life = await started(feed, disk, new SimClock(), { layerCardsMax: 0, build: held.build });
    publishDelta(feed, 1, 2);
    await life.clock.advance(MINUTE_MS);
    feed.publish(3, LISTS[3]!);
    await life.clock.advance(MINUTE_MS);
    held.letGo();
    await life.clock.advance(MINUTE_MS);
    expect(held.merges).toBe(1);
    expect(indexFiles(disk)).toEqual([expect.stringContaining("/index-3-")]);
    expect(statuses(life)).toEqual(["blocked", "terminated", "active"]);
  });

  it("that fails is told in the log, and tried again after a while", async () => {
    const feed = feedWithOne();
    const disk = new SimDisk();
    const life = await started(feed, disk, new SimClock(), { layerCardsMax: 0 });
    // The second new file from now on is the merged one.
    let opened = 0;
    disk.faultOf = ({ kind, path }) => {
      const isNew = kind === "open" && path.includes("/index-");
      if (isNew) opened += 1;
      return isNew && opened === 2 ? "ENOSPC" : null;
    };
    publishDelta(feed, 1, 2);
    await life.clock.advance(MINUTE_MS);
    expect(life.log.messages("warn")).toEqual([expect.stringContaining("could not be merged")]);
    expect(indexFiles(disk)).toHaveLength(2);
    publishDelta(feed, 2, 3);
    await life.clock.advance(MINUTE_MS);
    expect(indexFiles(disk)).toHaveLength(3);
    await life.clock.advance(15 * MINUTE_MS);
    publishDelta(feed, 3, 4);
    await life.clock.advance(MINUTE_MS);
    expect(statuses(life)).toEqual(["active", "terminated", "active"]);
    expect(indexFiles(disk).length).toBeLessThan(3);
    expect(life.refusals).toEqual([]);
  });

  it("gives the index the tables that the site's readers ask for", async () => {
    const feed = feedWithOne();
    const disk = new SimDisk();
    const life = await started(feed, disk);
    await life.sync.stop();
    const cuts = [{ part: "last", sizeBytes: 4 }] as const;
    const next = await started(feed, disk, life.clock.boot(), { cuts });
    const { parts } = layersOf(next)[0]!.image;
    expect(parts.cuts.map((cut) => cut !== null)).toEqual([false, false, false, true]);
    expect(next.list?.index.byToken("C3D4E5F6", "last")).toMatchObject({ card: { number: A } });
    expect(next.list?.index.byToken("D4E5F6", "last")).toMatchObject({ card: { number: A } });
    expect(indexFiles(disk)).toHaveLength(1);
  });
});
