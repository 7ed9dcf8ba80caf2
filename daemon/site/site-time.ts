/**
 * The site's calendar: from UTC to the day and the minute of the week in its time zone.
 */
const QUARTER_MS = 15 * 60_000;
const DAY_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;
/** 1970-01-01 was a Thursday: three days after Monday. */
const EPOCH_DAY_OF_WEEK = 3;

export interface SiteTime {
  /** Days since 1970-01-01 in the site's time zone. */
  dayOf(wallMs: number): number;
  /** Minutes since Monday 00:00 in the site's time zone. */
  minuteOfWeekOf(wallMs: number): number;
}

/** `timeZone`: an IANA name that `Intl` knows; the configuration has checked it. */
export function createSiteTime(timeZone: string): SiteTime {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  // Asking Intl costs microseconds; every offset in use changes on a quarter of an hour, so one answer serves for one.
  const known = { quarter: Number.NaN, offsetMs: 0 };
  const localOf = (wallMs: number): number => {
    const quarter = Math.floor(wallMs / QUARTER_MS);
    if (quarter !== known.quarter) {
      known.offsetMs = offsetMsAt(format, quarter * QUARTER_MS);
      known.quarter = quarter;
    }
    return wallMs + known.offsetMs;
  };
  return {
    dayOf: (wallMs) => Math.floor(localOf(wallMs) / DAY_MS),
    minuteOfWeekOf: (wallMs) => {
      const localMs = localOf(wallMs);
      const day = Math.floor(localMs / DAY_MS);
      const dayOfWeek = (((day + EPOCH_DAY_OF_WEEK) % 7) + 7) % 7;
      return dayOfWeek * 1440 + Math.floor((localMs - day * DAY_MS) / MINUTE_MS);
    },
  };
}

function offsetMsAt(format: Intl.DateTimeFormat, wallMs: number): number {
  const part = Object.fromEntries(
    format.formatToParts(wallMs).map(({ type, value }) => [type, Number(value)]),
  );
  const asUtc = Date.UTC(
    part.year ?? 1970,
    (part.month ?? 1) - 1,
    part.day ?? 1,
    part.hour ?? 0,
    part.minute ?? 0,
    part.second ?? 0,
  );
  return asUtc - wallMs;
}
