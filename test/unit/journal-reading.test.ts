/** Lines that are read back, at no more cost than they need. */
import { describe, expect, test } from "vitest";
import { Journal } from "../../daemon/journal/journal.ts";
import { readPeriod } from "../../daemon/journal/journal-period.ts";
import { readEntries, readLast } from "../../daemon/journal/journal-reader.ts";
import type { Draft } from "../../daemon/journal/record.ts";
import { createFiles } from "../../drivers/files.ts";
import type { Files } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { DIR } from "../sim/journal-site.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";
import { all } from "./journal-bench.ts";

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
