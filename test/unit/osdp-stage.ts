/** A simulated line with one reader, and all that a gate may have of it; nothing of it is started. */
import { onTestFinished } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { osdpOutput } from "../../drivers/bus-osdp-output.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import type { OsdpPdOptions } from "../../drivers/osdp-pd.ts";
import { makeSite, type OsdpSite } from "../conformance/osdp-site.ts";
import { simulatedWorld } from "../conformance/world.ts";

export const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));
const baudRate = 9_600;
/** `key`: what the gate has for it. */
export function stage(given: readonly OsdpPdOptions[], { key = KEY }: { key?: Uint8Array | null } = {}) {
  const place = { address: 1, scbk: key };
  let site: OsdpSite | null = null;
  const world = simulatedWorld((address, events) => site!.openChannel(address, events));
  site = makeSite(world.clock, baudRate, given);
  const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate }, world);
  const told: string[] = [];
  const relay = osdpOutput.create({ id: "north-in", ...place, output: 0, bus }, world, {
    energised: () => told.push("energised"),
    released: () => told.push("released"),
    failed: (why) => told.push(`failed ${why}`),
    up: () => told.push("relay up"),
    down: (why) => told.push(`relay down ${why}`),
  });
  const reader = new OsdpReader({ id: "r", ...place, reads: "card-number", issuers: ["BB"], bus }, world, {
    reading: (reading) => told.push(reading.kind),
    up: () => told.push("reader up"),
    down: (why) => told.push(`reader down ${why}`),
    notice: ({ kind }) => told.push(kind),
  });
  onTestFinished(async () => {
    const stopped = Promise.all([reader.stop(), relay.stop()]);
    await world.clock.advance(10_000);
    await stopped;
    await world.clock.runUntilIdle();
  });
  /** Resolves like `start`, in simulated time. */
  async function begin(device: { start(): Promise<void> }, withinMs: number): Promise<number> {
    let atMs: number | null = null;
    const sinceMs = world.clock.monotonicMs();
    void device.start().then(() => {
      atMs = world.clock.monotonicMs();
    });
    await world.clock.advance(withinMs);
    if (atMs === null) throw new Error("it has not started");
    return atMs - sinceMs;
  }
  return { world, bus, site, relay, reader, told, begin, pd: site.pds[0] };
}
