/** As much of the real library as a machine without such devices shows; it takes one way a process, so each has its own. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { HidBoards } from "../../drivers/hid-boards.ts";
import { createNodeHid, type HidLibrary, type HidNative, portInPlace } from "../../drivers/hid-node.ts";
import { hidReader } from "../../drivers/reader-hid.ts";
import { hidRelay } from "../../drivers/relay-hid.ts";
import { simulatedWorld } from "../conformance/world.ts";

const SCRIPT = `
  import { createNodeHid } from "./dist/drivers/hid-node.js";
  import { createSystemClock } from "./dist/drivers/system.js";
  const hid = createNodeHid({ takesFromKernel: process.argv[1] === "libusb" }, createSystemClock());
  const ids = { vendorId: 0xfffe, productId: 0xfffe };
  const events = { report: () => {}, gone: () => {} };
  console.log(JSON.stringify(await hid.list(ids)));
  const path = process.argv[1] === "libusb" ? "250-1:1.0" : "/dev/hidraw250";
  const device = { ...ids, path, port: "", serial: "", product: "" };
  console.log(await hid.open(device, events).then(() => "opened", (error) => error.message));
  process.exit(0);
`;

it.each([
  ["hidraw", "/dev/hidraw250 cannot be opened: "],
  [
    "libusb",
    "250-1:1.0 cannot be opened: no permission (docs/hid.md has the udev rule), or another program has it",
  ],
])("the library finds nothing that is not there, by %s", async (way, refusal) => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", SCRIPT, way]);
  const [listed, opened] = stdout.trim().split("\n");
  expect(listed).toBe("[]");
  expect(opened).toContain(refusal);
});

/** A library whose device opens, answers as a relay board does, and is never closed. */
function stuckLibrary(): { library: HidLibrary; asked: { closes: number } } {
  const asked = { closes: 0 };
  const native = {
    on: () => native,
    sendFeatureReport: async (report: Buffer) => report.length,
    getFeatureReport: async () => Buffer.alloc(9),
    close: () => {
      asked.closes += 1;
      return new Promise<void>(() => {});
    },
  } as unknown as HidNative;
  const device = { vendorId: 0x16c0, productId: 0x05df, path: "1-1:1.0", release: 1, interface: 0 };
  const library: HidLibrary = {
    devicesAsync: async () => [{ ...device, product: "USBRelay2" }],
    HIDAsync: { open: async () => native },
  };
  return { library, asked };
}

it("a device that is never closed keeps neither its reader nor its relay from stopping", async () => {
  const world = simulatedWorld();
  const { library, asked } = stuckLibrary();
  const hid = createNodeHid({ takesFromKernel: true }, world.clock, async () => library);
  const ids = { id: "in", vendorId: 0x16c0, productId: 0x05df, reads: "uid" as const, issuers: ["BB"] };
  const keys = { mode: "keyboard", layout: "us", terminator: "enter", keyTimeoutMs: 500 } as const;
  const heard: string[] = [];
  const up = () => heard.push("up");
  const unwanted = () => heard.push("unwanted");
  const reader = hidReader.create({ ...ids, ...keys, hid }, world, { reading: unwanted, up, down: unwanted });
  const relay = hidRelay.create(
    { id: "north-in", channel: 2, boards: new HidBoards(hid, world.clock) },
    world,
    { energised: unwanted, released: unwanted, failed: unwanted, up, down: unwanted },
  );
  for (const device of [reader, relay]) {
    let isOver = false;
    const started = device.start();
    await world.pass();
    await started;
    await world.pass();
    void device.stop().then(() => {
      isOver = true;
    });
    await world.clock.advance(900);
    expect(isOver).toBe(false);
    await world.clock.advance(200);
    expect(isOver).toBe(true);
  }
  expect(heard).toEqual(["up", "up"]);
  expect(asked.closes).toBe(2);
  expect(world.clock.pendingCount).toBe(0);
});

it.each([
  ["/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.2/1-1.2:1.0/0003:08FF:0009.0001", "1-1.2:1.0"],
  ["/sys/devices/platform/scb/fd500000.pcie/usb1/1-1/1-1:1.1/0003:16C0:05DF.0007/hidraw/hidraw3", "1-1:1.1"],
  ["/sys/devices/virtual/misc/uhid/0003:FFFF:0035.0001", ""],
  ["", ""],
])("%s is port %s", (place, port) => {
  expect(portInPlace(place)).toBe(port);
});
