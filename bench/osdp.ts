/**
 * What an OSDP line costs, and what we add to it: rounds on a simulated line whose bytes take the time they take and whose
 * readers need 3 ms to answer, and our own part of a card in real time, from the bytes of the reply to the reading.
 */
import { OsdpBus } from "../drivers/bus-osdp.ts";
import { lineMs } from "../drivers/bus-osdp-line.ts";
import { OsdpReader } from "../drivers/bus-osdp-reader.ts";
import type { DriverWorld, ReaderEvents } from "../drivers/driver.ts";
import { OsdpPd } from "../drivers/osdp-pd.ts";
import { OsdpPdLine } from "../drivers/osdp-pd-line.ts";
import type { Clock, OpenChannel } from "../drivers/ports.ts";
import { createSystemClock, systemRandom } from "../drivers/system.ts";
import { makeSite } from "../test/conformance/osdp-site.ts";
import { SimClock } from "../test/sim/clock.ts";
import { SimLog } from "../test/sim/log.ts";
import { SimRandom } from "../test/sim/random.ts";
import { type Figure, now, percentile } from "./figures.ts";

const KEY = new Uint8Array(16).map((_, index) => index * 17);
/** A poll in the secure channel with its mark, and an acknowledgement likewise. */
const pollBytes = 15;
const ROUNDS_MS = 10_000;
const CARDS = 300;
const WARM_UP_CARDS = 50;

export async function benchOsdp(): Promise<Figure[]> {
  const { cpuMs, wallMs } = await ownPart();
  return [
    ...lineCost(9_600, 1),
    { what: "longest round, simulated", value: await longestRound(9_600, 1, 0), unit: "ms", bound: 50 },
    ...lineCost(38_400, 8),
    { what: "longest round, simulated", value: await longestRound(38_400, 8, 0), unit: "ms", bound: 120 },
    {
      what: "longest round with two of them dead, simulated",
      value: await longestRound(38_400, 8, 2),
      unit: "ms",
      bound: 120 + 200 + lineMs(pollBytes, 38_400),
    },
    { what: "our own part, reply's bytes to reading, CPU, p50", value: percentile(cpuMs, 0.5), unit: "ms" },
    {
      what: "our own part, reply's bytes to reading, CPU, p99",
      value: percentile(cpuMs, 0.99),
      unit: "ms",
      bound: 1,
    },
    {
      what: "the same by the clock, others' turns on the CPU too, p50",
      value: percentile(wallMs, 0.5),
      unit: "ms",
    },
    {
      what: "the same by the clock, others' turns on the CPU too, p99",
      value: percentile(wallMs, 0.99),
      unit: "ms",
    },
  ];
}

function lineCost(baudRate: number, count: number): Figure[] {
  const readers = count === 1 ? "one secure reader" : `${count} secure readers`;
  const what = `bytes alone, ${readers} at ${baudRate} baud`;
  return [{ what, value: count * lineMs(2 * pollBytes, baudRate), unit: "ms" }];
}

const deaf: ReaderEvents = { reading: () => {}, up: () => {}, down: () => {} };

function readerOn(bus: OsdpBus, world: DriverWorld, address: number, events: ReaderEvents): OsdpReader {
  const options = { id: `reader-${address}`, address, scbk: KEY, reads: "uid" as const, issuers: [] };
  return new OsdpReader({ ...options, bus }, world, events);
}

function worldOf(clock: Clock, openChannel: OpenChannel): DriverWorld {
  return { clock, random: new SimRandom("bench"), log: new SimLog(), openChannel };
}

/** The longest time between two commands to the same living reader. */
async function longestRound(baudRate: number, count: number, deadCount: number): Promise<number> {
  const clock = new SimClock();
  const given = Array.from({ length: count }, (_, address) => ({ address, key: KEY }));
  const site = makeSite(clock, baudRate, given);
  const world = worldOf(clock, site.openChannel);
  const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate }, world);
  const readers = given.map(({ address }) => readerOn(bus, world, address, deaf));
  for (const pd of site.pds.slice(0, deadCount)) pd.faults.silent = true;
  const started = readers.map((reader) => reader.start());
  await clock.advance(ROUNDS_MS);
  await Promise.all(started);
  site.sent.splice(0);
  await clock.advance(ROUNDS_MS);
  let longestMs = 0;
  for (const { address } of given.slice(deadCount)) {
    const times = site.sent.filter(({ bytes }) => bytes[2] === address).map(({ atMs }) => atMs);
    for (const [index, atMs] of times.slice(1).entries()) {
      longestMs = Math.max(longestMs, atMs - times[index]!);
    }
  }
  await Promise.all(readers.map((reader) => reader.stop()));
  return longestMs;
}

/**
 * A reader without a line in between: its reply is handed over, and the time taken until the reading is told, which is
 * one call: what the process computes meanwhile is ours, and on a machine with other work the clock shows theirs too.
 */
async function ownPart(): Promise<{ cpuMs: number[]; wallMs: number[] }> {
  const clock = createSystemClock();
  await clock.start();
  const pd = new OsdpPd({ address: 1, key: KEY }, { clock, random: systemRandom });
  let arrived = { wallMs: 0, cpuMs: 0 };
  const openChannel: OpenChannel = async (_, events) => {
    const line = new OsdpPdLine([pd], clock, {
      turnaroundMs: 0,
      write: (bytes) => {
        arrived = now();
        events.data(bytes);
      },
    });
    return { write: async (bytes) => line.take(bytes), close: async () => line.stop() };
  };
  const world = worldOf(clock, openChannel);
  const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate: 921_600 }, world);
  const own = { cpuMs: [] as number[], wallMs: [] as number[] };
  let heard: () => void = () => {};
  const reader = readerOn(bus, world, 1, {
    ...deaf,
    reading: () => {
      const { wallMs, cpuMs } = now();
      own.cpuMs.push(cpuMs - arrived.cpuMs);
      own.wallMs.push(wallMs - arrived.wallMs);
      heard();
    },
  });
  await reader.start();
  for (let card = 0; card < CARDS + WARM_UP_CARDS; card += 1) {
    const told = new Promise<void>((resolve) => {
      heard = resolve;
    });
    pd.present("uid:04A1B2C3D4E5F6");
    await told;
  }
  await reader.stop();
  clock.stop();
  return { cpuMs: own.cpuMs.slice(WARM_UP_CARDS), wallMs: own.wallMs.slice(WARM_UP_CARDS) };
}
