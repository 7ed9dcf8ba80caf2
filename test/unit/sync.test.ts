import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { FeedUnreachable } from "../../sync/feed-workflow.ts";
import { nextDelayMs, type Refreshed } from "../../sync/sync-pace.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/random.ts";
import { card } from "./sync-lists.ts";
import { indexFiles, live, ScriptedFeed, started, UNREACHABLE, WRONG_HASH } from "./sync-site.ts";

const ONE = [card("BB-2401-000001", "active", "04A1B2C3D4E5F6"), card("BB-2401-000002", "terminated")];
const TWO = [card("BB-2401-000001", "blocked", "04A1B2C3D4E5F6"), card("BB-2401-000002", "active")];
const MINUTE_MS = 60_000;

function feedWith(cards: typeof ONE, revision = 1): ScriptedFeed {
  const feed = new ScriptedFeed();
  feed.publish(revision, cards);
  return feed;
}

describe("a list on its way", () => {
  it("comes into force, and then age starts", async () => {
    const life = await started(feedWith(ONE));
    expect(life.events).toEqual(["swapped feed 1", "refreshed"]);
    expect(life.list).toMatchObject({ revision: 1, publishedAtMs: 1_000 });
    expect(life.list?.index.byNumber("BB-2401-000001")).toMatchObject({ card: { status: "active" } });
    expect(life.changes).toEqual([{ from: null, to: 1, cards: 2, ignoredRows: 0, source: "feed" }]);
    expect(life.sync.age()).toMatchObject({ freshness: "fresh" });
  });

  it("is in force after a restart without the feed, and says how old it is", async () => {
    const feed = feedWith(ONE);
    const disk = new SimDisk();
    const first = await started(feed, disk);
    await first.sync.stop();
    feed.trouble = UNREACHABLE;
    await first.clock.advance(20 * MINUTE_MS);
    const second = await started(feed, disk.crash("lose"), first.clock.boot());
    expect(second.events).toEqual(["swapped disk 1", "refused unreachable"]);
    expect(second.list?.index.byToken("04A1B2C3D4E5F6", "whole")).toMatchObject({ kind: "card" });
    expect(second.sync.age()).toMatchObject({ freshness: "late", ageSeconds: 1_203 });
  });

  it("gives way to the next one, which leaves no file of the older", async () => {
    const feed = feedWith(ONE);
    const disk = new SimDisk();
    const life = await started(feed, disk);
    feed.publish(2, TWO);
    await life.clock.advance(MINUTE_MS);
    expect(life.changes.at(-1)).toEqual({ from: 1, to: 2, cards: 2, ignoredRows: 1, source: "feed" });
    expect(life.list?.index.byNumber("BB-2401-000001")).toMatchObject({ card: { status: "blocked" } });
    expect(life.list?.index.byNumber("BB-2401-000002")).toMatchObject({ card: { status: "terminated" } });
    expect(indexFiles(disk)).toEqual([expect.stringMatching(/\/index-2-[0-9a-f]{8}\.bin$/)]);
  });

  it("is asked for once in refreshSeconds", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    await life.clock.advance(10 * MINUTE_MS);
    expect(feed.refreshes).toBeGreaterThanOrEqual(11);
    expect(feed.refreshes).toBeLessThanOrEqual(13);
    expect(feed.downloads).toBe(1);
  });

  it("is asked for within a second of an announcement, and at most once a second", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    feed.publish(2, TWO);
    life.sync.refreshSoon();
    await life.clock.advance(1_000);
    expect(life.list?.revision).toBe(2);
    const before = feed.refreshes;
    for (let i = 0; i < 100; i++) {
      life.sync.refreshSoon();
      await life.clock.advance(100);
    }
    expect(feed.refreshes - before).toBeGreaterThan(4);
    expect(feed.refreshes - before).toBeLessThanOrEqual(11);
  });

  it("is asked for at a moment of its own within that second, so that a fleet does not come at once", async () => {
    const waits: number[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const feed = feedWith(ONE);
      const life = await started(feed, new SimDisk(), new SimClock(), { seed });
      const before = feed.refreshes;
      life.sync.refreshSoon();
      let waitMs = 0;
      for (; feed.refreshes === before; waitMs += 50) await life.clock.advance(50);
      waits.push(waitMs);
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(1_000);
    expect(new Set(waits).size).toBeGreaterThan(5);
  });

  it("that was announced and is not there yet is asked for again before long, and not for ever", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    life.sync.refreshSoon(2);
    await life.clock.advance(4_000);
    expect(life.list?.revision).toBe(1);
    feed.publish(2, TWO);
    await life.clock.advance(4_000);
    expect(life.list?.revision).toBe(2);
    life.sync.refreshSoon(Number.MAX_SAFE_INTEGER);
    const before = feed.refreshes;
    await life.clock.advance(60 * MINUTE_MS);
    expect(feed.refreshes - before).toBeLessThan(100);
    expect(life.refusals).toEqual([]);
    expect(life.sync.age().freshness).toBe("fresh");
  });

  it("is asked for anew when a person asks while a refresh is under way, once for all who ask", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    const before = feed.refreshes;
    await Promise.all([life.sync.refreshNow(), life.sync.refreshNow(), life.sync.refreshNow()]);
    expect(feed.refreshes - before).toBe(2);
  });
});

