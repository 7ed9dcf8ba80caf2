/** OSDP readers, outputs and inputs on a simulated line, by simulated time: what `osdp.test.ts` asks of real ones. */
import { setImmediate as turn } from "node:timers/promises";
import { expect } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import { osdpInput } from "../../drivers/bus-osdp-input.ts";
import { osdpOutput } from "../../drivers/bus-osdp-output.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import type { ReaderEvents } from "../../drivers/driver.ts";
import type { OpenChannel } from "../../drivers/ports.ts";
import { inputConformance } from "./input.ts";
import { makeSite } from "./osdp-site.ts";
import { readerConformance } from "./reader.ts";
import { overhear, relayConformance } from "./relay.ts";
import { simulatedWorld, until } from "./world.ts";

const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));
const baudRate = 38_400;
/** Simulated time goes on by this much whenever the process has nothing else to do: a stop takes some, too. */
const stepMs = 5;

function makeLine() {
  let openChannel: OpenChannel = () => Promise.reject(new Error("there is no line yet"));
  const simulated = simulatedWorld((settings, events) => openChannel(settings, events));
  const { clock } = simulated;
  const pass = async (): Promise<void> => {
    const untilMs = clock.monotonicMs() + 2 * stepMs;
    while (clock.monotonicMs() < untilMs) await turn();
  };
  const world = { ...simulated, pass };
  let isOver = false;
  const run = async (): Promise<void> => {
    for (; !isOver; await turn()) await clock.advance(stepMs);
  };
  void run();
  const site = makeSite(world.clock, baudRate, [{ address: 1, key: KEY }]);
  openChannel = site.openChannel;
  const bus = new OsdpBus({ port: "/dev/ttyUSB0", baudRate }, world);
  const told = () => site.told.get(1) ?? [];
  const createReader = (events: ReaderEvents): OsdpReader => {
    const settings = { id: "osdp-1", address: 1, scbk: KEY, reads: "card-number" as const, issuers: ["BB"] };
    return new OsdpReader({ ...settings, bus }, world, events);
  };
  const cable = { vanish: async () => site.vanish(), comeBack: async () => site.comeBack() };
  const dispose = async (): Promise<void> => {
    isOver = true;
    expect(site.collisions).toEqual([]);
  };
  return { world, site, bus, told, createReader, cable, dispose };
}

/** With the reader whose outputs and inputs they are, up. */
async function makeLineWithReader() {
  const line = makeLine();
  const reader = line.createReader({ reading: () => {}, up: () => {}, down: () => {} });
  await reader.start();
  const dispose = async (): Promise<void> => {
    await reader.stop();
    await line.dispose();
  };
  return { ...line, dispose };
}

readerConformance("osdp (simulated line)", true, async () => {
  const { world, site, createReader, cable, dispose } = makeLine();
  return {
    world,
    create: createReader,
    present: async (text) => site.pds[0]?.present(text),
    cable,
    dispose,
  };
});

relayConformance("osdp-output (simulated line)", true, async () => {
  const { world, site, bus, told, cable, dispose } = await makeLineWithReader();
  const output = { id: "north-in", address: 1, scbk: KEY, output: 0, bus };
  let isHeard = false;
  return {
    world,
    create: (events) =>
      osdpOutput.create(
        output,
        world,
        overhear(events, () => {
          isHeard = true;
        }),
      ),
    energised: () => site.pds[0]?.energised(0) ?? false,
    releases: () => told().filter((one) => one.kind === "output" && !one.energised).length,
    cable: {
      ...cable,
      vanish: async () => {
        // The reader moves first and says so then: what the gateway has not heard it would have to call failed.
        await until(world, () => isHeard);
        site.vanish();
        told().splice(0);
      },
    },
    dispose,
  };
});

inputConformance("osdp-input (simulated line)", true, async () => {
  const { world, site, bus, cable, dispose } = await makeLineWithReader();
  return {
    world,
    create: (events) =>
      osdpInput.create({ id: "north-in", address: 1, scbk: KEY, input: 1, bus }, world, events),
    set: async (active) => void site.pds[0]?.setInput(1, active),
    cable,
    dispose,
  };
});
