/** Until when a block or an allowance stands, as it is written and as the site's calendar has it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSiteTime } from "../../daemon/site/site-time.ts";
import { readUntil } from "../../daemon/site/site-until.ts";

const DAY_MS = 24 * 3_600_000;
const STOCKHOLM = createSiteTime("Europe/Stockholm");

describe("until when", () => {
  it.each([
    ["2026-12-24", "2026-12-24", "2026-12-25T00:00:00+01:00"],
    ["2026-07-01", "2026-07-01", "2026-07-02T00:00:00+02:00"],
    // The days on which the clocks are changed end as others do.
    ["2026-03-29", "2026-03-29", "2026-03-30T00:00:00+02:00"],
    ["2026-10-25", "2026-10-25", "2026-10-26T00:00:00+01:00"],
    ["2028-02-29", "2028-02-29", "2028-03-01T00:00:00+01:00"],
    ["2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00.000Z", "2026-12-24T18:00:00+01:00"],
    ["2026-12-24t17:00:00.5z", "2026-12-24T17:00:00.500Z", "2026-12-24T17:00:00.5Z"],
  ])("%s", (text, until, end) => {
    expect(readUntil(text, STOCKHOLM)).toEqual({ until, untilMs: Date.parse(end) });
  });

  it.each([
    "",
    "tomorrow",
    "2026-02-29",
    "2026-13-01",
    "2026-02-30T10:00:00Z",
    "2026-12-24T18:00",
    "2026-12-24T18:00:00",
    "2026-12-24T25:00:00Z",
    "2026-12-24 18:00:00Z",
    " 2026-12-24",
    "24/12/2026",
    "+020261-12-24",
  ])("is not %j", (text) => {
    expect(readUntil(text, STOCKHOLM)).toBeNull();
  });

  it("a day is over exactly when the site's calendar says so, wherever the site is", () => {
    const zones = [
      "Europe/Stockholm",
      "Pacific/Kiritimati",
      "Etc/GMT+12",
      "Asia/Kathmandu",
      "America/Havana",
    ];
    // From 2000 to 2079: before, some kept time by odd minutes.
    const days = fc.integer({ min: 11_000, max: 40_000 });
    const property = fc.property(fc.constantFrom(...zones), days, (zone, day) => {
      const siteTime = createSiteTime(zone);
      const text = new Date(day * DAY_MS).toISOString().slice(0, 10);
      const end = readUntil(text, siteTime)!.untilMs;
      expect([siteTime.dayOf(end - 1) <= day, siteTime.dayOf(end) > day]).toEqual([true, true]);
    });
    fc.assert(property, { numRuns: 300 });
  });
});
