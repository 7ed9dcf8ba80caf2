/**
 * The one visible table of devices. A new driver is one file, one line here, and one shape in the configuration.
 * Each is loaded only where a site names it, so that nobody needs the native packages of another's reader.
 */
import type { OsdpInputOptions } from "./bus-osdp-input.ts";
import type { OsdpOutputOptions } from "./bus-osdp-output.ts";
import type { OsdpReaderOptions } from "./bus-osdp-reader.ts";
import type {
  DriverWorld,
  Input,
  InputEvents,
  InputModule,
  Reader,
  ReaderEvents,
  ReaderModule,
  Relay,
  RelayEvents,
  RelayModule,
} from "./driver.ts";
import type { GpioInputOptions } from "./input-gpio.ts";
import type { HidReaderOptions } from "./reader-hid.ts";
import type { PcscReaderOptions } from "./reader-pcsc.ts";
import type { SerialReaderOptions } from "./reader-serial.ts";
import type { GpioRelayOptions } from "./relay-gpio.ts";
import type { HidRelayOptions } from "./relay-hid.ts";
import type { SerialRelayOptions } from "./relay-serial.ts";
import type { VirtualReaderOptions, VirtualRelayOptions } from "./virtual.ts";
import type { VirtualInputOptions } from "./virtual-input.ts";

/** Options by driver type. `id` is the reader's, and for a relay or an input that of its access point: it is named in the log. */
interface ReaderOptionsOf {
  hid: HidReaderOptions;
  osdp: OsdpReaderOptions;
  pcsc: PcscReaderOptions;
  serial: SerialReaderOptions;
  virtual: VirtualReaderOptions;
}
interface RelayOptionsOf {
  gpio: GpioRelayOptions;
  "hid-relay": HidRelayOptions;
  "osdp-output": OsdpOutputOptions;
  "serial-relay": SerialRelayOptions;
  virtual: VirtualRelayOptions;
}

interface InputOptionsOf {
  gpio: GpioInputOptions;
  "osdp-input": OsdpInputOptions;
  virtual: VirtualInputOptions;
}

const READERS: { [Type in keyof ReaderOptionsOf]: () => Promise<ReaderModule<ReaderOptionsOf[Type]>> } = {
  hid: async () => (await import("./reader-hid.ts")).hidReader,
  osdp: async () => (await import("./bus-osdp-reader.ts")).osdpReader,
  pcsc: async () => (await import("./reader-pcsc.ts")).pcscReader,
  serial: async () => (await import("./reader-serial.ts")).serialReader,
  virtual: async () => (await import("./virtual.ts")).virtualReader,
};

const RELAYS: { [Type in keyof RelayOptionsOf]: () => Promise<RelayModule<RelayOptionsOf[Type]>> } = {
  gpio: async () => (await import("./relay-gpio.ts")).gpioRelay,
  "hid-relay": async () => (await import("./relay-hid.ts")).hidRelay,
  "osdp-output": async () => (await import("./bus-osdp-output.ts")).osdpOutput,
  "serial-relay": async () => (await import("./relay-serial.ts")).serialRelay,
  virtual: async () => (await import("./virtual.ts")).virtualRelay,
};

const INPUTS: { [Type in keyof InputOptionsOf]: () => Promise<InputModule<InputOptionsOf[Type]>> } = {
  gpio: async () => (await import("./input-gpio.ts")).gpioInput,
  "osdp-input": async () => (await import("./bus-osdp-input.ts")).osdpInput,
  virtual: async () => (await import("./virtual-input.ts")).virtualInput,
};

export type ReaderType = keyof ReaderOptionsOf;
export type RelayType = keyof RelayOptionsOf;
export type InputType = keyof InputOptionsOf;
export type ReaderOptions = { [Type in ReaderType]: { driver: Type } & ReaderOptionsOf[Type] }[ReaderType];
export type RelayOptions = { [Type in RelayType]: { driver: Type } & RelayOptionsOf[Type] }[RelayType];
export type InputOptions = { [Type in InputType]: { driver: Type } & InputOptionsOf[Type] }[InputType];

/** What a configuration may name as `driver`. */
export const READER_TYPES = Object.keys(READERS) as readonly ReaderType[];
export const RELAY_TYPES = Object.keys(RELAYS) as readonly RelayType[];
export const INPUT_TYPES = Object.keys(INPUTS) as readonly InputType[];

/** Rejects when the driver's own packages cannot be loaded. */
export async function createReader<Type extends ReaderType>(
  options: { driver: Type } & ReaderOptionsOf[Type],
  world: DriverWorld,
  events: ReaderEvents,
): Promise<Reader> {
  const module = await READERS[options.driver]();
  return module.create(options, world, events);
}

/**
 * Rejects like `createReader`. All relays of a gateway are given one `world` whose `openChannel` shares
 * (`shareChannels` in channel-shared.ts): several relays may sit on one board.
 */
export async function createRelay<Type extends RelayType>(
  options: { driver: Type } & RelayOptionsOf[Type],
  world: DriverWorld,
  events: RelayEvents,
): Promise<Relay> {
  const module = await RELAYS[options.driver]();
  return module.create(options, world, events);
}

/** Rejects like `createReader`. */
export async function createInput<Type extends InputType>(
  options: { driver: Type } & InputOptionsOf[Type],
  world: DriverWorld,
  events: InputEvents,
): Promise<Input> {
  const module = await INPUTS[options.driver]();
  return module.create(options, world, events);
}
