/** The PC/SC reader on the simulated process, and on a real pcscd with a virtual card: the same suite. */
import { setTimeout as sleep } from "node:timers/promises";
import { PcscHub } from "../../drivers/pcsc-hub.ts";
import { openPcscProcess } from "../../drivers/pcsc-process.ts";
import { pcscReader } from "../../drivers/reader-pcsc.ts";
import { makePcscd, VirtualCard } from "../peers/pcscd.ts";
import { SimPcsc } from "../sim/pcsc.ts";
import { readerConformance } from "./reader.ts";
import { hurriedWorld } from "./world.ts";

const uids = {
  good: ["04A1B2C3D4E5F6", "04A1B2C3D4E5F7", "04A1B2C4"] as [string, string, string],
  bad: "08123456",
};
const CHILD = new URL("../../dist/drivers/pcsc-child.js", import.meta.url).pathname;

readerConformance("PC/SC (simulated process)", true, async () => {
  const world = hurriedWorld();
  const reader = "ACS ACR122U PICC Interface 00 00";
  const pcsc = new SimPcsc(world.clock, [reader]);
  const hub = new PcscHub(world, pcsc.open);
  return {
    world,
    uids,
    create: (events) => pcscReader.create({ id: "sim", name: "ACR122U", hub }, world, events),
    present: async (uid) => pcsc.present(reader, uid),
    cable: { vanish: async () => pcsc.unplug(reader), comeBack: async () => pcsc.plug(reader) },
    dispose: async () => {},
  };
});

readerConformance("PC/SC (pcscd with vpcd)", true, async () => {
  const world = hurriedWorld(1);
  const pcscd = await makePcscd();
  await pcscd.start();
  const hub = new PcscHub(world, (events) => openPcscProcess(CHILD, pcscd.socketPath, events));
  return {
    world,
    uids,
    create: (events) => pcscReader.create({ id: "vpcd", name: "Virtual PCD 00 00", hub }, world, events),
    present: async (uid) => {
      const card = await VirtualCard.withUid(pcscd.ports[0]!, uid);
      // Nobody asks it once the reader has been stopped.
      for (let waits = 0; card.asked.length === 0 && waits < 400; waits += 1) await sleep(10);
      card.take();
    },
    cable: { vanish: () => pcscd.kill9(), comeBack: () => pcscd.start() },
    dispose: () => pcscd.dispose(),
  };
});
