import { Command } from "commander";
import { candidatesOf } from "../../drivers/candidates.ts";
import { readCard } from "../../drivers/reads.ts";
import { type Identified, Identifier, inClear, Search, type Way } from "../answers/identify.ts";
import type { SightLine } from "../gate/sights.ts";
import { Exit } from "./exit.ts";
import { untilStopped, watchReader } from "./reader-watch.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, withSite } from "./terms.ts";

interface Options {
  config: string;
  reader: string;
  card?: string;
  json?: true;
}

export function identifyCommand(): Command {
  return new Command("identify")
    .description(
      "every reading of the next taps, which of them the list knows, and the `reads` to write, until Ctrl-C",
    )
    .requiredOption(...CONFIGURATION_OPTION)
    .requiredOption("--reader <id>", "which reader")
    .option("--card <card>", "the number of the card that is tapped: ends when its setting is found")
    .option("--json", "facts for a program, one a line")
    .action(({ config, reader, card, json }: Options) =>
      withSite(config, (configuration, system) => {
        const { issuers } = configuration.cards;
        const wanted = card === undefined ? null : numberOf(card, issuers);
        const search = new Search(wanted);
        return untilStopped((signal) => {
          const found = new AbortController();
          const take = (identified: Identified, notSent: number): void => {
            const settings = search.add(identified.ways);
            const leftOut = identified.leftOut + notSent;
            if (json === true) printJson({ ...identified, settings, leftOut });
            else printIdentified({ ...identified, leftOut }, settings, wanted);
            if (wanted !== null && settings.length > 0) found.abort();
          };
          const watch = {
            stream: "identify",
            reader,
            take,
            watcher: (desk) => {
              const identifier = new Identifier({
                clock: system.clock,
                desk,
                nameToken: inClear,
                candidatesOf: (sight) => candidatesOf(sight, issuers),
              });
              return (sight, stamp) => identifier.take(sight, stamp, (identified) => take(identified, 0));
            },
            prompt: `tap ${wanted ?? "a card that is on the list"} at ${reader}`,
          } satisfies Parameters<typeof watchReader<Identified>>[2];
          return watchReader(configuration, system, watch, AbortSignal.any([signal, found.signal]));
        });
      }),
    );
}

function numberOf(card: string, issuers: readonly string[]): string {
  const reading = readCard(card, issuers);
  if (reading.kind === "credential" && reading.credential.kind === "number") return reading.credential.number;
  throw new Exit(2, "--card takes the number that is printed on the card, like BB-1234-567890");
}

function printIdentified(
  { sight, ways, leftOut }: Identified,
  settings: readonly (string | null)[],
  wanted: string | null,
): void {
  print(`${paint(sight.time.slice(11, 23), "dim")}  ${shown(sight)}`);
  for (const way of ways) print(`  ${wayLine(way)}`);
  if (ways.length === 0) print("  nothing that could be a card");
  if (leftOut > 0) print(`… ${leftOut} more came too fast to be looked up`);
  print(adviceOf(settings, wanted));
}

function shown({ kind, text, hex, countBits }: SightLine): string {
  if (kind === "text") return `text ${JSON.stringify(text)}`;
  return kind === "bits" ? `${countBits} bits, ${hex}` : `uid ${(hex ?? "").toUpperCase()}`;
}

function wayLine({ setting, shows, card, reason }: Way): string {
  const columns = `${(setting ?? "(no setting)").padEnd(50)} ${shows.padEnd(40)}`;
  return card === null
    ? paint(`${columns} ${reason}`, "dim")
    : paint(`${columns} ${card}, ${reason}`, "green");
}

function adviceOf(settings: readonly (string | null)[], wanted: string | null): string {
  const [first, ...more] = settings;
  if (first === undefined) {
    return wanted === null
      ? "no reading is on the list: is the card, and the chip of it? Tap another one, or say which it is with --card"
      : `no reading leads to ${wanted}: has the list its chip (lookup ${wanted})?`;
  }
  if (first === null) return "this reader gives whole UIDs, and has no setting to write";
  // What fits whole fits cut, too: that is no doubt.
  const others = first.includes("cut:")
    ? more
    : more.filter((setting) => setting?.includes("cut:") === false);
  const line = `write it as    reads: ${first}`;
  return others.length === 0
    ? line
    : `${line}\nor, as likely: ${others.join(" or ")}: tap another card to tell`;
}
