import { Command } from "commander";
import { CONFIGURATION_OPTION, print, printJson, withSite } from "./terms.ts";

export function checkCommand(): Command {
  return new Command("check")
    .description(
      "every fault of a configuration at once, as FILE:LINE:COL: path: what is wrong, what is allowed",
    )
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--json", "facts for a program")
    .action(({ config, json }: { config: string; json?: true }) =>
      withSite(config, async ({ gateway, readers, accessPoints }) => {
        const facts = { gateway: gateway.id, readers: readers.length, accessPoints: accessPoints.length };
        if (json === true) printJson({ ok: true, ...facts });
        else
          print(
            `${config}: fine (${facts.gateway}: readers: ${facts.readers}, access points: ${facts.accessPoints})`,
          );
      }),
    );
}
