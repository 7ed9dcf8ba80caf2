/** Events of some days at the site, read from the journal as it lies on disk, with the gateway running or stopped. */
import { occurredAt } from "../answers/ledger.ts";
import { readCursor } from "../broker/outbox-cursor.ts";
import { pathsOf } from "../data-paths.ts";
import { readPeriod } from "../journal/journal-period.ts";
import { type CloudEvent, eventOfLine } from "../journal/record.ts";
import { REMEMBERED_MS } from "../presence/presence.ts";
import { createSiteTime } from "../site/site-time.ts";
import { Exit } from "./exit.ts";
import type { JournalSite } from "./journal-site.ts";

const DAY_MS = 24 * 3_600_000;
/** Further faults would say no more. */
const FAULTS_SAID_MAX = 3;

/** Days since 1970-01-01 in the site's time zone, both inclusive; null: no bound. */
export interface Days {
  from: number | null;
  to: number | null;
}

/**
 * `eachEvent`, by the day on which it happened: what is said by hand tells of a day before it was written, by no more than
 * `REMEMBERED_MS`.
 */
export function eachOccurrence(
  site: JournalSite,
  { from, to }: Days,
  show: (event: CloudEvent) => Promise<void> | void,
  finish?: () => void,
): Promise<void> {
  const siteTime = createSiteTime(site.configuration.gateway.timeZone);
  const showOfTheDays = (event: CloudEvent): Promise<void> | void => {
    const day = siteTime.dayOf(Date.parse(occurredAt(event)));
    if ((from === null || day >= from) && (to === null || day <= to)) return show(event);
  };
  const writtenTo = to === null ? null : to + Math.ceil(REMEMBERED_MS / DAY_MS);
  return eachEvent(site, { from, to: writtenTo }, showOfTheDays, finish);
}

/** Calls `show` for each, in order. Ends with exit 1, after all that can be read was shown, where the journal is not whole. */
export async function eachEvent(
  { files, dir, configuration }: JournalSite,
  { from, to }: Days,
  show: (event: CloudEvent) => Promise<void> | void,
  finish: () => void = () => undefined,
): Promise<void> {
  const { gateway, dataDir } = configuration;
  const siteTime = createSiteTime(gateway.timeZone);
  const [fromDay, toDay] = [from ?? Number.NEGATIVE_INFINITY, to ?? Number.POSITIVE_INFINITY];
  const acknowledgedSeq = await readCursor(files, pathsOf(dataDir).cursor).catch(() => 0);
  // A day at the site is not a day in UTC: a day more on each side, and the lines themselves decide.
  const period = { fromMs: (fromDay - 1) * DAY_MS, toMs: (toDay + 2) * DAY_MS, acknowledgedSeq };
  const faults: string[] = [];
  for await (const { line, chain } of readPeriod(files, dir, period, (what) => faults.push(what))) {
    const event = eventOfLine(line, chain, { gateway: gateway.id, site: gateway.site });
    const day = siteTime.dayOf(Date.parse(event.time));
    if (day >= fromDay && day <= toDay) await show(event);
  }
  finish();
  if (faults.length === 0) return;
  const more = faults.length > FAULTS_SAID_MAX ? `; and ${faults.length - FAULTS_SAID_MAX} more` : "";
  const said = `${faults.slice(0, FAULTS_SAID_MAX).join("; ")}${more}`;
  throw new Exit(
    1,
    `the journal is not whole, and what was printed is what can be read of it: ${said}. grindvakt journal verify tells more`,
  );
}
