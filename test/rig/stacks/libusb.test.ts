/** A reader that types, QEMU's USB keyboard, and HID devices of our own make over USB/IP, through node-hid and libusb. */

import type { Hid, HidIds } from "../../../drivers/hid.ts";
import { createNodeHid } from "../../../drivers/hid-node.ts";
import { hidReader } from "../../../drivers/reader-hid.ts";
import { hidConformance } from "../../conformance/hid.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { hurriedWorld, type TestWorld } from "../../conformance/world.ts";
import { Keyboard } from "../keyboard.ts";
import { UsbStore } from "../usb-hid.ts";
import { inside } from "./inside.ts";

const IDS = { vendorId: 0x0627, productId: 1 };
/** Who types and who reads share one slow processor here: keys that nobody has fetched are lost. */
const holdMs = 50;

/** Plugged in, or pulled, is what libusb has heard of, from udev. */
function seenBy(
  hid: Hid,
  world: TestWorld,
  ids: HidIds,
  device: { plug(): Promise<void>; unplug(): Promise<void> },
) {
  const isSeen = async () => (await hid.list(ids)).length > 0;
  return {
    plug: async (): Promise<void> => {
      await device.plug();
      while (!(await isSeen())) await world.pass();
    },
    pull: async (): Promise<void> => {
      await device.unplug();
      while (await isSeen()) await world.pass();
    },
  };
}

readerConformance("hid (USB and libusb, keyboard)", true, async () => {
  const world = hurriedWorld(1);
  const keyboard = new Keyboard(inside(), holdMs);
  const hid = createNodeHid({ takesFromKernel: true }, world.clock);
  const { plug, pull } = seenBy(hid, world, IDS, keyboard);
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

hidConformance("USB and libusb", async () => {
  const world = hurriedWorld(1);
  const ids = { vendorId: 0x0c27, productId: 0x3bfb };
  const store = new UsbStore(inside(), 0);
  const hid = createNodeHid({ takesFromKernel: true }, world.clock);
  const { plug, pull } = seenBy(hid, world, ids, store);
  await plug();
  return {
    ...{ hid, ids, plug, pull, pass: world.pass },
    report: async (bytes) => store.report(bytes),
    dispose: () => store.remove(),
  };
});
