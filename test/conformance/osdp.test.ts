import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OsdpBus } from "../../drivers/bus-osdp.ts";
import type { OsdpPd } from "../../drivers/osdp-pd.ts";
import { Pty } from "../peers/pty.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { inputConformance } from "./input.ts";
import { inputBench, KEY, type OsdpLine, outputBench, readerBench, readerOn } from "./osdp-bench.ts";
import { OsdpFar } from "./osdp-far.ts";
import { ReaderListener, readerConformance } from "./reader.ts";
import { relayConformance } from "./relay.ts";
import { hurriedWorld, type TestWorld, until } from "./world.ts";

const baudRate = 115_200;
const secure = { address: 1, key: KEY };
/** Replies have to come in time, from the far end of a real line: nothing is hurried here. */
const hurry = 1;

function lineTo(
  device: ConstructorParameters<typeof OsdpFar>[0],
  port: string,
  cable: OsdpLine["cable"] & { remove(): Promise<void> },
): OsdpLine {
  const world = hurriedWorld(hurry);
  const far = new OsdpFar(device, world.clock, [secure]);
  const bus = new OsdpBus({ port, baudRate }, world);
  const dispose = async (): Promise<void> => {
    far.stop();
    await cable.remove();
  };
  return { world, bus, pds: far.pds, told: () => far.told, cable, dispose };
}

async function ptyLine(): Promise<OsdpLine> {
  const pty = await plugIn();
  const cable = { vanish: () => pty.unplug(), comeBack: () => pty.plug(), remove: () => pty.remove() };
  return lineTo(pty, pty.path, cable);
}

async function tcpLine(): Promise<OsdpLine> {
  const device = await TcpDevice.listen();
  const vanish = (): Promise<void> => device.vanish();
  const cable = { vanish, comeBack: () => device.comeBack(), remove: vanish };
  return lineTo(device, `tcp://127.0.0.1:${device.port}`, cable);
}

async function plugIn(): Promise<Pty> {
  const pty = await Pty.make();
  await pty.plug();
  return pty;
}

readerConformance("osdp (pseudo-terminal)", true, async () => readerBench(await ptyLine()));
readerConformance("osdp (TCP)", true, async () => readerBench(await tcpLine()));
relayConformance("osdp-output (pseudo-terminal)", true, async () => outputBench(await ptyLine()));
inputConformance("osdp-input (pseudo-terminal)", true, async () => inputBench(await ptyLine()));

describe("readers on one pseudo-terminal", () => {
  const other = { address: 2, key: KEY.map((byte) => byte ^ 0xff) };

  interface Line {
    world: TestWorld;
    pty: Pty;
    pds: OsdpPd[];
    ears: ReaderListener[];
    stop(): Promise<void>;
  }

  /** Two readers and their keys, and what the gateway holds for each; the others that it names are not there. */
  async function lineOf(keys: readonly [address: number, key: Uint8Array][]): Promise<Line> {
    const world = hurriedWorld(hurry);
    const pty = await plugIn();
    const far = new OsdpFar(pty, world.clock, [secure, other]);
    const bus = new OsdpBus({ port: pty.path, baudRate }, world);
    const ears = keys.map(() => new ReaderListener());
    const readers = keys.map(([address, key], index) => readerOn(bus, world, ears[index]!, address, key));
    const started = readers.map(async (reader, index) => {
      await reader.start();
      ears[index]!.speaking = true;
    });
    await Promise.all(started);
    await until(world, () => ears.every(({ states }) => states.length > 0));
    const stop = async () => {
      for (const ear of ears) ear.speaking = false;
      await Promise.all(readers.map((reader) => reader.stop()));
      far.stop();
      await pty.remove();
      for (const ear of ears) expect(ear.faults).toEqual([]);
    };
    return { world, pty, pds: far.pds, ears, stop };
  }

  it("two secure ones give every card beside a dead one; pulled and put back, they are all back", async () => {
    const { world, pty, pds, ears, stop } = await lineOf([
      [1, KEY],
      [2, other.key],
      [3, KEY],
    ]);
    const found = () => ears.map(({ states }) => states.at(-1)?.slice(0, 4)).join();
    await until(world, () => found() === "up,up,down");
    const numbers = Array.from({ length: 20 }, (_, tap) => `BB-1234-5678${String(tap).padStart(2, "0")}`);
    for (const number of numbers) {
      pds[0]!.present(number);
      pds[1]!.present(number);
      await until(world, () => ears[0]!.numbers().includes(number) && ears[1]!.numbers().includes(number));
    }
    await pty.unplug();
    await until(world, () => ears.every(({ states }) => states.at(-1)?.startsWith("down")));
    await pty.plug();
    await until(world, () => ears.slice(0, 2).every(({ states }) => states.at(-1) === "up"));
    pds[0]!.present("BB-1234-567899");
    await until(world, () => ears[0]!.numbers().includes("BB-1234-567899"));
    // A reader that was not polled again before it was pulled does not know that its last card has come, and gives it once more.
    expect([...new Set(ears[0]!.numbers())]).toEqual([...numbers, "BB-1234-567899"]);
    expect([...new Set(ears[1]!.numbers())]).toEqual(numbers);
    expect(ears[2]!.states).toHaveLength(1);
    await stop();
  });

  it("one with another key is down with a word, hears nothing in the clear, and harms nobody", async () => {
    const { world, pds, ears, stop } = await lineOf([
      [1, KEY],
      [2, KEY],
    ]);
    expect(ears.map(({ states }) => states)).toEqual([["up"], ["down: it does not have the key of scbk"]]);
    pds[1]!.present("BB-1234-567890");
    pds[0]!.present("BB-1234-567891");
    await until(world, () => ears[0]!.numbers().length > 0);
    expect(ears[1]!.told).toEqual([]);
    await stop();
  });

  it("survives a MiB of noise, and its files are closed when it is stopped", async () => {
    const openFiles = () => readdirSync("/proc/self/fd").length;
    const before = openFiles();
    const { world, pty, pds, ears, stop } = await lineOf([
      [1, KEY],
      [2, other.key],
    ]);
    for (let sent = 0; sent < 1 << 20; sent += 65_536) await pty.send(Buffer.alloc(65_536, 0x53));
    await until(world, () => ears.every(({ states }) => states.at(-1) === "up"));
    pds[0]!.present("BB-1234-567890");
    await until(world, () => ears[0]!.numbers().length > 0);
    await stop();
    await until(world, () => openFiles() <= before);
  });
});
