/** The desk of a site's list on a simulated disk, and a request to it. */
import { SiteDesk, type SiteRequest } from "../../daemon/site/site-desk.ts";
import { createSiteTime } from "../../daemon/site/site-time.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimClock, type SimClockOptions } from "../sim/clock.ts";
import type { SimDisk } from "../sim/disk.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";

export const FILE = "/data/site-list.json";
export const [A, B] = ["BB-2611-000001", "BB-2611-000002"] as const;
export const HOUR_MS = 3_600_000;

export function request(more: Partial<SiteRequest> = {}): SiteRequest {
  return {
    event: "site-blocked",
    card: A,
    until: null,
    why: null,
    who: { by: "command", name: "anna" },
    ...more,
  };
}

/** A desk on a disk; the clock shows Monday morning, 2026-11-23T06:00:00Z, unless told. */
export async function deskOn(disk: SimDisk, options: SimClockOptions = {}, floorMs = 0) {
  const clock = new SimClock(options);
  const log = new SimLog();
  const files = createFiles(disk, new SimRandom(1));
  await files.makeDirs("/data");
  const desk = new SiteDesk(
    { path: FILE, siteTime: createSiteTime("Europe/Stockholm") },
    { clock, files, log },
  );
  const found = await desk.open(floorMs);
  return { desk, clock, log, found };
}
