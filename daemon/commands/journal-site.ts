/** What the journal's commands work on. */
import type { Configuration } from "../../config/schema.ts";
import type { System } from "../../drivers/system.ts";
import { pathsOf } from "../house.ts";
import { withSite } from "./terms.ts";

/** `dir`: the journal's. */
export interface JournalSite extends System {
  configuration: Configuration;
  dir: string;
}

export function withJournal(config: string, act: (site: JournalSite) => Promise<void>): Promise<void> {
  return withSite(config, (configuration, system) =>
    act({ ...system, configuration, dir: pathsOf(configuration.dataDir).journal }),
  );
}
