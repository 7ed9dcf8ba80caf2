/** HID devices by the kernel's uhid, through node-hid and hidraw. */
import { HidBoards } from "../../../drivers/hid-boards.ts";
import { createNodeHid } from "../../../drivers/hid-node.ts";
import { hidReader } from "../../../drivers/reader-hid.ts";
import { hidRelay } from "../../../drivers/relay-hid.ts";
import { hidConformance } from "../../conformance/hid.ts";
import { readerConformance } from "../../conformance/reader.ts";
import { relayConformance } from "../../conformance/relay.ts";
import { hurriedWorld } from "../../conformance/world.ts";
import { Uhid } from "../uhid.ts";
import { inside } from "./inside.ts";

const nodeHid = (world: ReturnType<typeof hurriedWorld>) =>
  createNodeHid({ takesFromKernel: false }, world.clock);

hidConformance("hidraw", async () => {
  const world = hurriedWorld(1);
  const devices = new Uhid(inside());
  let isThere = false;
  const plug = async () => {
    await devices.create("store", "store");
    isThere = true;
  };
  await plug();
  return {
    hid: nodeHid(world),
    ids: { vendorId: 0x0c27, productId: 0x3bfb },
    plug,
    pull: async () => {
      isThere = false;
      await devices.destroy("store");
    },
    report: async (bytes) => {
      if (isThere) devices.report("store", Buffer.from(bytes).toString("hex"));
    },
    pass: world.pass,
    dispose: () => devices.end(),
  };
});

readerConformance("hid (uhid and hidraw, report)", true, async () => {
  const world = hurriedWorld(1);
  const devices = new Uhid(inside());
  const plug = () => devices.create("reader", "text");
  await plug();
  return {
    world,
    create: (events) => {
      const report = { offsetBits: 0, lengthBits: 256, lengthUnit: "bits" as const, order: "msb" as const };
      const options = {
        ...{ id: "hid", vendorId: 0x0c27, productId: 0x3bfc, reads: "card-number" as const, issuers: ["BB"] },
        ...{ mode: "report" as const, report: { ...report, holds: "text" as const, idle: "zeros" as const } },
      };
      return hidReader.create({ ...options, hid: nodeHid(world) }, world, events);
    },
    present: async (text) => devices.report("reader", Buffer.from(text.padEnd(32, "\0")).toString("hex")),
    cable: { vanish: () => devices.destroy("reader"), comeBack: plug },
    dispose: () => devices.end(),
  };
});

relayConformance("hid (uhid and hidraw)", true, async () => {
  const world = hurriedWorld(1);
  const devices = new Uhid(inside());
  const channel = 2;
  const isOn = (state: number) => (state & 2) !== 0;
  let pluggedAt = 0;
  const plug = async () => {
    pluggedAt = devices.states("board").length;
    await devices.create("board", "relay");
  };
  await plug();
  const boards = new HidBoards(nodeHid(world), world.clock);
  return {
    world,
    create: (events) => hidRelay.create({ id: "north-in", channel, boards }, world, events),
    pulseMs: 2_000,
    energised: () => isOn(devices.states("board").at(-1) ?? 0),
    releases: () =>
      devices
        .states("board")
        .slice(pluggedAt)
        .filter((state) => !isOn(state)).length,
    cable: { vanish: () => devices.destroy("board"), comeBack: plug },
    dispose: () => devices.end(),
  };
});
