/** `journal ledger`: who passed on a day, to be read at once at an unannounced visit. */
import { Ledger, type LedgerRow } from "../answers/ledger.ts";
import { createSiteTime } from "../site/site-time.ts";
import { createSiteWords, type SiteWords } from "../site/site-words.ts";
import { eachOccurrence } from "./journal-days.ts";
import type { JournalSite } from "./journal-site.ts";
import { paint, print, printJson, printTable } from "./terms.ts";

const COLUMNS = ["card", "first entry", "last exit", "entries", "exits", "by hand"];

/** `day`: days since 1970-01-01 in the site's time zone; null: today. */
export async function printLedger(site: JournalSite, day: number | null, json: boolean): Promise<void> {
  const { gateway } = site.configuration;
  const today = createSiteTime(gateway.timeZone).dayOf(site.clock.wallMs());
  const wanted = day ?? today;
  const words = createSiteWords(gateway.timeZone);
  const ledger = new Ledger();
  const finish = (): void => {
    const facts = {
      day: words.dayName(wanted),
      timeZone: gateway.timeZone,
      gateway: gateway.id,
      site: gateway.site,
      workplaceId: gateway.workplaceId ?? null,
      rows: ledger.rows(),
      refused: ledger.refused,
      unnamed: ledger.unnamed,
    };
    if (json) printJson(facts);
    else printFacts(facts, words);
  };
  await eachOccurrence(site, { from: wanted, to: wanted }, (event) => ledger.add(event), finish);
}

interface Facts {
  day: string;
  timeZone: string;
  gateway: string;
  site: string;
  workplaceId: string | null;
  rows: readonly LedgerRow[];
  refused: number;
  unnamed: number;
}

function printFacts(facts: Facts, { timeOfDay }: SiteWords): void {
  const { day, timeZone, gateway, site, workplaceId, rows, refused, unnamed } = facts;
  const place = workplaceId === null ? site : `${site} (${workplaceId})`;
  print(paint(`${day}, ${place}, gateway ${gateway}, times of ${timeZone}`, "bold"));
  const time = (rfc3339: string | null): string => (rfc3339 === null ? "-" : timeOfDay(rfc3339));
  const cells = rows.map(({ card, firstEntry, lastExit, entries, exits, manual }) => [
    card,
    time(firstEntry),
    time(lastExit),
    String(entries),
    String(exits),
    manual === 0 ? "" : String(manual),
  ]);
  printTable(COLUMNS, cells);
  const others = unnamed === 0 ? "" : `, ${unnamed} taps without a card number let in`;
  print(
    `${cells.length} ${cells.length === 1 ? "card" : "cards"} let in or out, ${refused} ${refused === 1 ? "tap" : "taps"} refused${others}`,
  );
}
