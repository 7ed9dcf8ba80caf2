/**
 * The composition root: the one place where the gate meets the world. Makes the ports a configuration asks for, hands
 * them to the house, and opens the doors that are not its own: the console and the control socket.
 */
import type { Configuration } from "../config/schema.ts";
import { createBroker } from "../drivers/broker.ts";
import { candidatesOf } from "../drivers/candidates.ts";
import { createFeedSource } from "../drivers/feed-source.ts";
import { Heap } from "../drivers/heap.ts";
import { acquireLock } from "../drivers/lock.ts";
import type { FeedSource, Files, Log } from "../drivers/ports.ts";
import { machineUptime, type System } from "../drivers/system.ts";
import { buildInWorker } from "../sync/build.ts";
import { History } from "./answers/history.ts";
import type { Console } from "./console/console.ts";
import { TapRing } from "./console/tap-ring.ts";
import { bringForward } from "./data-format.ts";
import { pathsOf } from "./data-paths.ts";
import type { TapView } from "./gate/gateway.ts";
import { House } from "./house.ts";
import type { HousePorts } from "./house-ports.ts";
import { claim, ownerOf, strangerWords } from "./journal/journal-owner.ts";
import { consoleOf } from "./main-console.ts";
import { openControl } from "./main-control.ts";
import { devicesOf } from "./main-devices.ts";
import { CannotStart, credentialsOf, tokenKeysOf } from "./main-secrets.ts";
import { settingsOf } from "./main-settings.ts";
import { Metrics } from "./report/metrics.ts";
import type { Status } from "./report/status.ts";
import { buildRoomily } from "./roomy-build.ts";
import { makeInside } from "./token-key.ts";
import { systemWords, wordsOf } from "./words.ts";

export interface Daemon {
  status(): Status;
  /** What has stood still for longer than it ever should, or null. */
  standstill(): string | null;
  /** Asks the feed now; resolves when the answer is in force or refused. */
  refresh(): Promise<void>;
  consoleUrl: string | null;
  stop(): Promise<void>;
}

/**
 * Starts a gateway and resolves once it decides. Rejects with `CannotStart` for what a person can mend. `tapped` is told
 * every decided tap.
 */
