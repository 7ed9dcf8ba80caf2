import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSiteTime } from "../../daemon/site/site-time.ts";

const DAY_MS = 24 * 3_600_000;
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/** Whole hours, half hours, quarters, the southern half of the year, and both sides of the date line. */
const ZONES = [
  "Europe/Stockholm",
  "UTC",
  "America/St_Johns",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Kiritimati",
  "Pacific/Pago_Pago",
  "Pacific/Chatham",
];
/** Stockholm's two of 2026, Lord Howe's (one of them on a half hour), and Chatham's. */
const CHANGES = [
  "2026-03-29T01:00:00Z",
  "2026-10-25T01:00:00Z",
  "2026-04-04T15:00:00Z",
  "2026-10-03T15:30:00Z",
  "2026-04-04T14:00:00Z",
  "2026-09-26T14:00:00Z",
];
/** 1975 to 2075: a machine without a clock battery, and every site there will be. */
const instant = fc.integer({
  min: Date.parse("1975-01-01T00:00:00Z"),
  max: Date.parse("2075-01-01T00:00:00Z"),
});

/** The same by Intl's own words for the day, the weekday and the hour. */
function byIntl(timeZone: string): (wallMs: number) => { day: number; minuteOfWeek: number } {
  const dates = new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" });
  const weekdays = new Intl.DateTimeFormat("en-US", { timeZone, weekday: "short" });
  const times = new Intl.DateTimeFormat("sv-SE", { timeZone, timeStyle: "short" });
  return (wallMs) => {
    const [hour = 0, minute = 0] = times.format(wallMs).split(":").map(Number);
    return {
      day: Date.parse(`${dates.format(wallMs)}T00:00:00Z`) / DAY_MS,
      minuteOfWeek: WEEKDAYS.indexOf(weekdays.format(wallMs)) * 1_440 + hour * 60 + minute,
    };
  };
}

describe.each(ZONES)("in %s", (timeZone) => {
  const expected = byIntl(timeZone);

  test("the day and the minute of the week are Intl's, at any instant and in any order", () => {
    const siteTime = createSiteTime(timeZone);
    fc.assert(
      fc.property(instant, fc.integer({ min: -3_600_000, max: 3_600_000 }), (wallMs, asideMs) => {
        for (const ms of [wallMs, wallMs + asideMs, wallMs]) {
          const found = { day: siteTime.dayOf(ms), minuteOfWeek: siteTime.minuteOfWeekOf(ms) };
          expect(found).toEqual(expected(ms));
        }
      }),
      { numRuns: 200 },
    );
  });

  test("every minute around the changes of the year is right", () => {
    const siteTime = createSiteTime(timeZone);
    for (const around of CHANGES)
      for (let minute = -30; minute <= 30; minute += 1) {
        const wallMs = Date.parse(around) + minute * 60_000;
        const { day, minuteOfWeek } = expected(wallMs);
        expect(siteTime.dayOf(wallMs)).toBe(day);
        expect(siteTime.minuteOfWeekOf(wallMs)).toBe(minuteOfWeek);
      }
  });
});

test.each([
  ["the first instant there is", "1970-01-01T00:00:00Z", 0, 3 * 1_440 + 60],
  ["the last second of 1969, by the site's clock in 1970", "1969-12-31T23:59:59Z", 0, 3 * 1_440 + 59],
  ["a leap day", "2028-02-29T12:00:00Z", 21_243, 1 * 1_440 + 13 * 60],
  ["midnight in summer", "2026-06-30T22:00:00Z", 20_635, 2 * 1_440],
])("Stockholm knows %s", (_name, text, day, minuteOfWeek) => {
  const siteTime = createSiteTime("Europe/Stockholm");
  const wallMs = Date.parse(text);
  expect({ day: siteTime.dayOf(wallMs), minuteOfWeek: siteTime.minuteOfWeekOf(wallMs) }).toEqual({
    day,
    minuteOfWeek,
  });
});
