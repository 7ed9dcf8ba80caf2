/** OSDP readers, outputs and inputs on a simulated line, by simulated time: what `osdp.test.ts` asks of real ones. */
import { setImmediate as turn } from "node:timers/promises";
import { expect } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import type { OpenChannel } from "../../drivers/ports.ts";
import { inputConformance } from "./input.ts";
import { inputBench, KEY, type OsdpLine, outputBench, readerBench } from "./osdp-bench.ts";
import { makeSite } from "./osdp-site.ts";
import { readerConformance } from "./reader.ts";
import { relayConformance } from "./relay.ts";
import { simulatedWorld } from "./world.ts";

const baudRate = 38_400;
/** Simulated time goes on by this much whenever the process has nothing else to do: a stop takes some, too. */
const stepMs = 5;

function makeLine(): OsdpLine {
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
  return {
    world,
    bus: new OsdpBus({ port: "/dev/ttyUSB0", baudRate }, world),
    pds: site.pds,
    told: () => site.told.get(1) ?? [],
    cable: { vanish: async () => site.vanish(), comeBack: async () => site.comeBack() },
    dispose: async () => {
      isOver = true;
      expect(site.collisions).toEqual([]);
    },
  };
}

readerConformance("osdp (simulated line)", true, async () => readerBench(makeLine()));
relayConformance("osdp-output (simulated line)", true, () => outputBench(makeLine()));
inputConformance("osdp-input (simulated line)", true, () => inputBench(makeLine()));
