import { Command } from "commander";
import type { Configuration } from "../../config/schema.ts";
import type { Reading } from "../../drivers/driver.ts";
import { readCard } from "../../drivers/reads.ts";
import type { System } from "../../drivers/system.ts";
import type { RevisionSpan } from "../../sync/card.ts";
import type { LookupAnswer } from "../answers/lookup.ts";
import { askControl } from "../control.ts";
import { pathsOf } from "../data-paths.ts";
import type { SiteWord } from "../site/site-desk.ts";
import { Exit } from "./exit.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, withSite } from "./terms.ts";

export function lookupCommand(): Command {
  return new Command("lookup")
    .description("what the list says of a card number or token, and what the person should do")
    .argument("<card>", "a card number (BB-1234-567890) or a chip UID (uid:04A1B2C3D4E5F6)")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--json", "facts for a program")
    .action((card: string, { config, json }: { config: string; json?: true }) =>
      withSite(config, async (configuration, system) => {
        const reading = readCard(card, configuration.cards.issuers);
        if (reading.kind === "misread")
          throw new Exit(2, `${reading.step}; write it like BB-1234-567890 or uid:04A1B2C3D4E5F6`);
        const answer = await ask(configuration, card, reading, system);
        if (json === true) printJson(answer);
        else printAnswer(card, answer);
      }),
    );
}

/** From the running daemon, or from what is on disk, under the lock it would hold. */
async function ask(
  configuration: Configuration,
  card: string,
  reading: Reading,
  system: System,
): Promise<LookupAnswer> {
  const answer = await askControl(pathsOf(configuration.dataDir).control, "lookup", { card });
  if (answer.kind === "result") return answer.result as LookupAnswer;
  if (answer.kind === "error") throw new Exit(1, answer.why);
  // A third of the time that a command takes, which nobody pays while the gateway runs.
  const { withStoppedGate } = await import("./stopped-gate.ts");
  return withStoppedGate(configuration, system, async (desk) => desk.lookup(reading));
}

function printAnswer(asked: string, answer: LookupAnswer): void {
  const { card, status, validUntil, since, granted, reason, texts, list, site } = answer;
  print(`${card ?? asked}: ${paint(granted ? "granted" : `refused: ${reason}`, granted ? "green" : "red")}`);
  if (status !== null)
    print(`  status    ${status}${validUntil === null ? "" : `, valid until ${validUntil}`}`);
  if (since !== null) print(`  since     ${sinceWords(since)}`);
  for (const rule of ["blocked", "allowed"] as const) {
    const word = site?.[rule] ?? null;
    if (word !== null) print(`  site      ${rule}${sentenceOf(word)}`);
  }
  print(`  svenska   ${texts.sv}`);
  print(`  English   ${texts.en}`);
  const age = list.refreshedAt === null ? "never refreshed" : `refreshed ${list.refreshedAt}`;
  print(
    `  list      ${list.revision === null ? "none" : `revision ${list.revision}, ${list.freshness}`}, ${age}`,
  );
}

function sinceWords({ after, by }: RevisionSpan): string {
  if (after === null) return `revision ${by} or before`;
  return after + 1 === by ? `revision ${by}` : `a revision after ${after}, ${by} at the latest`;
}

function sentenceOf({ until, why, who, at, atTrusted }: SiteWord): string {
  const end = until === null ? "" : ` until ${until}`;
  const reason = why === null ? "" : `: ${why}`;
  return `${end}${reason} (${who.name}, ${who.by}, ${at}${atTrusted ? "" : " by a clock not to be trusted"})`;
}
