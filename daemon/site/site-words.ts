/** Times as the site's clock shows them, for people. */

export interface SiteWords {
  /** `2026-11-22T07:58:12.345+01:00`: with its offset, so that it is one instant also in the night the clock is set back. */
  localTime(rfc3339: string): string;
  /** `2026-11-22 07:58`. */
  minuteOf(rfc3339: string): string;
  /** `07:58:12`. */
  timeOfDay(rfc3339: string): string;
  /** `2026-11-22`, of days since 1970-01-01. */
  dayName(day: number): string;
}

export function createSiteWords(timeZone: string): SiteWords {
  const format = new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    dateStyle: "short",
    timeStyle: "medium",
  });
  const offset = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  return {
    localTime(rfc3339) {
      const ms = Date.parse(rfc3339);
      const name = offset.formatToParts(ms).find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
      const zone = name === "GMT" ? "+00:00" : name.slice("GMT".length);
      const thousandths = String(((ms % 1_000) + 1_000) % 1_000).padStart(3, "0");
      return `${format.format(ms).replace(" ", "T")}.${thousandths}${zone}`;
    },
    minuteOf: (rfc3339) => format.format(Date.parse(rfc3339)).slice(0, "2026-11-22 07:58".length),
    timeOfDay: (rfc3339) => format.format(Date.parse(rfc3339)).slice(-"07:58:12".length),
    dayName: (day) => new Date(day * 24 * 3_600_000).toISOString().slice(0, "2026-11-22".length),
  };
}
