/** As much of the real library as a machine without such devices shows; it takes one way a process, so each has its own. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { portInPlace } from "../../drivers/hid-node.ts";

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
])("the library finds nothing that is not there, by %s", { timeout: 30_000 }, async (way, refusal) => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", SCRIPT, way]);
  const [listed, opened] = stdout.trim().split("\n");
  expect(listed).toBe("[]");
  expect(opened).toContain(refusal);
});

it.each([
  ["/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.2/1-1.2:1.0/0003:08FF:0009.0001", "1-1.2:1.0"],
  ["/sys/devices/platform/scb/fd500000.pcie/usb1/1-1/1-1:1.1/0003:16C0:05DF.0007/hidraw/hidraw3", "1-1:1.1"],
  ["/sys/devices/virtual/misc/uhid/0003:FFFF:0035.0001", ""],
  ["", ""],
])("%s is port %s", (place, port) => {
  expect(portInPlace(place)).toBe(port);
});
