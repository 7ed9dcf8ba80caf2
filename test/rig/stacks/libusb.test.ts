/** A reader that types, QEMU's USB keyboard, through node-hid and libusb. */
import { createNodeHid } from "../../../drivers/hid-node.ts";
import { hidReader } from "../../../drivers/reader-hid.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { hurriedWorld } from "../../conformance/world.ts";
import { Keyboard } from "../keyboard.ts";
import { inside } from "./inside.ts";

const IDS = { vendorId: 0x0627, productId: 1 };
/** Who types and who reads share one slow processor here: keys that nobody has fetched are lost. */
const holdMs = 50;

readerConformance("hid (USB and libusb, keyboard)", true, async () => {
  const world = hurriedWorld(1);
  const keyboard = new Keyboard(inside(), holdMs);
  const hid = createNodeHid({ takesFromKernel: true }, world.clock);
  // Plugged in, or pulled, is what libusb has heard of, from udev.
  const plug = async (): Promise<void> => {
    await keyboard.plug();
    while ((await hid.list(IDS)).length === 0) await world.pass();
  };
  const pull = async (): Promise<void> => {
    await keyboard.unplug();
    while ((await hid.list(IDS)).length > 0) await world.pass();
  };
  await plug();
  return {
    world,
    create: (events) => {
      const options = {
        ...{ id: "hid", ...IDS, reads: "card-number" as const, issuers: ["BB"] },
        ...{
          mode: "keyboard" as const,
          layout: "us" as const,
          terminator: "enter" as const,
          keyTimeoutMs: 2_000,
        },
      };
      return hidReader.create({ ...options, hid }, world, events);
    },
    present: (text) => keyboard.type(`${text.toLowerCase()}\n`),
    cable: { vanish: pull, comeBack: plug },
    dispose: pull,
  };
});
