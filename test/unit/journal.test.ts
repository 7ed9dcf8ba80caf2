import { describe, expect, test } from "vitest";
import { Journal } from "../../daemon/journal/journal.ts";
import { readPeriod } from "../../daemon/journal/journal-period.ts";
import { readEntries, readLast } from "../../daemon/journal/journal-reader.ts";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import type { Draft } from "../../daemon/journal/record.ts";
import { createFiles } from "../../drivers/files.ts";
import type { DiskFile, Files } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";
import { type FaultCode, type IoKind, SimDisk } from "../sim/disk.ts";
import { DIR, JournalSite, type JournalSiteOptions } from "../sim/journal-site.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";
import type { Machine } from "../sim/world.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A journal with three lines on a disk that is well. */
async function started(options: Partial<JournalSiteOptions> = {}): Promise<JournalSite> {
  const site = new JournalSite({ seed: 1, ...options });
  await site.boot();
  site.append(3);
  await site.world.advance(100);
  expect(site.settlements.splice(0)).toHaveLength(3);
  return site;
}

async function all(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

/** Lines as the disk has them, read while time passes. */
async function lines(site: JournalSite) {
  const reading = all(readEntries(site.machine!.files, DIR, 1, Number.POSITIVE_INFINITY));
  await site.world.advance(5_000);
  return (await reading).map(({ line }) => line);
}

async function end(site: JournalSite): Promise<void> {
  await site.check();
  await site.stop();
  // No timer is left after a stop.
  await site.world.clock.runUntilIdle(60_000);
}

describe("a record", () => {
  test("is told as synced with its number, and sent once", async () => {
    const site = new JournalSite({ seed: 1 });
    await site.boot();
    site.append(2);
    await site.world.advance(100);
    expect(site.settlements).toEqual([
      { kind: "synced", id: "gate-07/1" },
      { kind: "synced", id: "gate-07/2" },
    ]);
    expect([...site.told.keys()]).toEqual([1, 2]);
    expect(site.volatileIds.size).toBe(0);
    await end(site);
  });

  test("that is longer than a line may be is refused, and costs its neighbours nothing", async () => {
    const site = await started();
    site.append(1, 70_000);
    site.append(1, 60_000);
    await site.world.advance(100);
    expect(site.settlements.map(({ kind }) => kind).sort()).toEqual(["failed", "synced"]);
    expect(site.machine?.log.messages("error")).toEqual(["a record is too long for the journal"]);
    expect((await lines(site)).length).toBe(4);
    await end(site);
  });

  test("that comes after the stop is refused at once", async () => {
    const site = await started();
    void site.journal?.stop();
    site.append(1);
    await site.world.advance(100);
    site.append(1);
    await site.world.advance(100);
    expect(site.settlements).toEqual([
      { kind: "failed", id: null },
      { kind: "failed", id: null },
    ]);
    await end(site);
  });
});

describe("a disk that fails", () => {
  const failures: { name: string; kinds: IoKind[]; code: FaultCode }[] = [
    { name: "EIO on write", kinds: ["write"], code: "EIO" },
    { name: "ENOSPC on write", kinds: ["write"], code: "ENOSPC" },
    { name: "EIO on sync", kinds: ["sync"], code: "EIO" },
    { name: "EIO on sync and truncate", kinds: ["sync", "truncate"], code: "EIO" },
    { name: "EIO on every sync", kinds: ["sync", "syncDir"], code: "EIO" },
    { name: "ENOSPC on create", kinds: ["write", "open"], code: "ENOSPC" },
    {
      name: "EACCES on everything that changes it",
      kinds: ["write", "open", "rename", "unlink", "truncate"],
      code: "EACCES",
    },
  ];
  test.each(failures)(
    "$name: told at once, sent from memory, written under that id when it is back",
    async ({ kinds, code }) => {
      const site = await started();
      site.world.diskFaultOf = (io) => (kinds.includes(io.kind) ? code : null);
      site.append(2);
      await site.world.advance(200);
      expect(site.settlements.splice(0)).toEqual([
        { kind: "failed", id: "gate-07/life-1/1" },
        { kind: "failed", id: "gate-07/life-1/2" },
      ]);
      expect(site.journal?.state).toBe("failed");
      expect(site.news).toEqual(["failed"]);
      site.append(1);
      await site.world.advance(20_000);
      expect(site.settlements.splice(0)).toEqual([{ kind: "failed", id: "gate-07/life-1/3" }]);
      expect(site.news).toEqual(["failed"]);

      site.world.diskFaultOf = () => null;
      await site.world.advance(2_000);
      expect(site.news).toEqual(["failed", "recovered, 0 lost"]);
      expect((await lines(site)).map(({ seq, id }) => id ?? seq)).toEqual([
        1,
        2,
        3,
        "gate-07/life-1/1",
        "gate-07/life-1/2",
        "gate-07/life-1/3",
      ]);
      expect([...site.told.keys()]).toEqual([1, 2, 3, 4, 5, 6]);
      site.append(1);
      await site.world.advance(100);
      expect(site.settlements).toEqual([{ kind: "synced", id: "gate-07/7" }]);
      await end(site);
    },
  );

  test("for longer than memory holds: what is past the bound is sent, counted and not written", async () => {
    const site = await started();
    site.world.diskFaultOf = ({ kind }) => (kind === "sync" ? "EIO" : null);
    site.append(20_005);
    await site.world.advance(5_000);
    expect(site.volatileIds.size).toBe(20_005);
    expect(site.settlements.splice(0).every(({ kind, id }) => kind === "failed" && id !== null)).toBe(true);
    site.world.diskFaultOf = () => null;
    await site.world.advance(5_000);
    expect(site.news).toEqual(["failed", "recovered, 5 lost"]);
    expect(site.journal?.headSeq).toBe(20_003);
    expect(site.unwritten()).toHaveLength(5);
    await end(site);
  });

  test("again while what waits is being written: each record keeps its one id, and is written once", async () => {
    const site = await started();
    site.world.diskFaultOf = ({ kind }) => (kind === "sync" ? "EIO" : null);
    site.append(1_300);
    await site.world.advance(3_500);
    // Well for one group of 512, which is one replacement, then broken again.
    let syncs = 0;
    site.world.diskFaultOf = ({ kind }) => (kind === "sync" && ++syncs > 1 ? "EIO" : null);
    await site.world.advance(3_000);
    expect(site.journal?.headSeq).toBe(3 + 512);
    expect(site.news).toEqual(["failed", "recovered, 0 lost", "failed"]);
    site.world.diskFaultOf = () => null;
    await site.world.advance(3_000);
    expect(site.news).toEqual(["failed", "recovered, 0 lost", "failed", "recovered, 0 lost"]);
    expect(site.volatileIds.size).toBe(1_300);
    expect(site.unwritten()).toEqual([]);
    await end(site);
  });

  test("and goes on failing: a stop ends, and what was never written is not there", async () => {
    const site = await started();
    site.world.diskFaultOf = ({ kind }) => (kind === "sync" || kind === "write" ? "EIO" : null);
    site.append(5);
    await site.world.advance(3_000);
    await site.stop();
    site.world.diskFaultOf = () => null;
    await site.boot();
    expect((await lines(site)).length).toBe(3);
    await end(site);
  });

  test("cannot drop an old segment: the journal goes on", async () => {
    const site = await started({ maxBytes: 3_000 });
    site.world.diskFaultOf = ({ kind }) => (kind === "unlink" ? "EACCES" : null);
    for (let group = 0; group < 6; group++) {
      site.append(2, 700);
      await site.world.advance(100);
      site.acknowledge();
    }
    expect(site.settlements.every(({ kind }) => kind === "synced")).toBe(true);
    expect(site.machine?.log.messages("warn")).toContain("an old journal segment could not be dropped");
    expect(site.journal?.fill.warning).toBe(true);
    site.world.diskFaultOf = () => null;
    for (let group = 0; group < 3; group++) {
      site.append(2, 700);
      await site.world.advance(100);
      site.acknowledge();
    }
    expect(site.journal?.fill.bytes).toBeLessThan(3_000 + 2_000);
    await end(site);
  });
});

describe("a sync", () => {
  test("of 2 s: those who wait are told at 1 s, the line keeps its number, the event goes once, under it", async () => {
    const site = await started();
    site.world.stallOf = () => 2_000;
    site.append(1);
    await site.world.advance(990);
    expect(site.settlements).toEqual([]);
    await site.world.advance(30);
    const lates = site.settlements.splice(0);
    expect(site.journal?.state).toBe("failed");
    site.append(1);
    await site.world.advance(1);
    lates.push(...site.settlements.splice(0));
    expect(lates.map(({ kind }) => kind)).toEqual(["late", "late"]);
    await site.world.advance(5_000);
    expect(await Promise.all(lates.map(({ id }) => id))).toEqual(["gate-07/4", "gate-07/5"]);
    expect([...site.told.keys()]).toEqual([1, 2, 3, 4, 5]);
    expect(site.volatileIds.size).toBe(0);
    expect(site.news).toEqual([]);
    expect(site.journal?.state).toBe("well");
    await end(site);
  });

  test("of 40 s: given up at 30 s, sent from memory, then written under that id and no other", async () => {
    const site = await started();
    site.world.stallOf = () => 40_000;
    site.append(1);
    await site.world.advance(29_000);
    expect(site.volatileIds.size).toBe(0);
    await site.world.advance(2_000);
    expect([...site.volatileIds]).toEqual(["gate-07/life-1/1"]);
    expect(site.news).toEqual(["failed"]);
    site.world.stallOf = () => 0;
    await site.world.advance(60_000);
    expect(site.news).toEqual(["failed", "recovered, 0 lost"]);
    expect((await lines(site)).map(({ seq, id }) => id ?? seq)).toEqual([1, 2, 3, "gate-07/life-1/1"]);
    await end(site);
  });

  test("that never ends: everything is sent from memory, and a stop ends within two seconds", async () => {
    let isHung = false;
    const hanging = (file: DiskFile): DiskFile => ({
      ...file,
      write: (bytes) => (isHung ? new Promise(() => undefined) : file.write(bytes)),
    });
    const plant = ({ files }: Machine): Files => ({
      ...files,
      open: async (path, mode) => hanging(await files.open(path, mode)),
    });
    const site = await started({ plant });
    isHung = true;
    site.append(2);
    await site.world.advance(40_000);
    site.append(1);
    await site.world.advance(100_000);
    expect(site.volatileIds.size).toBe(3);
    expect(site.settlements).toHaveLength(3);
    expect(site.news).toEqual(["failed"]);
    await end(site);
  });
});

describe("at start, a directory", () => {
  test("that can only be read: its lines are there, up to the last group; appends fail until it can be written", async () => {
    const site = await started();
    site.append(2);
    await site.world.advance(100);
    await site.stop();
    site.world.diskFaultOf = ({ kind, path }) =>
      ["write", "rename", "unlink", "truncate"].includes(kind) || path.includes(".tmp-") ? "EACCES" : null;
    site.settlements.length = 0;
    await site.boot();
    expect(site.recovery).toMatchObject({ head: { seq: 5 }, tornBytes: 0, damaged: false, missing: null });
    expect(site.news).toEqual(["failed"]);
    expect(site.journal?.headSeq).toBe(4);
    const reading = site.journal?.entriesFrom(1, 10);
    await site.world.advance(100);
    expect((await reading)?.entries.map(({ line }) => line.seq)).toEqual([1, 2, 3, 4]);
    site.append(1);
    await site.world.advance(3_000);
    expect(site.settlements.splice(0)).toEqual([{ kind: "failed", id: "gate-07/life-2/1" }]);
    site.world.diskFaultOf = () => null;
    await site.world.advance(3_000);
    expect(site.news).toEqual(["failed", "recovered, 0 lost"]);
    expect(site.journal?.headSeq).toBe(6);
    await end(site);
  });

  test("that cannot be read: start is refused, appends fail, and all is well once it can be", async () => {
    const site = await started();
    await site.stop();
    site.settlements.length = 0;
    site.world.diskFaultOf = ({ kind }) => (kind === "list" ? "EIO" : null);
    await site.boot();
    expect(site.recovery).toBeNull();
    expect(site.news).toEqual(["failed"]);
    site.append(1);
    await site.world.advance(3_000);
    expect(site.settlements).toEqual([{ kind: "failed", id: "gate-07/life-2/1" }]);
    site.world.diskFaultOf = () => null;
    await site.world.advance(3_000);
    expect(site.news).toEqual(["failed", "recovered, 0 lost"]);
    expect(site.journal?.headSeq).toBe(4);
    expect(site.machine?.log.messages("warn")).toContain("the journal can be read now");
    await end(site);
  });

  test("whose cursor is ahead of it: the numbers up to it are never used again", async () => {
    const site = await started();
    await site.stop();
    site.acknowledgedSeq = 10;
    await site.boot();
    expect(site.recovery?.missing).toEqual({ from: 4, to: 10 });
    site.append(1);
    await site.world.advance(100);
    expect(site.settlements).toEqual([{ kind: "synced", id: "gate-07/11" }]);
    await site.stop();
  });
});

describe("files that somebody takes away", () => {
  async function twoSegments(): Promise<{ site: JournalSite; paths: string[] }> {
    const site = new JournalSite({ seed: 1, segmentBytesMax: 500 });
    await site.boot();
    for (let line = 0; line < 5; line++) {
      site.append(1);
      await site.world.advance(100);
    }
    return { site, paths: site.world.disk.paths().filter((path) => path.endsWith(".ndjson")) };
  }

  async function told(site: JournalSite, taken: readonly string[]): Promise<string[]> {
    for (const path of taken) void site.machine!.files.remove(path);
    await site.world.advance(10_000);
    site.append(1);
    await site.world.advance(100);
    return site.news;
  }

  test("are missed, and a new segment goes on with the numbers", async () => {
    const { site, paths } = await twoSegments();
    expect(paths).toHaveLength(2);
    expect(await told(site, paths.slice(1))).toEqual(["4 to 6 gone"]);
    site.append(1);
    await site.world.advance(100);
    expect((await lines(site)).map(({ seq }) => seq)).toEqual([1, 2, 3, 7]);
    await site.stop();
  });

  test("are missed where they are old, and told of once", async () => {
    const { site, paths } = await twoSegments();
    await told(site, paths.slice(0, 1));
    expect(await told(site, [])).toEqual(["1 to 3 gone"]);
    expect((await lines(site)).map(({ seq }) => seq)).toEqual([4, 5, 6, 7]);
    await site.stop();
  });
});

describe("retention", () => {
  /** Ten segments of a day each; the clock is trusted on those days only that `isTrusted` says. */
  async function tenDays(keepDays: number, isTrusted: (day: number) => boolean): Promise<JournalSite> {
    const site = new JournalSite({ seed: 1, keepMs: keepDays * DAY_MS });
    await site.boot();
    for (let day = 0; day < 10; day++) {
      Object.assign(site.machine!.clock, { trusted: () => isTrusted(day) });
      site.append(2);
      await site.world.advance(100);
      site.acknowledge();
      site.machine!.clock.jumpWall(DAY_MS - HOUR_MS);
      await site.world.advance(HOUR_MS);
    }
    return site;
  }

  test("drops whole days that are older than is kept, and only what was acknowledged", async () => {
    const site = await tenDays(4, () => true);
    const first = (await lines(site))[0];
    expect(first?.seq).toBe(11);
    await end(site);
    const unsent = new JournalSite({ seed: 1, keepMs: DAY_MS });
    await unsent.boot();
    for (let day = 0; day < 5; day++) {
      unsent.append(1);
      await unsent.world.advance(100);
      unsent.machine!.clock.jumpWall(DAY_MS);
    }
    expect((await lines(unsent)).length).toBe(5);
    await end(unsent);
  });

  test("believes only times that were trusted: a line of 1970 costs nobody anything", async () => {
    const site = new JournalSite({ seed: 1, keepMs: 4 * DAY_MS });
    await site.boot();
    site.append(2);
    await site.world.advance(100);
    site.acknowledge();
    const nowMs = site.machine!.clock.wallMs();
    Object.assign(site.machine!.clock, { trusted: () => false });
    site.machine!.clock.jumpWall(-nowMs);
    site.append(2);
    await site.world.advance(100);
    site.acknowledge();
    site.machine!.clock.jumpWall(nowMs + DAY_MS);
    Object.assign(site.machine!.clock, { trusted: () => true });
    site.append(2);
    await site.world.advance(100);
    expect((await lines(site)).length).toBe(6);
    await end(site);
  });

  test("takes a day of it an hour at most, however far into the future a trusted clock jumps, and nothing unsent", async () => {
    const site = await tenDays(740, () => true);
    site.machine!.clock.jumpWall(20 * 365 * DAY_MS);
    const left: number[] = [];
    for (let round = 0; round < 8; round++) {
      site.append(1);
      await site.world.advance(HOUR_MS / 2);
      left.push((await lines(site))[0]?.seq ?? 0);
    }
    // Two lines a day: a day at once, then one every second half hour.
    expect(left).toEqual([3, 3, 5, 5, 7, 7, 9, 9]);
    // Set right again, nothing more goes.
    site.machine!.clock.jumpWall(-20 * 365 * DAY_MS);
    site.append(1);
    await site.world.advance(5 * HOUR_MS);
    site.append(1);
    await site.world.advance(1_000);
    expect((await lines(site))[0]?.seq).toBe(9);
    const unsent = new JournalSite({ seed: 1, keepMs: DAY_MS });
    await unsent.boot();
    for (let day = 0; day < 3; day++) {
      unsent.append(2);
      await unsent.world.advance(HOUR_MS);
      unsent.machine!.clock.jumpWall(20 * 365 * DAY_MS);
    }
    expect((await lines(unsent)).length).toBe(6);
    await end(site);
    await end(unsent);
  });

  test("says nothing of age while the clock is not trusted", async () => {
    const site = await tenDays(1, () => false);
    expect((await lines(site)).length).toBe(20);
    await end(site);
  });
});

describe("reading back", () => {
  /** 40 days of 25 lines; counts which files are opened. */
  async function manyDays() {
    const opened: string[] = [];
    const disk = new SimDisk();
    const plain = createFiles(disk, new SimRandom(1));
    const files: Files = {
      ...plain,
      open: (path, mode) => {
        opened.push(path);
        return plain.open(path, mode);
      },
    };
    const clock = new SimClock();
    const settings = {
      dir: DIR,
      gateway: "gate-07",
      boot: "b",
      keepMs: 1e12,
      maxBytes: 1e9,
      segmentBytesMax: 1e6,
    };
    const nothing = () => undefined;
    const events = { synced: nothing, volatile: nothing, failed: nothing, recovered: nothing, gone: nothing };
    const journal = new Journal(settings, { clock, files, log: new SimLog() }, events);
    await journal.start(0);
    const draft = (dayIndex: number, n: number): Draft => ({
      type: "grindvakt.tap.v1",
      subject: "in",
      time: new Date(Date.UTC(2026, 0, 1 + dayIndex, 6, n)).toISOString(),
      data: { n },
    });
    for (let day = 0; day < 40; day++)
      await Promise.all(Array.from({ length: 25 }, (_, n) => journal.append(draft(day, n))));
    opened.length = 0;
    return { journal, files, disk, opened };
  }

  test("from a sequence on opens only what holds it", async () => {
    const { files, opened, journal } = await manyDays();
    expect((await all(readEntries(files, DIR, 951, 960))).map(({ line }) => line.seq)).toEqual([
      951, 952, 953, 954, 955, 956, 957, 958, 959, 960,
    ]);
    expect(opened).toHaveLength(1);
    await journal.stop();
  });

  test("the last lines come from the last segments", async () => {
    const { files, opened, journal } = await manyDays();
    expect((await readLast(files, DIR, 30)).map(({ line }) => line.seq)).toEqual(
      Array.from({ length: 30 }, (_, index) => 971 + index),
    );
    expect(opened).toHaveLength(2);
    expect(await readLast(files, DIR, 5_000)).toHaveLength(1_000);
    await journal.stop();
  });

  test("of a period reads all its lines, and of other days no more than the first", async () => {
    const { files, disk, journal } = await manyDays();
    const before = disk.ios;
    const faults: string[] = [];
    const period = (fromMs: number, toMs: number) =>
      all(readPeriod(files, DIR, { fromMs, toMs, acknowledgedSeq: 0 }, (what) => faults.push(what)));
    const day = await period(Date.UTC(2026, 0, 11), Date.UTC(2026, 0, 11, 23, 59));
    expect(day.map(({ line }) => line.seq)).toEqual(Array.from({ length: 25 }, (_, index) => 251 + index));
    // Open, one read and close for each other day.
    expect(disk.ios - before).toBeLessThanOrEqual(1 + 40 * 3 + 4);
    expect(await period(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)).toHaveLength(1_000);
    expect(faults).toEqual([]);
    await journal.stop();
  });

  test("a backlog is read once, a few lines at a time, also when two readers meet", async () => {
    const { files, disk, opened } = await manyDays();
    const journal = new Journal(
      { dir: DIR, gateway: "gate-07", boot: "c", keepMs: 1e12, maxBytes: 1e9, segmentBytesMax: 1e6 },
      { clock: new SimClock(), files, log: new SimLog() },
      {
        synced: () => undefined,
        volatile: () => undefined,
        failed: () => undefined,
        recovered: () => undefined,
        gone: () => undefined,
      },
    );
    await journal.start(0);
    opened.length = 0;
    const before = disk.ios;
    let next = 1;
    while (next <= journal.headSeq) {
      const { entries, throughSeq } = await journal.entriesFrom(next, 64);
      expect(entries.map(({ line }) => line.seq)).toEqual(
        Array.from({ length: entries.length }, (_, index) => next + index),
      );
      expect(entries.length).toBeLessThanOrEqual(64);
      next = throughSeq + 1;
    }
    expect(opened).toHaveLength(40);
    expect(disk.ios - before).toBeLessThanOrEqual(40 * 4 + 1);
    const [one, other] = await Promise.all([journal.entriesFrom(1, 64), journal.entriesFrom(1, 64)]);
    expect(one?.entries.map(({ line }) => line.seq)).toEqual(other?.entries.map(({ line }) => line.seq));
    await journal.stop();
  });
});
