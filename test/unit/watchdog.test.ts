/** The watchdog is fed by work that was done: each way in which it can stop being done is shown to be seen. */
import { describe, expect, test } from "vitest";
import { Intake } from "../../daemon/gate/intake.ts";
import { Journal } from "../../daemon/journal/journal.ts";
import { Scribe } from "../../daemon/journal/scribe.ts";
import { Watchdog } from "../../daemon/watchdog.ts";
import { createFiles } from "../../drivers/files.ts";
import type { Clock } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { JournalSite } from "../sim/journal-site.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";

const INTERVAL_MS = 10_000;

test("it is fed while nothing stands still, not while something does, and that is said once each time", async () => {
  const clock = new SimClock();
  const log = new SimLog();
  let why: string | null = null;
  const fedMs: number[] = [];
  const watchdog = new Watchdog(
    INTERVAL_MS,
    { clock, log },
    { standstill: () => why, feed: () => fedMs.push(clock.monotonicMs()) },
  );
  watchdog.start();
  await clock.advance(25_000);
  why = "taps wait";
  await clock.advance(30_000);
  why = null;
  await clock.advance(10_000);
  watchdog.stop();
  await clock.runUntilIdle(0);
  expect(fedMs).toEqual([10_000, 20_000, 60_000]);
  expect(log.messages("error")).toHaveLength(1);
});

/** Time passes, and nobody's turn comes: what a loop that hangs looks like from within. */
function stoppedClock(clock: Clock): Clock {
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    trusted: () => clock.trusted(),
    after: () => ({ cancel: () => undefined }),
  };
}

describe("readings that wait", () => {
  const readings = async (clock: SimClock, hung: Clock, count: number) => {
    let served = 0;
    const scribe = new Scribe("boot", clock, async () => ({ kind: "synced", id: "gate-07/1" }));
    const intake = new Intake(["north-in-1"], hung, {
      scribe,
      take: () => {
        served += 1;
        return true;
      },
      changed: () => undefined,
    });
    const { reading } = intake.eventsOf("north-in-1");
    const credential = { kind: "number", number: "BB-2611-000001" } as const;
    for (let each = 0; each < count; each += 1)
      reading({ kind: "credential", credential, assurance: "number" }, scribe.stamp());
    await clock.advance(60_000);
    return { intake, served };
  };

  test("stand still where the loop's turn never comes", async () => {
    const clock = new SimClock();
    const { intake, served } = await readings(clock, stoppedClock(clock), 100);
    expect(served).toBeLessThan(100);
    expect(intake.isStill).toBe(true);
  });

  test("do not where it comes", async () => {
    const clock = new SimClock();
    const { intake, served } = await readings(clock, clock, 100);
    expect(served).toBe(100);
    expect(intake.isStill).toBe(false);
  });
});

describe("records that wait", () => {
  test("are answered for also by a disk that is silent, which the gate outlives by itself", async () => {
    const site = new JournalSite({ seed: 1 });
    await site.boot();
    site.world.disk.latencyMsOf = () => Number.MAX_SAFE_INTEGER;
    site.append(3);
    for (let second = 0; second < 60; second += 1) {
      await site.world.advance(1_000);
      expect(site.journal?.isStill).toBe(false);
    }
  });

  test("stand still where nobody is told", async () => {
    const clock = new SimClock();
    const disk = new SimDisk({ clock });
    const settings = { gateway: "gate-07", boot: "boot", keepMs: 1e12, maxBytes: 1e9, segmentBytesMax: 1e6 };
    const nothing = () => undefined;
    const journal = new Journal(
      { ...settings, dir: "/journal" },
      { clock: stoppedClock(clock), files: createFiles(disk, new SimRandom(1)), log: new SimLog() },
      { synced: nothing, volatile: nothing, failed: nothing, recovered: nothing, gone: nothing },
    );
    const starting = journal.start(0);
    await clock.advance(1_000);
    await starting;
    disk.latencyMsOf = () => Number.MAX_SAFE_INTEGER;
    void journal.append({ type: "grindvakt.gateway.v1", subject: "gateway", time: "", data: {} });
    await clock.advance(1_000);
    expect(journal.isStill).toBe(false);
    await clock.advance(10_000);
    expect(journal.isStill).toBe(true);
  });
});
