import { Command } from "commander";
import type { Configuration } from "../../config/schema.ts";
import type { System } from "../../drivers/system.ts";
import type { SiteChange, SiteEvent } from "../../sync/site-change.ts";
import { askControl } from "../control.ts";
import { pathsOf } from "../data-paths.ts";
import { type SiteAnswer, siteRequestOf } from "../site/site-desk.ts";
import { createSiteWords, type SiteWords } from "../site/site-words.ts";
import { cardNumber } from "./card-argument.ts";
import { Exit } from "./exit.ts";
import { withLock } from "./lock.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, printTable, withSite } from "./terms.ts";
import { whoAsks } from "./who.ts";

interface Options {
  config: string;
  until?: string;
  why?: string;
  json?: true;
}

/** What each command does, and what it says when it has. */
const CHANGES: readonly { name: string; event: SiteEvent; does: string; done: string; hasEnd: boolean }[] = [
  {
    name: "block",
    event: "site-blocked",
    does: "refuse a card at this site, whatever the card list says",
    done: "blocked",
    hasEnd: true,
  },
  {
    name: "unblock",
    event: "site-unblocked",
    does: "take a block back",
    done: "not blocked",
    hasEnd: false,
  },
  {
    name: "allow",
    event: "site-allowed",
    does: "admit a card, where cards.admit is site-allowed",
    done: "allowed",
    hasEnd: true,
  },
  {
    name: "disallow",
    event: "site-disallowed",
    does: "take an allowance back",
    done: "not allowed",
    hasEnd: false,
  },
];

export function siteCommand(): Command {
  const site = new Command("site").description("the site's own list: cards it blocks, and cards it allows");
  for (const { name, event, does, done, hasEnd } of CHANGES) {
    const command = site
      .command(name)
      .description(does)
      .argument("<card>", "a card number (BB-1234-567890)")
      .requiredOption(...CONFIGURATION_OPTION)
      .option("--why <text>", "the reason, for the next person; it is journaled and sent with the event")
      .option("--json", "facts for a program");
    if (hasEnd)
      command.option(
        "--until <day or time>",
        "the last day (2026-12-24), or a time with its offset (2026-12-24T18:00:00+01:00)",
      );
    command.action((card: string, options: Options) => change(event, done, card, options));
  }
  site
    .command("list")
    .description("everything on the list, or what it says of one card")
    .argument("[card]", "a card number (BB-1234-567890)")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--json", "facts for a program")
    .action(list);
  return site;
}

// ---------------------------------------------------------------- block, unblock, allow, disallow

function change(event: SiteEvent, done: string, card: string, options: Options): Promise<void> {
  return withSite(options.config, async (configuration, system) => {
    const { until = null, why = null } = options;
    const params = { event, card: cardNumber(card, configuration), until, why, name: whoAsks() };
    const { answer, isRunning } = await ask(configuration, params, system);
    if (answer.kind === "refused") throw new Exit(answer.isUsage ? 2 : 1, answer.why);
    const { untilMs: _, ...made } = answer.change;
    if (options.json === true) return printJson({ ...made, isRunning });
    const { minuteOf } = createSiteWords(configuration.gateway.timeZone);
    const end = made.until === null ? "" : ` until ${endOf(made.until, minuteOf)}`;
    const when = isRunning ? "" : ", from when the gateway starts";
    print(
      `${made.card}: ${paint(`${done} by this site`, event === "site-blocked" ? "red" : "green")}${end}${when}`,
    );
    if (event === "site-allowed" && configuration.cards.admit === "listed")
      process.stderr.write(
        "warning: cards.admit is listed, so the site admits cards it has not allowed, too\n",
      );
  });
}

/** Of the running gateway, or of what lies on disk, under the lock that the gateway would hold. */
async function ask(
  configuration: Configuration,
  params: Readonly<Record<string, unknown>>,
  system: System,
): Promise<{ answer: SiteAnswer; isRunning: boolean }> {
  const { dataDir } = configuration;
  const answer = await askControl(pathsOf(dataDir).control, "site", params);
  if (answer.kind === "result") return { answer: answer.result as SiteAnswer, isRunning: true };
  if (answer.kind === "error") throw new Exit(1, answer.why);
  return withLock(dataDir, system, async () => {
    const { openSiteFile } = await import("./site-file.ts");
    const desk = await openSiteFile(configuration, system);
    return { answer: await desk.change(siteRequestOf(params)), isRunning: false };
  });
}

// ---------------------------------------------------------------- list

const COLUMNS = ["number", "rule", "until", "why", "who", "when"];

/** From the file, which has at least what is in force, whether the gateway runs or not. */
function list(card: string | undefined, { config, json }: Options): Promise<void> {
  return withSite(config, async (configuration, system) => {
    const number = card === undefined ? null : cardNumber(card, configuration);
    const { openSiteFile } = await import("./site-file.ts");
    const desk = await openSiteFile(configuration, system);
    const entries = desk
      .all()
      .filter((entry) => number === null || entry.card === number)
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    if (json === true) printJson({ entries: entries.map(({ untilMs: _, ...entry }) => entry) });
    else if (entries.length > 0) printEntries(entries, configuration);
    else
      print(
        number === null ? "the site blocks nobody and allows nobody" : `${number} is not on the site list`,
      );
  });
}

function keyOf({ card, event }: SiteChange): string {
  return `${card} ${event}`;
}

function printEntries(entries: readonly SiteChange[], { gateway }: Configuration): void {
  const { minuteOf } = createSiteWords(gateway.timeZone);
  const rows = entries.map((entry) => [
    entry.card,
    entry.event === "site-blocked" ? "block" : "allow",
    entry.until === null ? "" : endOf(entry.until, minuteOf),
    entry.why ?? "",
    `${entry.who.name} (${entry.who.by})`,
    `${minuteOf(entry.at)}${entry.atTrusted ? "" : " ?"}`,
  ]);
  printTable(COLUMNS, rows);
}

/** A day as it was said, an instant by the site's clock. */
function endOf(until: string, minuteOf: SiteWords["minuteOf"]): string {
  return until.includes("T") ? minuteOf(until) : until;
}
