/** How long lines are kept, and by which clock. */
import { describe, expect, test } from "vitest";
import { journalSettings } from "../../daemon/house-journal.ts";
import { JournalSite } from "../sim/journal-site.ts";
import { end, lines } from "./journal-bench.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

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

  test.each([
    ["an hour younger", -HOUR_MS, 1],
    ["an hour older", HOUR_MS, 2],
  ])("of a line that is %s than is kept is up to its age alone", async (_name, moreMs, oldest) => {
    const site = new JournalSite({ seed: 1, keepMs: 4 * DAY_MS });
    await site.boot();
    // What goes is older than the first line after it.
    for (const afterMs of [0, DAY_MS, 4 * DAY_MS + moreMs]) {
      site.machine!.clock.jumpWall(afterMs);
      site.append(1);
      await site.world.advance(100);
      site.acknowledge();
    }
    expect((await lines(site))[0]?.seq).toBe(oldest);
    await end(site);
  });

  test("is as long and as large as the configuration has it", () => {
    const journal = { keepDays: 740, maxBytes: 3_000_000_000 };
    const settings = journalSettings({ gateway: "gate-07", boot: "boot-1", dataDir: "/data", journal });
    expect(settings).toMatchObject({ keepMs: 740 * DAY_MS, maxBytes: 3_000_000_000 });
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

  test("is warned of from four fifths of what the journal may hold, and before a line goes", async () => {
    const maxBytes = 200_000;
    const site = new JournalSite({ seed: 1, maxBytes });
    await site.boot();
    const fills: number[] = [];
    for (let fill = site.journal!.fill; fill.bytes >= (fills.at(-1) ?? 0); fill = site.journal!.fill) {
      fills.push(fill.bytes);
      expect([fill.bytes, fill.warning]).toEqual([fill.bytes, fill.bytes >= 160_000]);
      site.append(1);
      await site.world.advance(100);
      site.acknowledge();
    }
    // In small steps past the bound, and on to the end before a line went.
    expect(fills.filter((bytes) => bytes > 158_000 && bytes < 162_000).length).toBeGreaterThan(4);
    expect(fills.at(-1)).toBeGreaterThan(maxBytes * 0.95);
    await end(site);
  });

  test("says nothing of age while the clock is not trusted", async () => {
    const site = await tenDays(1, () => false);
    expect((await lines(site)).length).toBe(20);
    await end(site);
    // Not even of lines whose own times are.
    const known = await tenDays(20, (day) => day < 9);
    known.machine!.clock.jumpWall(365 * DAY_MS);
    known.append(2);
    await known.world.advance(HOUR_MS);
    expect((await lines(known))[0]?.seq).toBe(1);
    await end(known);
  });
});
