/** A PC/SC reader: QEMU's CCID reader under the guest's own pcscd. */
import { PcscHub } from "../../../drivers/pcsc-hub.ts";
import { openPcscProcess } from "../../../drivers/pcsc-process.ts";
import { pcscReader } from "../../../drivers/reader-pcsc.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { hurriedWorld, until } from "../../conformance/world.ts";
import { CardReader } from "../virtual-card.ts";
import { inside } from "./inside.ts";

const CHILD = new URL("../../../dist/drivers/pcsc-child.js", import.meta.url).pathname;
const NAME = "Gem";
const SOCKET = "/run/pcscd/pcscd.comm";
const uids = {
  good: ["04A1B2C3D4E5F6", "04A1B2C3D4E5F7", "04A1B2C4"] as [string, string, string],
  bad: "08123456",
};
/** pcscd asks a reader for its card every 400 ms: one that is gone for less was never gone. */
const goneMs = 1_500;
/** The process beside the gateway takes up to 8 s to start in a translated guest, where the driver gives it 4 s. */
const hurry = 0.25;

readerConformance("PC/SC (USB reader and pcscd)", true, async () => {
  const world = hurriedWorld(hurry);
  const device = new CardReader(inside());
  const makeHub = () => new PcscHub(world, (events) => openPcscProcess(CHILD, SOCKET, events));
  // Plugged in is what pcscd has seen.
  const plug = async (): Promise<void> => {
    await device.plug();
    let isThere = false;
    const up = () => {
      isThere = true;
    };
    const hold = makeHub().hold(NAME, { up, down: () => {}, happened: () => {} });
    await until(world, () => isThere).finally(() => hold.release());
  };
  await plug().catch(async (error) => {
    await device.unplug();
    throw error;
  });
  const hub = makeHub();
  return {
    world,
    uids,
    create: (events) => pcscReader.create({ id: "ccid", name: NAME, hub }, world, events),
    present: async (uid) => {
      device.remove();
      await new Promise((go) => setTimeout(go, goneMs));
      device.present(uid);
    },
    cable: { vanish: () => device.unplug(), comeBack: plug },
    dispose: () => device.unplug(),
  };
});
