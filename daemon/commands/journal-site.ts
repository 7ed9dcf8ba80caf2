/** What the journal's commands work on. */
import type { Configuration } from "../../config/schema.ts";
import type { System } from "../../drivers/system.ts";
import { pathsOf } from "../data-paths.ts";
import { ownerOf, strangerWords } from "../journal/journal-owner.ts";
import { Exit } from "./exit.ts";
import { withSite } from "./terms.ts";

/** `dir`: the journal's. */
export interface JournalSite extends System {
  configuration: Configuration;
  dir: string;
}

export function withJournal(config: string, act: (site: JournalSite) => Promise<void>): Promise<void> {
  return withSite(config, async (configuration, system) => {
    const dir = pathsOf(configuration.dataDir).journal;
    await refuseStrange(configuration, system);
    return act({ ...system, configuration, dir });
  });
}

/** Events are named after the gateway: those of another one's journal would be named wrong. */
export async function refuseStrange({ dataDir, gateway }: Configuration, { files }: System): Promise<void> {
  const dir = pathsOf(dataDir).journal;
  const why = strangerWords(await ownerOf(files, dir).catch(() => null), gateway.id, dir);
  if (why !== null) throw new Exit(1, why);
}
