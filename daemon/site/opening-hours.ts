/**
 * `hours` of an access point: "mon-fri 06:00-18:00", "sat 08:00-12:00", "sun 22:00-06:00" (into Monday).
 */

export const MINUTES_OF_WEEK = 7 * 24 * 60;
const MINUTES_OF_DAY = 24 * 60;
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** Half-open spans in minutes since Monday 00:00; empty: always open. */
export type OpeningHours = ReadonlyArray<{ from: number; to: number }>;

/** The configuration has checked the form of each entry; an entry of another form opens nothing. */
export function parseOpeningHours(entries: readonly string[]): OpeningHours {
  return entries.flatMap((entry) => {
    const match = /^([a-z]{3})(?:-([a-z]{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(entry.trim().toLowerCase());
    if (match === null) return [];
    const [, first = "", last = first, fromHour, fromMinute, toHour, toMinute] = match;
    const from = Number(fromHour) * 60 + Number(fromMinute);
    const to = Number(toHour) * 60 + Number(toMinute);
    const lengthMinutes = to > from ? to - from : to - from + MINUTES_OF_DAY;
    return daysBetween(DAYS.indexOf(first), DAYS.indexOf(last)).map((day) => {
      const start = day * MINUTES_OF_DAY + from;
      return { from: start, to: start + lengthMinutes };
    });
  });
}

export function isOpen(hours: OpeningHours, minuteOfWeek: number): boolean {
  if (hours.length === 0) return true;
  // A span that begins on Sunday may end on Monday: look a week later, too.
  return hours.some(
    ({ from, to }) =>
      (from <= minuteOfWeek && minuteOfWeek < to) ||
      (from <= minuteOfWeek + MINUTES_OF_WEEK && minuteOfWeek + MINUTES_OF_WEEK < to),
  );
}

function daysBetween(first: number, last: number): number[] {
  if (first < 0 || last < 0) return [];
  const days = [first];
  for (let day = first; day !== last; ) {
    day = (day + 1) % DAYS.length;
    days.push(day);
  }
  return days;
}
