/**
 * The site's own list as it lies in `dataDir`: for commands, with the gateway stopped, or only to read it.
 */
import type { Configuration } from "../../config/schema.ts";
import { createLog } from "../../drivers/log.ts";
import type { System } from "../../drivers/system.ts";
import { pathsOf } from "../data-paths.ts";
import { readLast } from "../journal/journal-reader.ts";
import { RESUME_LINES, resume } from "../journal/resume.ts";
import { SiteDesk } from "../site/site-desk.ts";
import { createSiteTime } from "../site/site-time.ts";
import { Exit } from "./exit.ts";

/** Whoever changes it holds the gateway's lock. */
export async function openSiteFile(configuration: Configuration, system: System): Promise<SiteDesk> {
  const { siteList, journal } = pathsOf(configuration.dataDir);
  const siteTime = createSiteTime(configuration.gateway.timeZone);
  const desk = new SiteDesk({ path: siteList, siteTime }, { ...system, log: createLog("error") });
  const found = await desk.open(system.clock.trusted() ? 0 : await floorMsOf(journal, system));
  if (found === "lost")
    throw new Exit(
      1,
      "the site list cannot be read; the gateway restores it from its journal when it starts",
    );
  return desk;
}

/** The latest trusted time that the gateway will find in its journal. */
async function floorMsOf(dir: string, { files }: System): Promise<number> {
  return (await resume(await readLast(files, dir, RESUME_LINES), "", new Set())).trustedFloorMs;
}
