import { describe, expect, it } from "vitest";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import type { CrashPolicy } from "../sim/disk-nodes.ts";
import { SimRandom } from "../sim/random.ts";
import { card, deltaOf } from "./sync-lists.ts";
import { live, ScriptedFeed, started, UNREACHABLE } from "./sync-site.ts";

const ONE = [card("BB-2401-000001"), card("BB-2401-000002")];
const TWO = [card("BB-2401-000001", "blocked"), card("BB-2401-000002")];
/** More calls to the disk than an update makes, merging included. */
const IOS_MAX = 120;

/** Ways to list 2. `calls`: to the disk, at least. */
const UPDATES = [
  { by: "whole list", layerCardsMax: 100, calls: 25, publish: (feed: ScriptedFeed) => feed.publish(2, TWO) },
  { by: "delta", layerCardsMax: 100, calls: 25, publish: publishDelta },
  { by: "delta that is merged at once", layerCardsMax: 0, calls: 50, publish: publishDelta },
];
const POLICIES: CrashPolicy[] = ["lose", "keep", "torn"];

function publishDelta(feed: ScriptedFeed): void {
  feed.publishDelta(1, 2, deltaOf(ONE, TWO), TWO.length);
}

/** A machine with list 1 in force, its process ended. */
async function machine(
  publish: (feed: ScriptedFeed) => void,
): Promise<{ feed: ScriptedFeed; disk: SimDisk; clock: SimClock }> {
  const feed = new ScriptedFeed();
  feed.publish(1, ONE);
  const disk = new SimDisk();
  const life = await started(feed, disk);
  await life.sync.stop();
  publish(feed);
  return { feed, disk, clock: life.clock };
}

/** The revision in force after a restart on this disk, without the feed; null: none. */
async function afterRestart(disk: SimDisk): Promise<number | null> {
  const feed = new ScriptedFeed();
  feed.trouble = UNREACHABLE;
  const life = await started(feed, disk);
  expect(life.refusals).toEqual([{ name: "unreachable", why: expect.any(String) }]);
  if (life.list === null) return null;
  for (const { number, status } of life.list.revision === 1 ? ONE : TWO) {
    expect(life.list.index.byNumber(number)).toMatchObject({ card: { status } });
  }
  return life.list.revision;
}

describe.each(UPDATES)("an update by a $by", ({ layerCardsMax, calls, publish }) => {
  it.each(POLICIES)(
    "leaves the old list or the new one at every power cut, and never less than what was decided on (%s)",
    async (policy) => {
      const found: (number | null)[] = [];
      let cuts = 0;
      for (let cut = 1; cut <= IOS_MAX; cut++) {
        const { feed, disk, clock } = await machine(publish);
        const booted = clock.boot();
        const start = disk.ios;
        disk.cutAt(start + cut, () => booted.end());
        const life = live(feed, disk, booted, { layerCardsMax });
        void life.sync.start();
        await clock.advance(3_000);
        const decidedOn = life.list?.revision ?? 1;
        const after = await afterRestart(disk.crash(policy, { random: new SimRandom(cut) }));
        expect([1, 2], `call ${cut}`).toContain(after);
        expect(after, `call ${cut}`).toBeGreaterThanOrEqual(decidedOn);
        found.push(after);
        if (!disk.isOff) break;
        cuts += 1;
      }
      expect(cuts).toBeGreaterThan(calls);
      expect(cuts).toBeLessThan(IOS_MAX);
      expect(new Set(found)).toEqual(new Set([1, 2]));
    },
  );

  it.each(["EIO", "ENOSPC"] as const)("is done after all when any one call fails with %s", async (code) => {
    for (let fail = 1; fail <= IOS_MAX; fail++) {
      const { feed, disk, clock } = await machine(publish);
      const start = disk.ios;
      disk.failAt(start + fail, code);
      const booted = clock.boot();
      const life = live(feed, disk, booted, { layerCardsMax });
      await life.sync.start();
      await clock.advance(3_000);
      const decidedOn = life.list?.revision ?? 0;
      const futures = await Promise.all(
        [disk.crash("lose"), disk.crash("keep")].map((next) => afterRestartAny(next)),
      );
      for (const after of futures)
        expect(after, `call ${fail}`).toBeGreaterThanOrEqual(Math.min(decidedOn, 2));
      await clock.advance(120_000);
      expect(life.list?.revision, `call ${fail}`).toBe(2);
      expect(await afterRestart(disk.crash("lose")), `call ${fail}`).toBe(2);
      if (disk.ios >= start + fail) continue;
      expect(fail).toBeGreaterThan(calls);
      return;
    }
    throw new Error("an update makes more calls than were walked");
  });
});

describe("an update", () => {
  it("leaves the first list or none at every power cut on a new machine", async () => {
    for (let cut = 1; cut <= IOS_MAX; cut++) {
      const feed = new ScriptedFeed();
      feed.publish(1, ONE);
      const disk = new SimDisk();
      const clock = new SimClock();
      disk.cutAt(cut, () => clock.end());
      const life = live(feed, disk, clock);
      void life.sync.start();
      await clock.advance(3_000);
      const after = await afterRestart(disk.crash("torn", { random: new SimRandom(cut) }));
      expect([null, 1], `call ${cut}`).toContain(after);
      if (life.list !== null) expect(after, `call ${cut}`).toBe(1);
      if (!disk.isOff) return;
    }
    throw new Error("an update makes more calls than were walked");
  });

  it("is told, changes nothing and is tried again while the disk is full", async () => {
    const { feed, disk, clock } = await machine((feed) => feed.publish(2, TWO));
    disk.capacityBytes -= await disk.freeBytes("/data");
    const life = await started(feed, disk, clock.boot());
    expect(life.events).toEqual(["swapped disk 1", "refused disk"]);
    expect(life.refusals[0]?.why).toMatch(/ENOSPC/);
    disk.capacityBytes *= 10;
    await clock.advance(120_000);
    expect(life.list?.revision).toBe(2);
  });
});

/** The same as `afterRestart`, on a disk whose last word may have been an error. */
async function afterRestartAny(disk: SimDisk): Promise<number> {
  const feed = new ScriptedFeed();
  feed.trouble = UNREACHABLE;
  return (await started(feed, disk)).list?.revision ?? 0;
}
