/**
 * The composition root: the one place where the gate meets the world. Makes the ports a configuration asks for, hands
 * them to the house, and opens the doors that are not its own: the console and the control socket.
 */
import { randomUUID } from "node:crypto";
import { cutOf } from "../config/reads.ts";
import type { Configuration, TlsFiles } from "../config/schema.ts";
import { readSecret } from "../config/secrets.ts";
import type { Secret } from "../config/words.ts";
import { createBroker } from "../drivers/broker.ts";
import { type OsdpBus, OsdpBuses } from "../drivers/bus-osdp.ts";
import { candidatesOf } from "../drivers/candidates.ts";
import { openChannel } from "../drivers/channel.ts";
import { shareChannels } from "../drivers/channel-shared.ts";
import { parseKey } from "../drivers/codec/osdp-secure.ts";
import type { DriverWorld, Reader, ReaderEvents, Reading } from "../drivers/driver.ts";
import { createFeedSource } from "../drivers/feed-source.ts";
import { HidBoards } from "../drivers/hid-boards.ts";
import { createNodeHid } from "../drivers/hid-node.ts";
import { latencyWarning } from "../drivers/latency-timer.ts";
import { acquireLock } from "../drivers/lock.ts";
import { PcscHub } from "../drivers/pcsc-hub.ts";
import { startPcscProcess } from "../drivers/pcsc-process.ts";
import type { Clock, FeedSource, Files, Log } from "../drivers/ports.ts";
import { readCard } from "../drivers/reads.ts";
import {
  createInput,
  createReader,
  createRelay,
  type InputOptions,
  type ReaderOptions,
  type RelayOptions,
} from "../drivers/registry.ts";
import { readSecretFile } from "../drivers/secret-file.ts";
import { machineUptime, type System } from "../drivers/system.ts";
import { buildInWorker } from "../sync/build.ts";
import { CUTS, type Cut, placeOfCut } from "../sync/index-cuts.ts";
import type { Console } from "./console/console.ts";
import { type ControlMethods, type ControlServer, type ControlStreams, serveControl } from "./control.ts";
import type { TapView } from "./gateway.ts";
import { House, type HousePorts, type HouseSettings, pathsOf } from "./house.ts";
import { Identifier } from "./identify.ts";
import { osdpMethods } from "./osdp-desk.ts";
import { sightLine } from "./sights.ts";
import { siteRequestOf } from "./site-desk.ts";
import type { Status } from "./status.ts";
import { VERSION } from "./version.ts";
import { wordsOf } from "./words.ts";

