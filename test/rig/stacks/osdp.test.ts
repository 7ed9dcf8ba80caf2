/** An OSDP line on a USB serial adapter, QEMU's FTDI; at its far end the simulated reader that ships. */
import { OsdpBus } from "../../../drivers/bus-osdp.ts";
import { osdpInput } from "../../../drivers/bus-osdp-input.ts";
import { osdpOutput } from "../../../drivers/bus-osdp-output.ts";
import { OsdpReader } from "../../../drivers/bus-osdp-reader.ts";
import type { ReaderEvents } from "../../../drivers/driver.ts";
import { inputConformance } from "../../conformance/input.ts";
import { OsdpFar } from "../../conformance/osdp-far.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { overhear, relayConformance } from "../../conformance/relay.ts";
import { hurriedWorld, type TestWorld, until } from "../../conformance/world.ts";
import { makeAdapter } from "./adapter.ts";

const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));
const pd = { address: 1, key: KEY };
const baudRate = 115_200;
/** A reply goes through QEMU, ssh and the one processor that also waits for it: it has four times the driver's time. */
const hurry = 0.25;
const silent: ReaderEvents = { reading: () => {}, up: () => {}, down: () => {} };

async function makeLine() {
  const world = hurriedWorld(hurry);
  const { adapter, plug, pull } = await makeAdapter(world);
  const far = new OsdpFar(adapter, world.clock, [pd]);
  const bus = new OsdpBus({ port: adapter.byId, baudRate }, world);
  const dispose = async (): Promise<void> => {
    far.stop();
    await adapter.remove();
  };
  return { world, far, bus, plug, pull, dispose };
}

function readerOn(bus: OsdpBus, world: TestWorld, events: ReaderEvents): OsdpReader {
  const settings = { id: "osdp-1", address: 1, scbk: KEY, reads: "card-number" as const, issuers: ["BB"] };
  return new OsdpReader({ ...settings, bus }, world, events);
}

readerConformance("osdp (USB adapter)", true, async () => {
  const { world, far, bus, plug, pull, dispose } = await makeLine();
  return {
    ...{ world, dispose },
    create: (events) => readerOn(bus, world, events),
    present: async (text) => far.pds[0]?.present(text),
    cable: { vanish: pull, comeBack: plug },
  };
});

relayConformance("osdp-output (USB adapter)", true, async () => {
  const { world, far, bus, plug, pull, dispose } = await makeLine();
  const reader = readerOn(bus, world, silent);
  await reader.start();
  const output = { id: "north-in", address: 1, scbk: KEY, output: 0, bus };
  let isHeard = false;
  const energised = () => {
    isHeard = true;
  };
  return {
    world,
    create: (events) => osdpOutput.create(output, world, overhear(events, energised)),
    pulseMs: 2_000,
    energised: () => far.pds[0]?.energised(0) ?? false,
    releases: () => far.told.filter((told) => told.kind === "output" && !told.energised).length,
    cable: {
      vanish: async () => {
        // The reader moves first and says so then: what the gateway has not heard it would have to call failed.
        await until(world, () => isHeard);
        await pull();
        far.told.splice(0);
      },
      comeBack: plug,
    },
    dispose: async () => {
      await reader.stop();
      await dispose();
    },
  };
});

inputConformance("osdp-input (USB adapter)", true, async () => {
  const { world, far, bus, plug, pull, dispose } = await makeLine();
  const reader = readerOn(bus, world, silent);
  await reader.start();
  return {
    world,
    create: (events) =>
      osdpInput.create({ id: "north-in", address: 1, scbk: KEY, input: 1, bus }, world, events),
    set: async (active) => void far.pds[0]?.setInput(1, active),
    cable: { vanish: pull, comeBack: plug },
    dispose: async () => {
      await reader.stop();
      await dispose();
    },
  };
});
