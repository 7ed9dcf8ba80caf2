import { Command, InvalidArgumentError } from "commander";
import type { Configuration } from "../../config/schema.ts";
import { readEntries, readLast, readPeriod } from "../journal-reader.ts";
import type { Entry } from "../journal-segments.ts";
import { type CloudEvent, eventOfLine } from "../record.ts";
import { createSiteTime } from "../site-time.ts";
import { Exit } from "./exit.ts";
import { type JournalSite, withJournal } from "./journal-site.ts";
import { verifySite } from "./journal-verify.ts";
import { CONFIGURATION_OPTION, paint, print, printJson } from "./terms.ts";

const DAY_MS = 24 * 3_600_000;
const FOLLOW_MS = 500;
const LINES_DEFAULT = 10;

export function journalCommand(): Command {
  const journal = new Command("journal").description("prove, follow or export what was written down");
  journal
    .command("verify")
    .description("prove the chain: no line changed, missing or out of order")
    .requiredOption(...CONFIGURATION_OPTION)
    .option(
      "--against <events>",
      "also hold it against a centre's events, one JSON object a line; - is standard input",
    )
    .option("--json", "facts for a program")
    .action(({ config, against, json }: Options & { against?: string }) =>
      withJournal(config, (site) => verifySite(site, against ?? null, json === true)),
    );
  journal
    .command("tail")
    .description("print the last lines and follow, until Ctrl-C")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("-n, --lines <count>", "how many lines to begin with", wholeNumber, LINES_DEFAULT)
    .option("--no-follow", "end after these lines")
    .option("--json", "whole events, one a line")
    .action(({ config, json, lines, follow }: Options & { lines: number; follow: boolean }) =>
      withJournal(config, (site) => tail(site, lines, follow, json === true)),
    );
  journal
    .command("export")
    .description("events of a period, for an inspector, on standard output")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--from <day>", "first day, YYYY-MM-DD in the site's time zone", day)
    .option("--to <day>", "last day, inclusive", day)
    .option("--format <format>", "ndjson (whole events) or csv (taps)", format, "ndjson")
    .action(({ config, ...period }: Options & Period) =>
      withJournal(config, (site) => exportPeriod(site, period)),
    );
  return journal;
}

interface Options {
  config: string;
  json?: true;
}

interface Period {
  from?: number;
  to?: number;
  format: "ndjson" | "csv";
}

// ---------------------------------------------------------------- tail

async function tail(
  { clock, files, dir, configuration }: JournalSite,
  lines: number,
  follow: boolean,
  json: boolean,
): Promise<void> {
  const show = (event: CloudEvent): void => (json ? printJson(event) : print(sentence(event)));
  let next = 1;
  const showAll = async (entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<void> => {
    for await (const entry of entries) {
      show(eventOf(entry, configuration));
      next = entry.line.seq + 1;
    }
  };
  const last = await readLast(files, dir, Math.max(lines, 1));
  next = (last.at(-1)?.line.seq ?? 0) + 1;
  await showAll(last.slice(Math.max(0, last.length - lines)));
  while (follow) {
    await new Promise<void>((go) => clock.after(FOLLOW_MS, go));
    await showAll(readEntries(files, dir, next, Number.POSITIVE_INFINITY));
  }
}

/** One line for a person: when, where, what. */
function sentence({ time, subject, type, data }: CloudEvent): string {
  const facts = data as {
    card?: string | null;
    granted?: boolean;
    reason?: string;
    credential?: { kind: string } | null;
    /** How far the reading got, where it led to no credential. */
    step?: string;
    event?: string;
    why?: string | null;
    /** Of a change of the site's list. */
    until?: string | null;
    who?: { name: string };
    seq?: number;
  };
  const until = facts.until ? ` until ${facts.until}` : "";
  const by = facts.who === undefined ? "" : ` by ${facts.who.name}`;
  const what =
    facts.reason === undefined
      ? `${facts.card ?? type.split(".")[1]} ${facts.event ?? ""}${until}${by}`
      : `${facts.card ?? (facts.credential?.kind === "token" ? "a chip" : "-")} ${paint(facts.reason, facts.granted === true ? "green" : "red")}`;
  const note = facts.step ?? facts.why;
  return `${paint(String(facts.seq).padStart(6), "dim")} ${time} ${subject.padEnd(12)} ${what}${note ? `: ${note}` : ""}`;
}

// ---------------------------------------------------------------- export

const CSV_COLUMNS = [
  "seq",
  "time",
  "workplaceId",
  "accessPoint",
  "direction",
  "reader",
  "card",
  "granted",
  "reason",
];

async function exportPeriod(
  { files, dir, configuration }: JournalSite,
  { from, to, format }: Period,
): Promise<void> {
  if (from !== undefined && to !== undefined && to < from)
    throw new Exit(2, "--to is before --from: there are no such days");
  const siteTime = createSiteTime(configuration.gateway.timeZone);
  if (format === "csv") print(CSV_COLUMNS.join(","));
  // A day at the site is not a day in UTC: a day more on each side, and the lines themselves decide.
  const fromMs = ((from ?? Number.NEGATIVE_INFINITY) - 1) * DAY_MS;
  const toMs = ((to ?? Number.POSITIVE_INFINITY) + 2) * DAY_MS;
  for await (const entry of readPeriod(files, dir, fromMs, toMs)) {
    const event = eventOf(entry, configuration);
    const today = siteTime.dayOf(Date.parse(event.time));
    if (today < (from ?? Number.NEGATIVE_INFINITY) || today > (to ?? Number.POSITIVE_INFINITY)) continue;
    if (format === "ndjson") printJson(event);
    else if (event.type === "grindvakt.tap.v1") print(csvRow({ ...event.data, time: event.time }));
    await drained();
  }
}

function csvRow(facts: Record<string, unknown>): string {
  return CSV_COLUMNS.map((column) => csvField(facts[column])).join(",");
}

/** RFC 4180; a leading character that a spreadsheet would take for a formula is quoted by an apostrophe. */
function csvField(value: unknown): string {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Waits while whoever reads our output is behind: a journal of gigabytes must not pile up in memory. */
function drained(): Promise<void> | void {
  if (process.stdout.writableNeedDrain) return new Promise((go) => process.stdout.once("drain", () => go()));
}

// ---------------------------------------------------------------- helpers

function eventOf({ line, chain }: Entry, { gateway }: Configuration): CloudEvent {
  return eventOfLine(line, chain, { gateway: gateway.id, site: gateway.site });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("it must be a whole number.");
  return Number(text);
}

/** Days since 1970-01-01. */
function day(text: string): number {
  const atMs = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // `Date.parse` takes the 31st of February for a day in March.
  const isDay = !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
  if (!isDay) throw new InvalidArgumentError("it must be a day like 2026-11-22.");
  return atMs / DAY_MS;
}

function format(text: string): "ndjson" | "csv" {
  if (text !== "ndjson" && text !== "csv") throw new InvalidArgumentError("it must be ndjson or csv.");
  return text;
}
