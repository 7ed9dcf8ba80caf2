import { Command, InvalidArgumentError } from "commander";
import type { Configuration } from "../../config/schema.ts";
import type { System } from "../../drivers/system.ts";
import { askControl } from "../control.ts";
import { pathsOf } from "../data-paths.ts";
import type { Person } from "../presence/presence.ts";
import { type HandAnswer, type HandEvent, handRequestOf, type RollCall } from "../presence/presence-desk.ts";
import { createSiteWords } from "../site/site-words.ts";
import { atOnce } from "../slices.ts";
import { cardNumber } from "./card-argument.ts";
import { csvField } from "./csv.ts";
import { Exit } from "./exit.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, printTable, withSite } from "./terms.ts";
import { whoAsks } from "./who.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface ListOptions {
  config: string;
  older?: number;
  json?: true;
  csv?: true;
}

interface SayOptions {
  config: string;
  why: string;
  at?: string;
  when?: string;
  json?: true;
}

const SAYINGS: readonly { name: string; event: HandEvent; does: string; done: string }[] = [
  { name: "enter", event: "entered", does: "somebody came in without a tap", done: "is on site" },
  { name: "leave", event: "left", does: "somebody left without a tap", done: "has left" },
];

export function presenceCommand(): Command {
  const presence = new Command("presence").description(
    "who is on site: the roll call, and what the taps did not tell",
  );
  presence
    .command("list")
    .description("everybody who came in here and has not left")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--older <hours>", "who came in longer ago stands apart (default: passback.resetMinutes)", hours)
    .option("--json", "facts for a program")
    .option("--csv", "a row a person")
    .action(list);
  for (const { name, event, does, done } of SAYINGS)
    presence
      .command(name)
      .description(`write down that ${does}; it is journaled as said by hand`)
      .argument("<card>", "a card number (BB-1234-567890)")
      .requiredOption(...CONFIGURATION_OPTION)
      .requiredOption(
        "--why <text>",
        "the reason, for the inspector; it is journaled and sent with the event",
      )
      .option("--at <access point>", "where (default: the only one that leads that way)")
      .option("--when <time>", "with its offset, as 2026-12-24T16:00:00+01:00 (default: now)")
      .option("--json", "facts for a program")
      .action((card: string, options: SayOptions) => say(event, done, card, options));
  return presence;
}

function hours(text: string): number {
  const value = /^\d{1,4}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (value <= 0) throw new InvalidArgumentError("it must be a number of hours.");
  return value;
}

// ---------------------------------------------------------------- enter, leave

function say(event: HandEvent, done: string, card: string, options: SayOptions): Promise<void> {
  return withSite(options.config, async (configuration, system) => {
    const { why, at = null, when = null, json } = options;
    const number = cardNumber(card, configuration);
    const params = { event, card: number, accessPoint: at, when, why, name: whoAsks() };
    const answer = await tell(configuration, params, system);
    if (answer.kind === "refused") throw new Exit(answer.isUsage ? 2 : 1, answer.why);
    const { word } = answer;
    if (json === true) printJson(word);
    else {
      const { minuteOf } = createSiteWords(configuration.gateway.timeZone);
      print(`${word.card}: ${done} since ${minuteOf(word.when)}, by hand`);
    }
    if (!word.isDurable)
      process.stderr.write("warning: the journal cannot be written; this is lost if the gateway stops now\n");
  });
}

/** To the running daemon, or into the journal that it has left, under the lock it would hold. */
async function tell(
  configuration: Configuration,
  params: Readonly<Record<string, unknown>>,
  system: System,
): Promise<HandAnswer> {
  const answer = await askControl(pathsOf(configuration.dataDir).control, "presence-say", params);
  if (answer.kind === "result") return answer.result as HandAnswer;
  if (answer.kind === "error") throw new Exit(1, answer.why);
  const { sayWithoutDaemon } = await import("./presence-file.ts");
  return sayWithoutDaemon(configuration, system, handRequestOf(params));
}

// ---------------------------------------------------------------- list

function list({ config, older, json, csv }: ListOptions): Promise<void> {
  return withSite(config, async (configuration, system) => {
    if (json === true && csv === true) throw new Exit(2, "--json or --csv, not both");
    const olderMs = older === undefined ? null : older * HOUR_MS;
    const rollCall = await ask(configuration, system, olderMs);
    if (json === true) printJson(rollCall);
    else if (csv === true) printCsv(rollCall);
    else printRollCall(rollCall, configuration);
    if (!rollCall.complete)
      throw new Exit(1, "the journal of the last days is not read back whole: more people may be on site");
  });
}

/** From the running daemon, or from the journal. */
async function ask(configuration: Configuration, system: System, olderMs: number | null): Promise<RollCall> {
  const answer = await askControl(pathsOf(configuration.dataDir).control, "presence", { olderMs });
  if (answer.kind === "result") return answer.result as RollCall;
  if (answer.kind === "error") throw new Exit(1, answer.why);
  const { openPresence } = await import("./presence-file.ts");
  return atOnce((await openPresence(configuration, system)).rollCall(olderMs));
}

const CSV_COLUMNS = ["card", "since", "accessPoint", "overdue", "manual", "who", "why"];

function printCsv({ people }: RollCall): void {
  print(CSV_COLUMNS.join(","));
  for (const { card, since, accessPoint, overdue, byHand } of people) {
    const row = [card, since, accessPoint, overdue, byHand !== null, byHand?.who.name, byHand?.why];
    print(row.map((value) => csvField(value, ",")).join(","));
  }
}

function printRollCall({ at, people, onSite, overdue }: RollCall, configuration: Configuration): void {
  const { site, id, timeZone } = configuration.gateway;
  const { minuteOf } = createSiteWords(timeZone);
  print(paint(`${minuteOf(at)}, ${site}, gateway ${id}, times of ${timeZone}: ${onSite} on site`, "bold"));
  const rowOf = ({ card, since, sinceTrusted, accessPoint, byHand }: Person): string[] => [
    card,
    `${minuteOf(since)}${sinceTrusted ? "" : " ?"}`,
    agoOf(Date.parse(at) - Date.parse(since)),
    accessPoint,
    byHand === null ? "" : `by hand, ${byHand.who.name}: ${byHand.why}`,
  ];
  const columns = ["card", "since", "for", "at", ""];
  printTable(columns, people.filter((person) => !person.overdue).map(rowOf));
  if (overdue === 0) return;
  print(paint(`${overdue} who came in longer ago, and may have forgotten to tap when they left`, "bold"));
  printTable(columns, people.filter((person) => person.overdue).map(rowOf));
}

function agoOf(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / MINUTE_MS));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