describe("a list that is refused", () => {
  it("changes nothing, is told once with its row, and is not fetched again", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    const text = "number,status,valid_until,tokens\nBB-2401-000001,active,,\nBB-2401-000002,gone,,\n";
    feed.publishBytes(2, gzipSync(text), { cards: 2 });
    await life.clock.advance(10 * MINUTE_MS);
    expect(life.refusals).toEqual([
      { name: "bad-row", why: expect.stringMatching(/^list 2: row 3: the status/) },
    ]);
    expect(life.list?.revision).toBe(1);
    expect(feed.downloads).toBe(2);
    // What is in force is known not to be the newest.
    expect(life.sync.age().ageSeconds).toBeGreaterThan(9 * 60);
    feed.publish(3, TWO);
    await life.clock.advance(MINUTE_MS);
    expect(life.list?.revision).toBe(3);
    expect(life.sync.age().freshness).toBe("fresh");
  });

  it.each([
    ["wrong-count", { cards: 3 }],
    ["bad-row", { cards: 1 }],
  ])("is refused as %s when its signed description says otherwise", async (name, changes) => {
    const feed = new ScriptedFeed();
    feed.publish(1, ONE, changes);
    const life = await started(feed);
    expect(life.refusals).toMatchObject([{ name }]);
    expect(life.list).toBeNull();
  });

  it("is refused when it cannot be unpacked", async () => {
    const feed = new ScriptedFeed();
    feed.publishBytes(1, new TextEncoder().encode("not gzip at all"), { cards: 2 });
    const life = await started(feed);
    expect(life.refusals).toMatchObject([{ name: "bad-gzip" }]);
  });

  it.each([
    { size: "short", lengthBytes: 64 * 1024, countMax: 100, noLaterThanMs: MINUTE_MS },
    { size: "long", lengthBytes: 64 * 1024 + 1, countMax: 12, noLaterThanMs: 15 * MINUTE_MS },
  ])(
    "is named by what is wrong with its bytes, told once, and tried again ever later: $size",
    async ({ lengthBytes, countMax, noLaterThanMs }) => {
      const feed = new ScriptedFeed();
      feed.publish(1, ONE, { lengthBytes });
      feed.breaks = WRONG_HASH;
      const life = await started(feed);
      await life.clock.advance(60 * MINUTE_MS);
      const why = "list 1: not the bytes that were signed";
      expect(life.refusals).toEqual([{ name: "wrong-hash", why }]);
      expect(feed.downloads).toBeGreaterThan(4);
      expect(feed.downloads).toBeLessThan(countMax);
      feed.breaks = null;
      await life.clock.advance(noLaterThanMs);
      expect(life.list?.revision).toBe(1);
    },
  );

  it("is told by the name TUF has for it, and told again after a good refresh", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    const expired = { kind: "refused", name: "expired", why: "timestamp.json has expired" } as const;
    for (const trouble of [expired, null, expired]) {
      feed.trouble = trouble;
      await life.clock.advance(5 * MINUTE_MS);
    }
    expect(life.refusals.map(({ name }) => name)).toEqual(["expired", "expired"]);
    expect(life.list?.revision).toBe(1);
  });

  it("is refused when it is older than the one in force", async () => {
    const feed = feedWith(ONE, 5);
    const life = await started(feed);
    feed.publish(4, TWO);
    await life.clock.advance(5 * MINUTE_MS);
    expect(life.refusals).toMatchObject([{ name: "rollback" }]);
    expect(life.list?.revision).toBe(5);
  });
});

