import { Command } from "commander";
import type { Configuration } from "../../config/schema.ts";
import { acquireLock } from "../../drivers/lock.ts";
import { createLog } from "../../drivers/log.ts";
import type { System } from "../../drivers/system.ts";
import { devicesOf } from "../main-devices.ts";
import { CannotStart } from "../main-secrets.ts";
import { within } from "../within.ts";
import { wordsOf } from "../words.ts";
import { Exit } from "./exit.ts";
import { CONFIGURATION_OPTION, print, printJson, withSite } from "./terms.ts";

/** A device that has not taken its release by then is not waited for: the service is to start again. */
const RELEASE_MS_MAX = 8_000;

interface Released {
  accessPoint: string;
  released: boolean;
  why: string | null;
}

export function releaseCommand(): Command {
  return new Command("release")
    .description("releases every relay of a gateway that does not run; what its unit does after each end")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--json", "facts for a program")
    .action(({ config, json }: { config: string; json?: true }) =>
      withSite(config, async (configuration, system) => {
        const found = await releaseAll(configuration, system);
        if (json === true) printJson({ ok: found.every(({ released }) => released), relays: found });
        else for (const row of found) print(lineOf(row));
        if (found.some(({ released }) => !released)) throw new Exit(1, "");
      }),
    );
}

function lineOf({ accessPoint, released, why }: Released): string {
  return `relay of ${accessPoint}: ${released ? "released" : `not released: ${why}`}`;
}

async function releaseAll(configuration: Configuration, system: System): Promise<Released[]> {
  const { dataDir, accessPoints } = configuration;
  const lock = await acquireLock(dataDir).catch(() => "none" as const);
  if (lock === null) throw new Exit(1, `the gateway runs on ${dataDir}, and has its relays in hand`);
  try {
    const { createRelay } = await devicesOf(configuration, { ...system, log: createLog("error") });
    const ids = accessPoints.flatMap(({ id, relay }) => (relay === undefined ? [] : [id]));
    return await Promise.all(ids.map((id) => release(id, createRelay, system)));
  } catch (error) {
    if (error instanceof CannotStart) throw new Exit(error.exitCode, error.message);
    throw error;
  } finally {
    if (lock !== "none") await lock.release();
  }
}

type CreateRelay = Awaited<ReturnType<typeof devicesOf>>["createRelay"];

/** To start a relay is to release it first; to stop it, too. */
async function release(accessPoint: string, createRelay: CreateRelay, { clock }: System): Promise<Released> {
  const nothing = (): void => undefined;
  const released: Released = { accessPoint, released: true, why: null };
  const failed = (why: string): Released => ({ accessPoint, released: false, why });
  let tell: (outcome: Released) => void = nothing;
  const told = new Promise<Released>((resolve) => {
    tell = resolve;
  });
  const late = clock.after(RELEASE_MS_MAX, () => tell(failed("it does not answer")));
  try {
    const relay = await createRelay(accessPoint, {
      energised: nothing,
      released: nothing,
      failed: nothing,
      up: () => tell(released),
      down: (why) => tell(failed(why)),
    });
    void relay.start();
    const outcome = await told;
    await within(clock, RELEASE_MS_MAX, relay.stop());
    return outcome;
  } catch (error) {
    return failed(wordsOf(error));
  } finally {
    late.cancel();
  }
}
