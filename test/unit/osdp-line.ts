/** A simulated line whose readers have been started, and an ear for each. */
import { expect, onTestFinished } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import type { ReaderEvents, ReaderNotice } from "../../drivers/driver.ts";
import type { OsdpPd, OsdpPdOptions } from "../../drivers/osdp-pd.ts";
import type { TextReads } from "../../drivers/reads.ts";
import { makeSite, type OsdpSite } from "../conformance/osdp-site.ts";
import { simulatedWorld, type TestWorld } from "../conformance/world.ts";
import type { SimClock } from "../sim/clock.ts";

export const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));

export class Ear implements ReaderEvents {
  readings: string[] = [];
  stamps: number[] = [];
  states: string[] = [];
  why: string | null = null;
  notices: ReaderNotice[] = [];

  reading: ReaderEvents["reading"] = (reading, stamp) => {
    this.stamps.push(stamp.monotonicMs);
    if (reading.kind === "misread") this.readings.push(`${reading.reason}: ${reading.step}`);
    else if (reading.credential.kind === "number") this.readings.push(reading.credential.number);
    else this.readings.push(`${reading.credential.uid} ${reading.credential.part}`);
  };
  up = ({ model }: { model?: string }) => this.states.push(`up ${model}`);
  /** Each down with the first of its reasons. */
  down = (why: string) => {
    this.why = why;
    if (!this.states.at(-1)?.startsWith("down")) this.states.push(`down ${why}`);
  };
  notice = (notice: ReaderNotice) => this.notices.push(notice);

  get alarms(): string[] {
    return this.notices.flatMap((notice) => (notice.kind === "alarm" ? [notice.why] : []));
  }
}

interface Line {
  world: TestWorld & { clock: SimClock };
  site: OsdpSite;
  bus: OsdpBus;
  pd: OsdpPd;
  readers: OsdpReader[];
  ears: Ear[];
  reader: OsdpReader;
  ear: Ear;
}

/** `key`: what the gateway has; the readers have what `pds` says. */
export async function line(
  pds: readonly OsdpPdOptions[],
  options: { key?: Uint8Array | null; baudRate?: number; reads?: TextReads; addresses?: number[] } = {},
): Promise<Line> {
  const { key = KEY, baudRate = 9_600, reads = "card-number" } = options;
  let site: OsdpSite | null = null;
  const world = simulatedWorld((address, events) => site!.openChannel(address, events));
  site = makeSite(world.clock, baudRate, pds);
  const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate }, world);
  const addresses = options.addresses ?? pds.map(({ address }) => address);
  const ears = addresses.map(() => new Ear());
  const readers = addresses.map((address, index) => {
    const settings = { id: `reader-${address}`, address, scbk: key, reads, issuers: ["BB"], bus };
    return new OsdpReader(settings, world, ears[index]!);
  });
  const made = { world, site, bus, pd: site.pds[0]!, readers, ears, reader: readers[0]!, ear: ears[0]! };
  onTestFinished(async () => {
    for (const reader of readers) await reader.stop();
    expect(site.collisions).toEqual([]);
    await world.clock.runUntilIdle();
  });
  const started = Promise.all(readers.map((reader) => reader.start()));
  await world.clock.advance(3_000);
  await started;
  return made;
}

export const one = (more: Partial<OsdpPdOptions> = {}): OsdpPdOptions[] => [
  { address: 1, key: KEY, ...more },
];
export const MODEL = "up 00-00-00 model 1.1, firmware 1.0.0, serial 1";
