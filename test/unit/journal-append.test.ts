/** A record that is appended: when it is told to be on disk, and under which number. */
import { describe, expect, test } from "vitest";
import type { DiskFile, Files } from "../../drivers/ports.ts";
import { JournalSite } from "../sim/journal-site.ts";
import type { Machine } from "../sim/world.ts";
import { end, lines, started } from "./journal-bench.ts";

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
