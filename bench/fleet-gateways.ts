/**
 * Part of a fleet, in a process of its own: gateways' real sync clients, each with its own trusted root, folder, connections
 * and place in time; and each with its own connection to the broker, to hear announcements.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { revisionOf } from "../daemon/broker/announcement.ts";
import { createBroker } from "../drivers/broker.ts";
import { createHttpSource } from "../drivers/feed-http.ts";
import { createFiles } from "../drivers/files.ts";
import { createLog } from "../drivers/log.ts";
import type { Clock } from "../drivers/ports.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../drivers/system.ts";
import { buildInPlace } from "../sync/build.ts";
import { createFeed } from "../sync/feed.ts";
import { createSync } from "../sync/sync.ts";
import { SEALS } from "./cards.ts";

export interface FleetOrder {
  /** The first gateway's number, and how many there are. */
  first: number;
  count: number;
  folder: string;
  rootPath: string;
  feedUrl: string;
  caFile: string;
  brokerUrl: string;
  /** Where announcements come. */
  topic: string;
  refreshSeconds: number;
}

/** What the processes tell. `atMs`: wall time, the same for all on this machine. */
export type FromFleet =
  | { kind: "up"; gateway: number }
  | { kind: "has"; gateway: number; revision: number; atMs: number }
  | { kind: "refused"; gateway: number; name: string; why: string };

function tell(word: FromFleet): void {
  process.send?.(word);
}

async function startGateway(gateway: number, order: FleetOrder, clock: Clock): Promise<void> {
  const random = systemRandom;
  const files = createFiles(createSystemDisk(), random);
  const log = createLog("error");
  const dir = join(order.folder, `gateway-${gateway}`);
  await files.makeDirs(dir);
  const source = createHttpSource(order.feedUrl, { tls: { ca: readFileSync(order.caFile, "utf8") } });
  const { rootPath, refreshSeconds } = order;
  const feed = createFeed({ rootPath, metadataDir: join(dir, "metadata") }, { clock, files, log, source });
  const sync = createSync(
    { refreshSeconds, lateAfterMinutes: 15, staleAfterHours: 24, dir, seals: SEALS },
    // A worker each would measure how this machine starts hundreds of threads.
    { clock, random, files, log, feed, build: buildInPlace },
    {
      swapped: ({ revision }) => tell({ kind: "has", gateway, revision, atMs: Date.now() }),
      refreshed: () => undefined,
      refused: ({ name, why }) => tell({ kind: "refused", gateway, name, why }),
    },
  );
  const will = { topic: `grindvakt/fleet/gate-${gateway}/state`, payload: "{}", retain: false };
  const broker = createBroker(
    { urls: [order.brokerUrl], clientId: `fleet-${gateway}`, will, subscriptions: [order.topic] },
    { clock, random, log },
  );
  broker.start({
    up: () => tell({ kind: "up", gateway }),
    down: () => undefined,
    received: ({ topic, payload }) => {
      if (topic === order.topic) sync.refreshSoon(revisionOf(payload));
    },
  });
  await sync.start();
}

process.on("message", async (order: FleetOrder) => {
  const clock = createSystemClock();
  await clock.start();
  for (let gateway = order.first; gateway < order.first + order.count; gateway += 1)
    await startGateway(gateway, order, clock);
});
