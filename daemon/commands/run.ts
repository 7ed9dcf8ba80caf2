import { Command } from "commander";
import { keepHeapSmall } from "../../drivers/heap.ts";
import { createLog } from "../../drivers/log.ts";
import type { Clock, Log } from "../../drivers/ports.ts";
import { createServiceManager } from "../../drivers/service-manager.ts";
import { createSystem } from "../../drivers/system.ts";
import { type Daemon, startDaemon } from "../main.ts";
import { CannotStart } from "../main-secrets.ts";
import type { Status } from "../report/status.ts";
import { Watchdog } from "../watchdog.ts";
import { systemWords } from "../words.ts";
import { Exit } from "./exit.ts";
import { CONFIGURATION_OPTION, loadSite } from "./terms.ts";

/** After something broke that must not, the relays get this long to be released before the process ends. */
const LAST_RELEASE_MS = 2_000;
/** Where nobody watches, the line about the gate is renewed this often. */
const STATUS_MS = 60_000;

export function runCommand(): Command {
  return new Command("run")
    .description("the daemon: reads, decides, writes down, opens and reports until it is told to stop")
    .requiredOption(...CONFIGURATION_OPTION)
    .action(async ({ config }: { config: string }) => {
      keepHeapSmall();
      const system = await createSystem();
      const configuration = await loadSite(config, system.files);
      const log = createLog(configuration.log.level);
      // Listened to before anything moves: who is told to stop while starting must release its relays, too.
      const told = untilTold((error) => log.error("broken, and stopping", { why: String(error) }));
      const daemon = await startDaemon(configuration, { ...system, log }, () => undefined).catch(
        (error: unknown) => {
          if (error instanceof CannotStart) throw new Exit(error.exitCode, error.message);
          throw new Exit(1, `cannot start: ${systemWords(error)}`);
        },
      );
      log.info("grindvakt runs", { gateway: configuration.gateway.id, console: daemon.consoleUrl });
      const service = tellManager(daemon, { clock: system.clock, log });
      const why = await told;
      log.info("stopping", { why });
      service.stopping();
      await daemon.stop();
      system.stop();
      log.info("stopped");
      // Whatever a library still holds open must not keep a stopped gateway alive.
      process.exit(why === "broken" ? 1 : 0);
    });
}

/** Tells systemd, where it started us, that the gate decides, and then that it still does. */
function tellManager(daemon: Daemon, world: { clock: Clock; log: Log }): { stopping(): void } {
  const manager = createServiceManager(process.env, (why) =>
    world.log.warn("the service manager cannot be told how the gate is", { why }),
  );
  if (manager === null) return { stopping: () => undefined };
  manager.tell("READY", summaryOf(daemon.status()));
  const watchdog = new Watchdog(manager.feedMs ?? STATUS_MS, world, {
    standstill: () => daemon.standstill(),
    feed: () => manager.tell("WATCHDOG", summaryOf(daemon.status())),
  });
  watchdog.start();
  return {
    stopping: () => {
      watchdog.stop();
      manager.tell("STOPPING", "stopping");
      manager.stop();
    },
  };
}

/** The gate in a line, as `systemctl status` shows it. */
function summaryOf({ gateway, list, readers, journal, outbox }: Status): string {
  const states = Object.values(readers).map(({ state }) => state);
  const up = states.filter((state) => state === "up").length;
  const revision = list.revision === null ? "no list" : `list ${list.revision} (${list.freshness})`;
  const words = [
    `${gateway}: ${revision}`,
    `readers up: ${up} of ${states.length}`,
    `unsent: ${outbox.unsent}`,
  ];
  if (journal.state === "failed") words.push("the journal cannot be written");
  return words.join(", ");
}

/** The last is a terminal that went away with a daemon in it: its relays are released, too, and then it goes as the terminal did. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * Resolves at a signal, or when an invariant broke: then the relays are released, and the process ends in time. What is broken often
 * breaks again meanwhile, and must not end it before they are.
 */
export function untilTold(
  broke: (error: unknown) => void,
): Promise<(typeof STOP_SIGNALS)[number] | "broken"> {
  return new Promise((told) => {
    for (const signal of STOP_SIGNALS) process.once(signal, () => told(signal));
    // Node 20 aborts where it cannot restore a terminal at its end: with the terminal gone, the signal is that end.
    process.once("SIGHUP", () => process.once("exit", () => process.kill(process.pid, "SIGHUP")));
    let isBroken = false;
    const end = (error: unknown): void => {
      if (isBroken) return;
      isBroken = true;
      broke(error);
      // Also where nothing waits to be told yet and the process ends by itself: a service manager must not take it for a clean stop.
      process.exitCode = 1;
      setTimeout(() => process.exit(1), LAST_RELEASE_MS).unref();
      told("broken");
    };
    process.on("uncaughtException", end);
    process.on("unhandledRejection", end);
  });
}
