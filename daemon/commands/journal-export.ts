/** `journal export`: events of a period, for an inspector. */
import { occurredAt } from "../answers/ledger.ts";
import { type Reason, TEXTS } from "../gate/reasons.ts";
import { createSiteWords } from "../site/site-words.ts";
import { csvField } from "./csv.ts";
import { Exit } from "./exit.ts";
import { eachEvent, eachOccurrence } from "./journal-days.ts";
import type { JournalSite } from "./journal-site.ts";
import { print, printJson } from "./terms.ts";

export interface ExportOptions {
  from?: number;
  to?: number;
  format: "ndjson" | "csv";
  headings: "en" | "sv";
  time: "utc" | "local";
}

interface Column {
  field: string;
  heading: string;
}

const COLUMNS: readonly Column[] = [
  { field: "seq", heading: "löpnummer" },
  { field: "time", heading: "tid" },
  { field: "workplaceId", heading: "byggarbetsplatsnummer" },
  { field: "accessPoint", heading: "passage" },
  { field: "direction", heading: "riktning" },
  { field: "reader", heading: "läsare" },
  { field: "card", heading: "kort" },
  { field: "granted", heading: "insläppt" },
  { field: "reason", heading: "skäl" },
];

/** What a Swedish spreadsheet takes for a list: semicolons, for the comma parts decimals, and a mark that says UTF-8. */
const SWEDISH = { separator: ";", mark: "\ufeff" };
const SWEDISH_VALUES: Readonly<Record<string, string>> = {
  entry: "in",
  exit: "ut",
  true: "ja",
  false: "nej",
};

export async function exportPeriod(site: JournalSite, options: ExportOptions): Promise<void> {
  const { from = null, to = null, format, headings, time } = options;
  if (from !== null && to !== null && to < from)
    throw new Exit(2, "--to is before --from: there are no such days");
  if (format === "ndjson" && (headings !== "en" || time !== "utc"))
    throw new Exit(2, "--headings and --time are for --format csv; events are printed as they were sent");
  if (format === "ndjson")
    return eachEvent(site, { from, to }, (event) => {
      printJson(event);
      return drained();
    });
  const words = createSiteWords(site.configuration.gateway.timeZone);
  print(headLine(headings));
  await eachOccurrence(site, { from, to }, (event) => {
    const at = time === "local" ? words.localTime(occurredAt(event)) : occurredAt(event);
    if (event.type === "grindvakt.tap.v1") print(row({ ...event.data, time: at }, headings));
    else if (event.data.manual === true) print(row({ ...event.data, time: at, reason: "manual" }, headings));
    return drained();
  });
}

function headLine(headings: "en" | "sv"): string {
  if (headings === "en") return COLUMNS.map(({ field }) => field).join(",");
  const names = [...COLUMNS.map(({ heading }) => heading), "besked"];
  return `${SWEDISH.mark}${names.join(SWEDISH.separator)}`;
}

function row(facts: Readonly<Record<string, unknown>>, headings: "en" | "sv"): string {
  const values = COLUMNS.map(({ field }) => facts[field]);
  if (headings === "en") return values.map((value) => csvField(value, ",")).join(",");
  const told = facts.reason === "manual" ? `För hand: ${facts.why}` : TEXTS[facts.reason as Reason]?.sv;
  return [...values.map((value) => SWEDISH_VALUES[String(value)] ?? value), told]
    .map((value) => csvField(value, SWEDISH.separator))
    .join(SWEDISH.separator);
}

/** Waits while whoever reads our output is behind: a journal of gigabytes must not pile up in memory. */
function drained(): Promise<void> | void {
  if (process.stdout.writableNeedDrain) return new Promise((go) => process.stdout.once("drain", () => go()));
}
