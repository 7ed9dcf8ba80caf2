/** What a configuration says, as the house takes it. */
import { randomUUID } from "node:crypto";
import { cutOf } from "../config/reads.ts";
import type { Configuration } from "../config/schema.ts";
import { CUTS, type Cut, placeOfCut } from "../sync/index-cuts.ts";
import type { HouseSettings } from "./house-ports.ts";
import { VERSION } from "./version.ts";

/** `known`: what is no choice of the site. */
export function settingsOf(
  { gateway, dataDir, cards, readers, accessPoints, mqtt, journal }: Configuration,
  known: Pick<HouseSettings, "machine" | "tokenKeys">,
): HouseSettings {
  return {
    gateway: gateway.id,
    site: gateway.site,
    workplaceId: gateway.workplaceId ?? null,
    timeZone: gateway.timeZone,
    version: VERSION,
    boot: randomUUID(),
    ...known,
    dataDir,
    prefix: mqtt?.prefix ?? "grindvakt",
    commands: mqtt?.commands ?? [],
    homeAssistant: mqtt?.homeAssistant ?? false,
    accessPoints: accessPoints.map(({ relay, ...accessPoint }) => ({
      ...accessPoint,
      pulseMs: relay?.pulseMs ?? null,
    })),
    cards: { ...cards, cuts: cutsOf(readers) },
    journal,
  };
}

function cutsOf(readers: Configuration["readers"]): Cut[] {
  const cuts = readers.map((reader) => ("reads" in reader ? cutOf(reader.reads) : null));
  return CUTS.filter((known) => cuts.some((cut) => cut !== null && placeOfCut(cut) === placeOfCut(known)));
}
