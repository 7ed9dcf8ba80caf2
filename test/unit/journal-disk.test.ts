/** What is wrong with the disk under a journal: it fails, can only be read, or lacks what stood there. */
import { describe, expect, test } from "vitest";
import type { FaultCode, IoKind } from "../sim/disk.ts";
import { JournalSite } from "../sim/journal-site.ts";
import { end, lines, started } from "./journal-bench.ts";

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
