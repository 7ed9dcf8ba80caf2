/** An output of a reader, in the order in which a gate starts: relays first, whatever becomes of the readers. */
import { describe, expect, it, onTestFinished } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { osdpOutput } from "../../drivers/bus-osdp-output.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import type { OsdpPdOptions } from "../../drivers/osdp-pd.ts";
import { makeSite, type OsdpSite } from "../conformance/osdp-site.ts";
import { simulatedWorld } from "../conformance/world.ts";

const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));
const baudRate = 9_600;
const place = { address: 1, scbk: KEY };

function stage(given: readonly OsdpPdOptions[]) {
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
  return { world, site, relay, reader, told, begin, pd: site.pds[0] };
}

describe("an output of a reader that has not been started", () => {
  it("opens, is released first and may be pulsed; cards stay with the reader until it is started", async () => {
    const { world, relay, reader, told, begin, pd, site } = stage([{ address: 1, key: KEY }]);
    expect(await begin(relay, 1_000)).toBeLessThan(500);
    expect(told).toEqual(["relay up"]);
    expect(site.told.get(1)).toContainEqual({ kind: "output", output: 0, energised: false, timed: false });
    pd?.present("BB-1234-567890");
    pd?.tamper(true);
    relay.pulse(800);
    await world.clock.advance(20_000);
    expect(told.splice(0)).toEqual(["relay up", "energised", "released"]);
    expect(pd?.isSecure).toBe(true);
    await begin(reader, 500);
    expect(told.splice(0)).toEqual(["reader up", "tamper", "credential"]);
    await reader.stop();
    pd?.present("BB-1234-567890");
    relay.pulse(100);
    await world.clock.advance(1_000);
    expect(told).toEqual(["energised", "released"]);
  });

  it("says why where the reader does not answer, and so does the reader", async () => {
    const { relay, reader, told, begin } = stage([]);
    await begin(relay, 2_000);
    expect(told.splice(0)).toEqual([
      expect.stringMatching(/^relay down its reader is down: it does not answer/),
    ]);
    await begin(reader, 2_000);
    expect(told).toEqual([expect.stringMatching(/^reader down it does not answer/)]);
  });
});
