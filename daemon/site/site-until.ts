/**
 * Until when something of the site's list applies, as a person says it: the last day, inclusive, in the site's time
 * zone, or an instant as RFC 3339 has it.
 */
import type { SiteTime } from "./site-time.ts";

export interface Until {
  /** As it is kept and shown: `2026-12-24`, or RFC 3339 in UTC. */
  until: string;
  /** The first instant at which it does not apply any more. */
  untilMs: number;
}

const DAY_MS = 24 * 3_600_000;
/** Time zones change their offset on quarters of an hour. */
const QUARTER_MS = 15 * 60_000;
/** No time zone is further from UTC. */
const OFFSET_MS_MAX = 15 * 3_600_000;

const DAY = /^\d{4}-\d\d-\d\d$/;
/** RFC 3339, section 5.6. */
const INSTANT = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i;

/** Null for what is neither. */
export function readUntil(text: string, siteTime: SiteTime): Until | null {
  if (DAY.test(text))
    return isDay(text) ? { until: text, untilMs: endOfDay(Date.parse(text) / DAY_MS, siteTime) } : null;
  const untilMs = readInstant(text);
  return untilMs === null ? null : { until: new Date(untilMs).toISOString(), untilMs };
}

/** An instant, with its offset, in milliseconds since 1970; null for anything else. */
export function readInstant(text: string): number | null {
  const day = INSTANT.exec(text)?.[1];
  if (day === undefined || !isDay(day)) return null;
  const atMs = Date.parse(text.toUpperCase());
  return Number.isNaN(atMs) ? null : atMs;
}

/** `Date.parse` takes the 31st of February for a day in March. */
function isDay(text: string): boolean {
  const atMs = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
}

/** The first instant after this day, in days since 1970-01-01, is over at the site. */
function endOfDay(day: number, siteTime: SiteTime): number {
  let atMs = (day + 1) * DAY_MS - OFFSET_MS_MAX;
  while (siteTime.dayOf(atMs) <= day) atMs += QUARTER_MS;
  return atMs;
}
