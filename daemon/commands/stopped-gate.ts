/** What a gateway that does not run knows: the list that is on its disk, under the lock it would hold. */
import type { Configuration } from "../../config/schema.ts";
import { acquireLock } from "../../drivers/lock.ts";
import { createLog } from "../../drivers/log.ts";
import type { System } from "../../drivers/system.ts";
import type { BuildIndex } from "../../sync/build.ts";
import { createSync, type ListInForce } from "../../sync/sync.ts";
import { TOKEN_KEY_BYTES } from "../../sync/token-seal.ts";
import { type LookupDesk, lookup, searchFor } from "../answers/lookup.ts";
import { pathsOf } from "../data-paths.ts";
import { CannotStart, tokenKeysOf } from "../main-secrets.ts";
import { createSiteTime } from "../site/site-time.ts";
import { sealsOf } from "../token-key.ts";
import { Exit } from "./exit.ts";
import { openSiteFile } from "./site-file.ts";

/** What the gateway would make of its index, it makes itself: a file of another account's would be in its way. */
const NOTHING_BUILT: BuildIndex = {
  build: () => Promise.reject(new Error("no list is built beside the gateway")),
  merge: () => Promise.reject(new Error("no list is merged beside the gateway")),
};

/** Nobody else can start the gateway before `act` is done. */
export async function withStoppedGate<T>(
  configuration: Configuration,
  system: System,
  act: (desk: LookupDesk) => Promise<T>,
): Promise<T> {
  const { cards, dataDir, gateway } = configuration;
  await system.files.makeDirs(dataDir);
  const lock = await acquireLock(dataDir);
  if (lock === null) throw new Exit(1, `a grindvakt that does not answer runs on ${dataDir}`);
  const keys = await tokenKeysOf(configuration, system.files).catch(async (error: unknown) => {
    await lock.release();
    throw error instanceof CannotStart ? new Exit(error.exitCode, error.message) : error;
  });
  const held: { list: ListInForce | null } = { list: null };
  const sync = createSync(
    {
      ...cards,
      dir: pathsOf(dataDir).cards,
      seals: sealsOf(keys ?? { own: new Uint8Array(TOKEN_KEY_BYTES), before: null }),
    },
    {
      ...system,
      log: createLog("error"),
      build: NOTHING_BUILT,
      // Only what is on disk is asked for.
      feed: {
        refresh: async () => ({ kind: "unreachable", why: "not asked" }),
        download: async function* () {},
      },
    },
    {
      swapped: (list) => {
        held.list = list;
      },
      refreshed: () => undefined,
      refused: () => undefined,
    },
  );
  try {
    const site = await openSiteFile(configuration, system);
    await sync.start();
    const siteTime = createSiteTime(gateway.timeZone);
    return await act({
      search: (reading) => searchFor(reading, held.list),
      lookup: (reading) =>
        lookup(reading, {
          list: held.list,
          age: sync.age(),
          site,
          siteTime,
          nowMs: site.judgedMs(),
          admit: cards.admit,
          whenStale: cards.whenStale,
        }),
    });
  } finally {
    await sync.stop();
    await lock.release();
  }
}
