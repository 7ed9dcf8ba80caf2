import { Command, InvalidArgumentError, Option } from "commander";
import type { Configuration } from "../../config/schema.ts";
import { readEntries, readLast } from "../journal/journal-reader.ts";
import type { Entry } from "../journal/journal-segments.ts";
import { type CloudEvent, eventOfLine } from "../journal/record.ts";
import { type ExportOptions, exportPeriod } from "./journal-export.ts";
import { printLedger } from "./journal-ledger.ts";
import { type JournalSite, withJournal } from "./journal-site.ts";
import { verifySite } from "./journal-verify.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, wholeNumber } from "./terms.ts";

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
    .description(
      "events of a period, for an inspector, on standard output; exit 1 where the journal is not whole",
    )
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--from <day>", "first day, YYYY-MM-DD in the site's time zone", day)
    .option("--to <day>", "last day, inclusive", day)
    .addOption(
      new Option("--format <format>", "whole events, or taps").choices(["ndjson", "csv"]).default("ndjson"),
    )
    .addOption(new Option("--json", "whole events, as without --format").conflicts("format"))
    .addOption(
      new Option(
        "--headings <language>",
        "of a CSV: the events' own names, or Swedish, for a Swedish spreadsheet",
      )
        .choices(["en", "sv"])
        .default("en"),
    )
    .addOption(
      new Option("--time <zone>", "of a CSV: UTC, or the site's own")
        .choices(["utc", "local"])
        .default("utc"),
    )
    .action(({ config, ...wanted }: Options & ExportOptions) =>
      withJournal(config, (site) => exportPeriod(site, wanted)),
    );
  journal
    .command("ledger")
    .description("who passed on a day, by card: first entry and last exit")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--day <day>", "YYYY-MM-DD in the site's time zone (default: today)", day)
    .option("--json", "facts for a program")
    .action(({ config, day: wanted, json }: Options & { day?: number }) =>
      withJournal(config, (site) => printLedger(site, wanted ?? null, json === true)),
    );
  return journal;
}

interface Options {
  config: string;
  json?: true;
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

// ---------------------------------------------------------------- helpers

function eventOf({ line, chain }: Entry, { gateway }: Configuration): CloudEvent {
  return eventOfLine(line, chain, { gateway: gateway.id, site: gateway.site });
}

/** Days since 1970-01-01. */
function day(text: string): number {
  const atMs = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // `Date.parse` takes the 31st of February for a day in March.
  const isDay = !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
  if (!isDay) throw new InvalidArgumentError("it must be a day like 2026-11-22.");
  return atMs / DAY_MS;
}