export async function startDaemon(
  configuration: Configuration,
  world: System & { log: Log },
  tapped: (tap: TapView) => void,
): Promise<Daemon> {
  const { dataDir } = configuration;
  await world.files.makeDirs(dataDir).catch((error: unknown) => {
    throw new CannotStart(`dataDir: ${systemWords(error)}`, 1);
  });
  const lock = await acquireLock(dataDir);
  if (lock === null) throw new CannotStart(`another grindvakt runs on ${dataDir}`, 1);
  // What is stopped, in reverse order, when the daemon stops or does not get to its feet.
  const started: (() => Promise<void>)[] = [() => lock.release()];
  const stop = async (): Promise<void> => {
    for (const step of started.splice(0).reverse()) await step();
  };
  try {
    await claimJournal(configuration, world);
    const format = await bringForward(world.files, dataDir);
    if (format.kind === "refused") throw new CannotStart(format.why, 1);
    const accessPoints = configuration.accessPoints.map(({ id }) => id);
    const journalDir = pathsOf(dataDir).journal;
    const history = new History(world.clock, () => house.status().outbox.unsent);
    const metrics = new Metrics(accessPoints, {
      ...world,
      journalDir,
      status: () => house.status(),
      measured: (seconds) => history.measured(seconds * 1_000),
    });
    const ring = new TapRing();
    const eyes: ((tap: TapView) => void)[] = [
      tapped,
      (tap) => metrics.tapped(tap),
      (tap) => ring.add(tap),
      (tap) => history.tapped(tap),
    ];
    const ports = await portsOf(configuration, world, (tap) => {
      for (const eye of eyes) eye(tap);
    });
    const known = {
      machine: await machineUptime(world.files),
      tokenKeys: await keysOf(configuration, world),
    };
    const house = new House(settingsOf(configuration, known), {
      ...ports,
      createRelay: (id, events) => ports.createRelay(id, metrics.watchRelay(id, events)),
    });
    const console = await consoleOf(configuration, { house, metrics, history }, world);
    if (console !== null) eyes.push((tap) => console.tapped(tap));
    started.push(() => house.stop());
    await house.start();
    history.start();
    started.push(async () => history.stop());
    const consoleUrl = await openConsole(console, world.log);
    started.push(async () => console?.stop());
    const control = await openControl(configuration, { house, ring }, world);
    started.push(async () => control?.stop());
    return {
      status: () => house.status(),
      standstill: () => house.standstill(),
      refresh: () => house.refresh(),
      consoleUrl,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where none is configured, one is made in `dataDir`, and each start says so. */
async function keysOf(configuration: Configuration, { files, random, log }: System & { log: Log }) {
  const { cards, dataDir } = configuration;
  const found = await tokenKeysOf(configuration, files);
  if (cards.tokenKey === undefined)
    log.warn(
      "whoever takes dataDir can read the chip UIDs in it: their key lies there, too; give cards.tokenKey a file elsewhere",
      { dataDir },
    );
  return found ?? { own: await makeInside(pathsOf(dataDir).tokenKey, files, random), before: null };
}

/** A disk that cannot be read or written is for the journal to tell: it must not keep the gate shut. */
async function claimJournal({ dataDir, gateway }: Configuration, { files, log }: System & { log: Log }) {
  const dir = pathsOf(dataDir).journal;
  const owner = await ownerOf(files, dir).catch(() => null);
  const why = strangerWords(owner, gateway.id, dir);
  if (why !== null) throw new CannotStart(why, 1);
  await claim(files, dir, gateway.id).catch((error: unknown) =>
    log.warn("whose journal this is could not be written down", { why: wordsOf(error) }),
  );
}

// ---------------------------------------------------------------- from the configuration to the ports

async function portsOf(
  configuration: Configuration,
  world: System & { log: Log },
  tapped: (tap: TapView) => void,
): Promise<HousePorts> {
  const heap = new Heap();
  return {
    ...world,
    ...(await devicesOf(configuration, world)),
    feed: await feedOf(configuration, world.files),
    build: buildRoomily(buildInWorker, heap),
    candidatesOf: (sight) => candidatesOf(sight, configuration.cards.issuers),
    commandReader: await commandReaderOf(configuration),
    collectSoon: () => heap.collectSoon(),
    createBroker: await brokerOf(configuration, world),
    tapped,
  };
}

async function brokerOf(
  { mqtt, gateway }: Configuration,
  world: System & { log: Log },
): Promise<HousePorts["createBroker"]> {
  if (mqtt === undefined) return () => null;
  const settings = {
    urls: mqtt.urls,
    clientId: `grindvakt-${gateway.id}`,
    ...(await credentialsOf("mqtt", mqtt, world.files)),
  };
  return (will, subscriptions) => createBroker({ ...settings, will, subscriptions }, world);
}

async function commandReaderOf({ mqtt }: Configuration): Promise<HousePorts["commandReader"]> {
  if (mqtt === undefined || mqtt.commands.length === 0) return null;
  const { createCommandReader } = await import("./remote/command-reader.ts");
  return createCommandReader();
}

async function feedOf({ cards }: Configuration, files: Files): Promise<FeedSource> {
  return createFeedSource(cards.feed, await credentialsOf("cards", cards, files));
}

/** A console that cannot open (its port is taken) must not keep the gate shut. */
async function openConsole(console: Console | null, log: Log): Promise<string | null> {
  if (console === null) return null;
  try {
    return (await console.start()).url;
  } catch (error) {
    log.error("the console cannot be opened", { why: wordsOf(error) });
    return null;
  }
}
