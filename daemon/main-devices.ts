/**
 * The devices that a configuration names, on the real world: which of them share a line, a board or a process, and the keys
 * they need.
 */
import type { Configuration } from "../config/schema.ts";
import type { Secret } from "../config/words.ts";
import { type OsdpBus, OsdpBuses } from "../drivers/bus-osdp.ts";
import { openChannel } from "../drivers/channel.ts";
import { shareChannels } from "../drivers/channel-shared.ts";
import { parseKey } from "../drivers/codec/osdp-secure.ts";
import type { DriverWorld } from "../drivers/driver.ts";
import { HidBoards } from "../drivers/hid-boards.ts";
import { createNodeHid } from "../drivers/hid-node.ts";
import { latencyWarning } from "../drivers/latency-timer.ts";
import { createMachine } from "../drivers/machine.ts";
import { PcscHub } from "../drivers/pcsc-hub.ts";
import { startPcscProcess } from "../drivers/pcsc-process.ts";
import {
  createInput,
  createReader,
  createRelay,
  type InputOptions,
  type ReaderOptions,
  type RelayOptions,
} from "../drivers/registry.ts";
import type { HousePorts } from "./house-ports.ts";
import { CannotStart, secretOf } from "./main-secrets.ts";

export type Devices = Pick<HousePorts, "createReader" | "createRelay" | "createInput">;

/** Opens nothing yet. Rejects with `CannotStart` where a key cannot be read. */
export async function devicesOf(
  { readers, accessPoints, cards }: Configuration,
  { clock, random, log }: Omit<DriverWorld, "openChannel">,
): Promise<Devices> {
  const world = { clock, random, log, openChannel };
  const relayWorld = { ...world, openChannel: shareChannels(openChannel) };
  const relays = new Map(accessPoints.map(({ id, relay }) => [id, relay]));
  const inputs = new Map(accessPoints.map(({ id, inputs }) => [id, inputs]));
  const osdp = await osdpPlaces(readers, world);
  const takesFromKernel = readers.some((reader) => reader.driver === "hid" && reader.mode === "keyboard");
  const hid = createNodeHid({ takesFromKernel }, clock);
  const boards = new HidBoards(hid, clock);
  const hub = new PcscHub(world, startPcscProcess);
  return {
    // The configuration was checked against the registry's own list of types, so the options are those of its drivers.
    createReader: (id, events) => {
      const options = readers.find((reader) => reader.id === id);
      const settings = { ...options, ...osdp.get(id), hid, hub, issuers: cards.issuers };
      return createReader(settings as ReaderOptions, world, events);
    },
    createRelay: (id, events) => {
      const options = relays.get(id);
      const place = options?.driver === "osdp-output" ? osdp.get(options.reader) : undefined;
      return createRelay({ ...options, ...place, boards, id } as RelayOptions, relayWorld, events);
    },
    createInput: (id, use, events) => {
      const options = inputs.get(id)?.[use];
      const place = options?.driver === "osdp-input" ? osdp.get(options.reader) : undefined;
      return createInput({ ...options, ...place, id } as InputOptions, world, events);
    },
  };
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
  const machine = createMachine();
  for (const port of ports) {
    const slow = await latencyWarning(machine, port);
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
