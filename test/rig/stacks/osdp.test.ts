/** An OSDP line on a USB serial adapter, QEMU's FTDI; at its far end the simulated reader that ships. */
import { OsdpBus } from "../../../drivers/bus-osdp.ts";
import { inputConformance } from "../../conformance/input.ts";
import { inputBench, KEY, type OsdpLine, outputBench, readerBench } from "../../conformance/osdp-bench.ts";
import { OsdpFar } from "../../conformance/osdp-far.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { relayConformance } from "../../conformance/relay.ts";
import { hurriedWorld } from "../../conformance/world.ts";
import { makeAdapter } from "./adapter.ts";

const baudRate = 115_200;
/** A reply goes through QEMU, ssh and the one processor that also waits for it: it has four times the driver's time. */
const hurry = 0.25;

async function makeLine(): Promise<OsdpLine> {
  const world = hurriedWorld(hurry);
  const { adapter, plug, pull } = await makeAdapter(world);
  const far = new OsdpFar(adapter, world.clock, [{ address: 1, key: KEY }]);
  const dispose = async (): Promise<void> => {
    far.stop();
    await adapter.remove();
  };
  const bus = new OsdpBus({ port: adapter.byId, baudRate }, world);
  const cable = { vanish: pull, comeBack: plug };
  return { world, bus, pds: far.pds, told: () => far.told, cable, dispose };
}

readerConformance("osdp (USB adapter)", true, async () => readerBench(await makeLine()));
relayConformance("osdp-output (USB adapter)", true, async () => ({
  ...(await outputBench(await makeLine())),
  pulseMs: 2_000,
}));
inputConformance("osdp-input (USB adapter)", true, async () => inputBench(await makeLine()));
