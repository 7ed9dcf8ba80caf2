/** A reader that types, QEMU's USB keyboard, through node-hid and libusb. */
import { existsSync } from "node:fs";
import { createNodeHid } from "../../../drivers/hid-node.ts";
import { hidReader } from "../../../drivers/reader-hid.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { hurriedWorld, until } from "../../conformance/world.ts";
import { Keyboard } from "../keyboard.ts";
import { inside } from "./inside.ts";

readerConformance("hid (USB and libusb, keyboard)", true, async () => {
  const world = hurriedWorld(1);
  const keyboard = new Keyboard(inside());
  // Plugged in is what the kernel has given its own driver, which the gateway then takes it from.
  const plug = async (): Promise<void> => {
    await keyboard.plug();
    await until(world, () => existsSync("/sys/bus/usb/devices/1-5:1.0/driver"));
  };
  await plug();
  return {
    world,
    create: (events) => {
      const options = {
        ...{ id: "hid", vendorId: 0x0627, productId: 1, reads: "card-number" as const, issuers: ["BB"] },
        ...{
          mode: "keyboard" as const,
          layout: "us" as const,
          terminator: "enter" as const,
          keyTimeoutMs: 2_000,
        },
      };
      const hid = createNodeHid({ takesFromKernel: true }, world.clock);
      return hidReader.create({ ...options, hid }, world, events);
    },
    present: (text) => keyboard.type(`${text.toLowerCase()}\n`),
    cable: { vanish: () => keyboard.unplug(), comeBack: plug },
    dispose: () => keyboard.unplug(),
  };
});
