/** The control socket on a real gate: what the commands that reach it are answered. */
import type { Configuration } from "../config/schema.ts";
import type { Log } from "../drivers/ports.ts";
import { readCard } from "../drivers/reads.ts";
import type { System } from "../drivers/system.ts";
import { inClear } from "./answers/identify.ts";
import type { TapRing } from "./console/tap-ring.ts";
import { type ControlMethods, type ControlServer, type ControlStreams, serveControl } from "./control.ts";
import { pathsOf } from "./data-paths.ts";
import { sightLine } from "./gate/sights.ts";
import type { House } from "./house.ts";
import { identifierOf } from "./main-console.ts";
import { osdpMethods } from "./osdp-desk.ts";
import { handRequestOf } from "./presence/presence-desk.ts";
import { siteRequestOf } from "./site/site-desk.ts";
import { inSlices } from "./slices.ts";
import { wordsOf } from "./words.ts";

interface Gate {
  house: House;
  ring: TapRing;
}

/** A socket that cannot be opened must not keep the gate shut: commands then say that the daemon does not answer. */
export async function openControl(
  configuration: Configuration,
  gate: Gate,
  world: System & { log: Log },
): Promise<ControlServer | null> {
  const { control } = pathsOf(configuration.dataDir);
  try {
    return await serveControl(
      control,
      methodsOf(configuration, gate, world),
      streamsOf(configuration, gate, world),
    );
  } catch (error) {
    world.log.error("the control socket cannot be opened: commands do not reach this daemon", {
      why: wordsOf(error),
    });
    return null;
  }
}

function methodsOf({ cards }: Configuration, { house, ring }: Gate, { clock }: System): ControlMethods {
  return {
    status: () => house.status(),
    taps: ({ since }) => ring.since(Number(since) || 0),
    lookup: ({ card }) => house.lookup(readCard(String(card), cards.issuers)),
    refresh: () => house.refresh(),
    site: (params) => house.changeSiteList(siteRequestOf(params)),
    presence: ({ olderMs }) =>
      inSlices(clock, house.presence.rollCall(typeof olderMs === "number" ? olderMs : null)),
    "presence-say": (params) => house.presence.say(handRequestOf(params)),
    ...osdpMethods({ reader: (id) => house.reader(id), note: (event, data) => house.note(event, data) }),
  };
}

function streamsOf(configuration: Configuration, { house }: Gate, { clock }: System): ControlStreams {
  const identify = identifierOf(house, configuration, clock, inClear);
  return {
    trace: ({ reader }, send) => house.watch(String(reader), (sight, stamp) => send(sightLine(sight, stamp))),
    identify: ({ reader }, send) => identify(String(reader), send),
  };
}
