/** A reader, an output and an input of OSDP under test, whatever the line to them is made of. */
import type { OsdpBus } from "../../drivers/bus-osdp.ts";
import { osdpInput } from "../../drivers/bus-osdp-input.ts";
import { osdpOutput } from "../../drivers/bus-osdp-output.ts";
import { OsdpReader } from "../../drivers/bus-osdp-reader.ts";
import type { ReaderEvents } from "../../drivers/driver.ts";
import type { OsdpPd, PdTold } from "../../drivers/osdp-pd.ts";
import type { InputBench } from "./input.ts";
import type { ReaderBench } from "./reader.ts";
import { overhear, type RelayBench } from "./relay.ts";
import { type TestWorld, until } from "./world.ts";

export const KEY = new Uint8Array(Buffer.from("00112233445566778899AABBCCDDEEFF", "hex"));

/** A line with a reader at its far end, of address 1 and with `KEY`. */
export interface OsdpLine {
  world: TestWorld;
  bus: OsdpBus;
  pds: readonly OsdpPd[];
  /** What the reader was told to do. */
  told(): PdTold[];
  cable: { vanish(): Promise<void>; comeBack(): Promise<void> };
  dispose(): Promise<void>;
}

export function readerOn(
  bus: OsdpBus,
  world: TestWorld,
  events: ReaderEvents,
  address = 1,
  scbk: Uint8Array = KEY,
): OsdpReader {
  const settings = { id: `osdp-${address}`, address, scbk, reads: "card-number" as const, issuers: ["BB"] };
  return new OsdpReader({ ...settings, bus }, world, events);
}

export function readerBench({ world, bus, pds, cable, dispose }: OsdpLine): ReaderBench {
  return {
    ...{ world, cable, dispose },
    create: (events) => readerOn(bus, world, events),
    present: async (text) => pds[0]?.present(text),
  };
}

export async function outputBench(line: OsdpLine): Promise<RelayBench> {
  const { world, bus, pds, told, cable } = line;
  const dispose = await withReader(line);
  let isHeard = false;
  const energised = (): void => {
    isHeard = true;
  };
  return {
    ...{ world, dispose },
    create: (events) =>
      osdpOutput.create(
        { id: "north-in", address: 1, scbk: KEY, output: 0, bus },
        world,
        overhear(events, energised),
      ),
    energised: () => pds[0]?.energised(0) ?? false,
    releases: () => told().filter((one) => one.kind === "output" && !one.energised).length,
    cable: {
      ...cable,
      vanish: async () => {
        // The reader moves first and says so then: what the gateway has not heard it would have to call failed.
        await until(world, () => isHeard);
        await cable.vanish();
        told().splice(0);
      },
    },
  };
}

export async function inputBench(line: OsdpLine): Promise<InputBench> {
  const { world, bus, pds, cable } = line;
  const dispose = await withReader(line);
  return {
    ...{ world, cable, dispose },
    create: (events) =>
      osdpInput.create({ id: "north-in", address: 1, scbk: KEY, input: 1, bus }, world, events),
    set: async (active) => void pds[0]?.setInput(1, active),
  };
}

/** The reader whose outputs and inputs they are is up. Gives how the line is disposed of with it. */
async function withReader({ world, bus, dispose }: OsdpLine): Promise<() => Promise<void>> {
  const reader = readerOn(bus, world, { reading: () => {}, up: () => {}, down: () => {} });
  await reader.start();
  return async () => {
    await reader.stop();
    await dispose();
  };
}