describe("a feed that is away", () => {
  it("is told once, asked ever more seldom up to once a minute, and heard when it is back", async () => {
    const feed = feedWith(ONE);
    feed.trouble = UNREACHABLE;
    const life = await started(feed, new SimDisk(), new SimClock(), { refreshSeconds: 1 });
    await life.clock.advance(60 * MINUTE_MS);
    expect(life.refusals).toEqual([{ name: "unreachable", why: "no route to the feed" }]);
    expect(feed.refreshes).toBeGreaterThan(60);
    expect(feed.refreshes).toBeLessThan(100);
    feed.trouble = null;
    await life.clock.advance(MINUTE_MS);
    expect(life.list?.revision).toBe(1);
    const before = feed.refreshes;
    await life.clock.advance(10_000);
    expect(feed.refreshes - before).toBeGreaterThanOrEqual(9);
  });
});

describe("when to ask again", () => {
  const delayMs = (refreshed: Partial<Refreshed>, refreshSeconds: number, fraction: number) =>
    nextDelayMs(
      { outcome: "done", failures: 0, retryAfterMs: 0, isTogether: false, ...refreshed },
      refreshSeconds,
      { bytes: () => new Uint8Array(), fraction: () => fraction },
    );
  const spread = (refreshed: Partial<Refreshed>, refreshSeconds = 60) =>
    [0, 1].map((fraction) => delayMs(refreshed, refreshSeconds, fraction) / 1000);

  it("is after refreshSeconds, and at any time until then for those who asked together", () => {
    expect(spread({})).toEqual([60, 54]);
    expect(spread({ isTogether: true })).toEqual([1, 60]);
    expect(spread({ isTogether: true }, 1)).toEqual([1, 0.9]);
  });

  it("is soon after one answer that did not come, and ever later, half of it by chance", () => {
    expect([1, 2, 5, 6, 60].map((failures) => spread({ outcome: "retry", failures }))).toEqual([
      [1, 2],
      [2, 4],
      [16, 32],
      [30, 60],
      [30, 60],
    ]);
    expect(spread({ outcome: "retry", failures: 1 }, 1)).toEqual([0.5, 1]);
    expect(spread({ outcome: "retry", failures: 60 }, 600)).toEqual([300, 600]);
  });

  it("is not before the server wants it, within five minutes", () => {
    expect(spread({ outcome: "retry", failures: 1, retryAfterMs: 30_000 })).toEqual([31, 47]);
    expect(spread({ outcome: "retry", failures: 1, retryAfterMs: 1e12 })).toEqual([301, 452]);
  });

  it("is after minutes where a long list breaks each time", () => {
    expect(spread({ outcome: "retry-download", failures: 1 })).toEqual([60, 54]);
    expect(spread({ outcome: "retry-download", failures: 9 })).toEqual([900, 810]);
  });

  it("keeps a fleet that heard one announcement from asking together ever after", () => {
    const random = new SimRandom("fleet");
    const atMs = Array.from({ length: 10_000 }, () => {
      const together = { outcome: "done", failures: 0, retryAfterMs: 0, isTogether: true } as const;
      return nextDelayMs(together, 60, random);
    });
    const perSecond = new Map<number, number>();
    for (const ms of atMs) {
      const second = Math.floor(ms / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    expect(Math.max(...perSecond.values())).toBeLessThan(2 * (10_000 / 60));
  });

  it("is what the feed's server asks for, on the way of the metadata and of a short list", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    const until = async (isSo: () => boolean) => {
      for (let second = 0; second < 300 && !isSo(); second++) await life.clock.advance(1_000);
      expect(isSo()).toBe(true);
    };
    feed.trouble = { kind: "unreachable", why: "503", retryAfterMs: 120_000 };
    await until(() => life.refusals.length === 1);
    const { refreshes } = feed;
    await life.clock.advance(115_000);
    expect(feed.refreshes).toBe(refreshes);
    feed.trouble = null;
    feed.publish(2, TWO);
    feed.breaks = new FeedUnreachable("503", 120_000);
    await until(() => feed.downloads === 2);
    feed.breaks = null;
    await life.clock.advance(115_000);
    expect(feed.downloads).toBe(2);
    await until(() => life.list?.revision === 2);
  });
});

describe("an index file", () => {
  it("that is damaged is told, and built again from the same list", async () => {
    const feed = feedWith(ONE);
    const disk = new SimDisk();
    const first = await started(feed, disk);
    await first.sync.stop();
    disk.flipBit(indexFiles(disk)[0]!, 300);
    const second = await started(feed, disk, first.clock.boot());
    expect(second.events).toEqual(["refused damaged-index", "swapped feed 1", "refreshed"]);
    const third = await started(feed, disk, first.clock.boot());
    expect(third.events[0]).toBe("swapped disk 1");
  });

  it("that is missing is told, and built again", async () => {
    const feed = feedWith(ONE);
    const disk = new SimDisk();
    const first = await started(feed, disk);
    await first.sync.stop();
    await disk.unlink(indexFiles(disk)[0]!);
    const second = await started(feed, disk, first.clock.boot());
    expect(second.events).toEqual(["refused damaged-index", "swapped feed 1", "refreshed"]);
  });
});

describe("age", () => {
  it("goes from fresh to late to stale by the monotonic clock, whatever the wall clock does", async () => {
    const feed = feedWith(ONE);
    const life = await started(feed);
    feed.trouble = UNREACHABLE;
    life.clock.jumpWall(-400 * 24 * 60 * MINUTE_MS);
    expect(life.sync.age()).toMatchObject({ freshness: "fresh", ageSeconds: 1 });
    await life.clock.advance(15 * MINUTE_MS);
    expect(life.sync.age().freshness).toBe("late");
    await life.clock.advance(24 * 60 * MINUTE_MS);
    expect(life.sync.age().freshness).toBe("stale");
  });

  it("is told with the same instant at every look, also when the wall clock is set", async () => {
    const life = await started(feedWith(ONE));
    const { refreshedAtMs } = life.sync.age();
    expect(refreshedAtMs).toBeGreaterThan(0);
    for (const jumpMs of [1, -1, 500]) {
      life.clock.jumpWall(jumpMs);
      await life.clock.advance(0.4);
      expect(life.sync.age().refreshedAtMs).toBe(refreshedAtMs);
    }
  });

  it("is at best late while the clock is not trusted, and until the next refresh after it is", async () => {
    const clock = new SimClock({ wallMs: 0, trustedAfterMs: Number.POSITIVE_INFINITY });
    const life = await started(feedWith(ONE), new SimDisk(), clock);
    expect(life.sync.age()).toMatchObject({ freshness: "late", ageSeconds: 1, refreshedAtMs: null });
    clock.trust();
    expect(life.sync.age().freshness).toBe("late");
    await clock.advance(MINUTE_MS);
    expect(life.sync.age().freshness).toBe("fresh");
  });

  it("is not known after a restart without a trusted clock, and stale once the process itself is that old", async () => {
    const feed = feedWith(ONE);
    const disk = new SimDisk();
    const first = await started(feed, disk);
    await first.sync.stop();
    feed.trouble = UNREACHABLE;
    const clock = first.clock.boot({ wallMs: 0, trustedAfterMs: Number.POSITIVE_INFINITY });
    const second = await started(feed, disk, clock);
    expect(second.sync.age()).toEqual({ freshness: "late", ageSeconds: null, refreshedAtMs: null });
    await clock.advance(24 * 60 * MINUTE_MS);
    expect(second.sync.age().freshness).toBe("stale");
  });

  it("is stale where there is no list", async () => {
    const feed = new ScriptedFeed();
    feed.trouble = UNREACHABLE;
    expect((await started(feed)).sync.age()).toEqual({
      freshness: "stale",
      ageSeconds: null,
      refreshedAtMs: null,
    });
  });

  it("is kept across restarts without a write for each refresh", async () => {
    const feed = feedWith(ONE);
    const disk = new SimDisk();
    const life = await started(feed, disk);
    const before = disk.ios;
    await life.clock.advance(60 * MINUTE_MS);
    const writes = (disk.ios - before) / 14;
    expect(feed.refreshes).toBeGreaterThan(55);
    expect(writes).toBeLessThan(15);
    await life.sync.stop();
    feed.trouble = UNREACHABLE;
    const next = await started(feed, disk.crash("lose"), life.clock.boot());
    expect(next.sync.age().freshness).toBe("fresh");
    expect(next.sync.age().ageSeconds).toBeLessThan(6 * 60);
  });
});

describe("stop", () => {
  it("is the end of events, whenever it comes", async () => {
    const feed = feedWith(ONE);
    const life = live(feed, new SimDisk(), new SimClock());
    const starting = life.sync.start();
    await life.sync.stop();
    await starting;
    await life.clock.advance(10 * MINUTE_MS);
    expect(life.events).toEqual([]);
  });

  it("is the end of events at every step of an update", async () => {
    const seen = new Set<number>();
    for (let step = 0; !seen.has(4); step++) {
      const feed = feedWith(ONE);
      const life = await started(feed);
      feed.publish(2, TWO);
      const refresh = life.sync.refreshNow();
      for (let i = 0; i < step; i++) await Promise.resolve();
      const before = [...life.events];
      await life.sync.stop();
      await refresh;
      await life.clock.advance(10 * MINUTE_MS);
      expect(life.events).toEqual(before);
      seen.add(before.length);
    }
    expect(seen).toEqual(new Set([2, 3, 4]));
  });
});
