/**
 * Our own part of a card, for each kind of reader but OSDP (which has a bench of its own): from the bytes of the device being
 * handed over to the reading being told, on devices that cost nothing themselves. What the field and the bus cost stands beside.
 */
import type { DriverWorld, Reader, ReaderEvents } from "../drivers/driver.ts";
import { PcscHub } from "../drivers/pcsc-hub.ts";
import type { ChannelEvents } from "../drivers/ports.ts";
import { type HidReaderOptions, hidReader } from "../drivers/reader-hid.ts";
import { pcscReader } from "../drivers/reader-pcsc.ts";
import { serialReader } from "../drivers/reader-serial.ts";
import { createSystemClock, type SystemClock, systemRandom } from "../drivers/system.ts";
import { typed } from "../test/peers/wedge.ts";
import { SimHid } from "../test/sim/hid.ts";
import { SimLog } from "../test/sim/log.ts";
import { SimPcsc } from "../test/sim/pcsc.ts";
import { type Figure, now, percentile } from "./figures.ts";

const CARDS = 500;
const WARM_UP_CARDS = 100;
/** As fast as no people come, and slow enough that no driver takes it for a flood. */
const BETWEEN_MS = 10;
/** Bits of a character on the line: start, eight, stop. */
const CHARACTER_BITS = 10;
const SERIAL_CARD_BYTES = 16;
const SERIAL_BAUD = 9_600;
const NUMBER = "BB-1234-567890";
const USB = { vendorId: 0x08ff, productId: 0x0009 };
const PORT = "1-1.2:1.0";
const PCSC_READER = "ACS ACR1252 Dual Reader 00 00";

/** A reader and how its device hands a card over, last piece apart: what comes before it is the bus's time. */
interface Site {
  reader: Reader;
  before?(): void;
  card(): void;
}

export async function benchReaders(): Promise<Figure[]> {
  const clock = createSystemClock();
  await clock.start();
  const serialMs = (SERIAL_CARD_BYTES * CHARACTER_BITS * 1_000) / SERIAL_BAUD;
  const figures = [
    {
      what: `a serial line: ${SERIAL_CARD_BYTES} characters at ${SERIAL_BAUD} baud`,
      value: serialMs,
      unit: "ms",
    },
    ...(await ownPart("serial", clock, serialSite)),
    { what: "a USB keyboard: 15 keys, pressed and let go, a report in 1 ms at best", value: 30, unit: "ms" },
    ...(await ownPart("hid, keyboard", clock, keyboardSite)),
    ...(await ownPart("hid, report", clock, reportSite)),
    ...(await ownPart("pcsc, in the gateway's process", clock, pcscSite)),
  ];
  clock.stop();
  return figures;
}

type MakeSite = (world: DriverWorld, events: ReaderEvents) => Site;

async function ownPart(name: string, clock: SystemClock, makeSite: MakeSite): Promise<Figure[]> {
  const wallMs: number[] = [];
  const cpuMs: number[] = [];
  let arrived = now();
  let readings = 0;
  let isUp: () => void = () => undefined;
  const up = new Promise<void>((resolve) => {
    isUp = resolve;
  });
  const world: DriverWorld = { clock, random: systemRandom, log: new SimLog(), openChannel: refuse };
  const site = makeSite(world, {
    reading: () => {
      const told = now();
      readings += 1;
      wallMs.push(told.wallMs - arrived.wallMs);
      cpuMs.push(told.cpuMs - arrived.cpuMs);
    },
    up: () => isUp(),
    down: () => undefined,
  });
  await site.reader.start();
  await up;
  for (let card = 0; card < CARDS + WARM_UP_CARDS; card += 1) {
    site.before?.();
    arrived = now();
    site.card();
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
  }
  await site.reader.stop();
  if (readings !== CARDS + WARM_UP_CARDS)
    throw new Error(`${name}: ${readings} readings of ${CARDS + WARM_UP_CARDS}`);
  wallMs.splice(0, WARM_UP_CARDS);
  cpuMs.splice(0, WARM_UP_CARDS);
  return [
    { what: `${name}: bytes to reading, CPU, p50`, value: percentile(cpuMs, 0.5), unit: "ms" },
    { what: `${name}: bytes to reading, CPU, p99`, value: percentile(cpuMs, 0.99), unit: "ms", bound: 1 },
    { what: `${name}: the same by the clock, p99`, value: percentile(wallMs, 0.99), unit: "ms" },
  ];
}

function serialSite(world: DriverWorld, events: ReaderEvents): Site {
  let line: ChannelEvents | null = null;
  const openChannel: DriverWorld["openChannel"] = async (_, lineEvents) => {
    line = lineEvents;
    return { write: async () => undefined, close: async () => undefined };
  };
  const options = {
    id: "r",
    port: "/dev/ttyUSB0",
    baudRate: SERIAL_BAUD,
    reads: "card-number" as const,
    issuers: ["BB"],
  };
  const reader = serialReader.create(options, { ...world, openChannel }, events);
  return { reader, card: () => line?.data(Buffer.from(`${NUMBER}\r\n`)) };
}

function keyboardSite(world: DriverWorld, events: ReaderEvents): Site {
  const hid = pluggedHid();
  const keys = { mode: "keyboard", layout: "us", terminator: "enter", keyTimeoutMs: 500 } as const;
  const options = {
    id: "r",
    ...USB,
    ...keys,
    reads: "card-number",
    issuers: ["BB"],
    hid,
  } as HidReaderOptions;
  const reports = typed(`${NUMBER}\n`);
  const end = reports.splice(-2);
  return {
    reader: hidReader.create(options, world, events),
    before: () => hid.report(PORT, ...reports),
    card: () => hid.report(PORT, ...end),
  };
}

function reportSite(world: DriverWorld, events: ReaderEvents): Site {
  const hid = pluggedHid();
  const report = {
    offsetBits: 0,
    lengthBits: 32,
    lengthUnit: "bits",
    order: "msb",
    holds: "bits",
    idle: "zeros",
  };
  const options = { id: "r", ...USB, mode: "report", report, reads: "uid", issuers: ["BB"], hid };
  const card = Buffer.from("04a1b2c300000000", "hex");
  return {
    reader: hidReader.create(options as unknown as HidReaderOptions, world, events),
    before: () => hid.report(PORT, new Uint8Array(card.length)),
    card: () => hid.report(PORT, card),
  };
}

function pcscSite(world: DriverWorld, events: ReaderEvents): Site {
  const pcsc = new SimPcsc(world.clock, [PCSC_READER]);
  const hub = new PcscHub(world, pcsc.open);
  const reader = pcscReader.create({ id: "r", name: "ACR1252", hub }, world, events);
  return {
    reader,
    before: () => pcsc.take(PCSC_READER),
    card: () => pcsc.lay(PCSC_READER, "04A1B2C3D4E5F6"),
  };
}

function pluggedHid(): SimHid {
  const hid = new SimHid();
  hid.plug(PORT, { ...USB, serial: "", product: "Card Reader" });
  return hid;
}

function refuse(): Promise<never> {
  return Promise.reject(new Error("there is no line here"));
}