/** Something a person can mend keeps the daemon from starting. */
export class CannotStart extends Error {
  /** CONTRACT 2: 1 failed, 2 configuration. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface Daemon {
  status(): Status;
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
  await world.files.makeDirs(dataDir).catch((error: Error) => {
    throw new CannotStart(`dataDir ${dataDir}: ${error.message}`, 1);
  });
  const lock = await acquireLock(dataDir);
  if (lock === null) throw new CannotStart(`another grindvakt runs on ${dataDir}`, 1);
  // What is stopped, in reverse order, when the daemon stops or does not get to its feet.
  const started: (() => Promise<void>)[] = [() => lock.release()];
  const stop = async (): Promise<void> => {
    for (const step of started.splice(0).reverse()) await step();
  };
  try {
    const doors: { console: Console | null } = { console: null };
    const house = new House(
      settingsOf(configuration, await machineUptime(world.files)),
      await portsOf(configuration, world, (tap) => {
        tapped(tap);
        doors.console?.tapped(tap);
      }),
    );
    doors.console = await createConfiguredConsole(configuration, house, world);
    started.push(() => house.stop());
    await house.start();
    const consoleUrl = await openConsole(doors.console, world.log);
    started.push(async () => doors.console?.stop());
    const control = await openControl(
      pathsOf(dataDir).control,
      {
        status: () => house.status(),
        lookup: ({ card }) => house.lookup(readCard(String(card), configuration.cards.issuers)),
        refresh: () => house.refresh(),
        site: (params) => house.changeSiteList(siteRequestOf(params)),
        ...osdpMethods({ reader: (id) => house.reader(id), note: (event, data) => house.note(event, data) }),
      },
      streamsOf(house, configuration, world.clock),
      world.log,
    );
    started.push(async () => control?.stop());
    return { status: () => house.status(), refresh: () => house.refresh(), consoleUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a technician at this machine may watch: `trace` and `identify`. */
function streamsOf(house: House, { cards }: Configuration, clock: Clock): ControlStreams {
  const lookup = (reading: Reading) => house.lookup(reading);
  return {
    trace: ({ reader }, send) => house.watch(String(reader), (sight, stamp) => send(sightLine(sight, stamp))),
    identify: ({ reader }, send) => {
      const identifier = new Identifier({
        clock,
        lookup,
        candidatesOf: (sight) => candidatesOf(sight, cards.issuers),
      });
      const stop = house.watch(String(reader), (sight, stamp) => identifier.take(sight, stamp, send));
      return () => {
        identifier.stop();
        stop();
      };
    },
  };
}

// ---------------------------------------------------------------- from the configuration to the house

function settingsOf(
  { gateway, dataDir, cards, readers, accessPoints, mqtt, journal }: Configuration,
  machine: HouseSettings["machine"],
): HouseSettings {
  return {
    gateway: gateway.id,
    site: gateway.site,
    workplaceId: gateway.workplaceId ?? null,
    timeZone: gateway.timeZone,
    version: VERSION,
    boot: randomUUID(),
    machine,
    dataDir,
    prefix: mqtt?.prefix ?? "grindvakt",
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

async function portsOf(
  configuration: Configuration,
  world: System & { log: Log },
  tapped: (tap: TapView) => void,
): Promise<HousePorts> {
  const { clock, random, log } = world;
  const { readers, accessPoints } = configuration;
  const driverWorld = { clock, random, log, openChannel };
  const relayWorld = { ...driverWorld, openChannel: shareChannels(openChannel) };
  const relays = new Map(accessPoints.map(({ id, relay }) => [id, relay]));
  const inputs = new Map(accessPoints.map(({ id, inputs }) => [id, inputs]));
  const osdp = await osdpPlaces(readers, driverWorld);
  const takesFromKernel = readers.some((reader) => reader.driver === "hid" && reader.mode === "keyboard");
  const hid = createNodeHid({ takesFromKernel }, clock);
  const boards = new HidBoards(hid, clock);
  const hub = new PcscHub(driverWorld, startPcscProcess);
  return {
    ...world,
    feed: await feedOf(configuration, world.files),
    build: buildInWorker,
    createBroker: await brokerOf(configuration, world),
    // The configuration was checked against the registry's own list of types, so the options are those of its drivers.
    createReader: (id, events) => {
      const options = readers.find((reader) => reader.id === id);
      const settings = { ...options, ...osdp.get(id), hid, hub, issuers: cards.issuers };
      return createReader(settings as ReaderOptions, driverWorld, events);
    },
    createRelay: (id, events) => {
      const options = relays.get(id);
      const place = options?.driver === "osdp-output" ? osdp.get(options.reader) : undefined;
      return createRelay({ ...options, ...place, boards, id } as RelayOptions, relayWorld, events);
    },
    createInput: (id, use, events) => {
      const options = inputs.get(id)?.[use];
      const place = options?.driver === "osdp-input" ? osdp.get(options.reader) : undefined;
      return createInput({ ...options, ...place, id } as InputOptions, driverWorld, events);
    },
    tapped,
  };
}

/** One reader of a site, by itself: for who looks at it while no gateway runs. */
export async function makeReader(
  configuration: Configuration,
  id: string,
  world: DriverWorld,
  events: ReaderEvents,
): Promise<Reader> {
  const osdp = await osdpPlaces(configuration.readers, world);
  return createConfigured(configuration, osdp, id, world, events);
}

/** The configuration was checked against the registry's own list of types, so the options are those of its drivers. */
function createConfigured(
  { readers, cards }: Configuration,
  osdp: ReadonlyMap<string, OsdpPlace>,
  id: string,
  world: DriverWorld,
  events: ReaderEvents,
): Promise<Reader> {
  const options = readers.find((reader) => reader.id === id);
  const settings = { ...options, ...osdp.get(id), issuers: cards.issuers };
  return createReader(settings as ReaderOptions, world, events);
}

/** Where each OSDP reader is, and its key: readers and outputs that name one port share its line. */
interface OsdpPlace {
  bus: OsdpBus;
  address: number;
  scbk: Uint8Array | null;
}

async function osdpPlaces(
  readers: Configuration["readers"],
  world: DriverWorld,
): Promise<ReadonlyMap<string, OsdpPlace>> {
  const buses = new OsdpBuses(world);
  const places = new Map<string, OsdpPlace>();
  const ports = new Set(readers.flatMap((reader) => (reader.driver === "osdp" ? [reader.port] : [])));
  for (const port of ports) {
    const slow = await latencyWarning(port);
    if (slow !== null) world.log.warn(slow);
  }
  for (const [index, reader] of readers.entries()) {
    if (reader.driver !== "osdp") continue;
    const { address, port, baudRate, scbk } = reader;
    const key = scbk === undefined ? null : await keyOf(`readers[${index}].scbk`, scbk);
    places.set(reader.id, { address, scbk: key, bus: buses.at({ port, baudRate }) });
  }
  return places;
}

async function keyOf(path: string, secret: Secret): Promise<Uint8Array> {
  const parsed = parseKey(await secretOf(path, secret));
  if (parsed.kind === "refused") throw new CannotStart(`${path}: ${parsed.why}`, 2);
  return parsed.key;
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

async function feedOf({ cards }: Configuration, files: Files): Promise<FeedSource> {
  return createFeedSource(cards.feed, await credentialsOf("cards", cards, files));
}

async function createConfiguredConsole(
  { console: options, cards }: Configuration,
  house: House,
  { clock, log, files }: System & { log: Log },
): Promise<Console | null> {
  if (options === undefined) return null;
  // Its packages take 6 MB, which a gate without a console keeps.
  const { createConsole } = await import("./console/console.ts");
  const { password, tls } = await credentialsOf("console", options, files);
  const { cert, key } = tls ?? {};
  return createConsole(
    {
      ...options.listen,
      password: password ?? null,
      tls: cert === undefined || key === undefined ? null : { cert, key },
    },
    { clock, log },
    {
      status: () => house.status(),
      taps: (limit, before) => house.taps(limit, before),
      present: (reader, credential) => house.present(reader, credential),
      lookup: (card) => house.lookup(readCard(card, cards.issuers)),
    },
  );
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

/** Nor must a control socket that cannot: commands then say that the daemon does not answer. */
async function openControl(
  path: string,
  methods: ControlMethods,
  streams: ControlStreams,
  log: Log,
): Promise<ControlServer | null> {
  try {
    return await serveControl(path, methods, streams);
  } catch (error) {
    log.error("the control socket cannot be opened: commands do not reach this daemon", {
      why: error instanceof Error ? error.message : String(error),
    });
    return null;
  }
}

// ---------------------------------------------------------------- secrets and certificates

interface Credentials {
  username?: string;
  password?: string;
  tls?: { ca?: string; cert?: string; key?: string };
}

/** Reads what a section of the configuration refers to. `section`: its name, for messages. */
export async function credentialsOf(
  section: string,
  options: { username?: string; password?: Secret; tls?: TlsFiles },
  files: Files,
): Promise<Credentials> {
  const credentials: Credentials = {};
  if (options.username !== undefined) credentials.username = options.username;
  if (options.password !== undefined)
    credentials.password = await secretOf(`${section}.password`, options.password);
  if (options.tls !== undefined) credentials.tls = await tlsOf(`${section}.tls`, options.tls, files);
  return credentials;
}

async function secretOf(path: string, secret: Secret): Promise<string> {
  const outcome = await readSecret(secret, process.env, readSecretFile);
  if (outcome.kind === "refused") throw new CannotStart(`${path}: ${outcome.why}`, 2);
  return outcome.value;
}

const PEM_BYTES_MAX = 1024 * 1024;

async function tlsOf(path: string, tls: TlsFiles, files: Files): Promise<NonNullable<Credentials["tls"]>> {
  const pem: NonNullable<Credentials["tls"]> = {};
  for (const part of ["ca", "cert", "key"] as const) {
    const file = tls[part];
    if (file === undefined) continue;
    const bytes = await files.read(file, PEM_BYTES_MAX).catch((error: Error) => {
      throw new CannotStart(`${path}.${part}: ${file}: ${error.message}`, 2);
    });
    if (bytes === null) throw new CannotStart(`${path}.${part}: ${file} is not there`, 2);
    pem[part] = Buffer.from(bytes).toString("utf8");
  }
  return pem;
}
