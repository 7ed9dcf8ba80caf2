/** A USB serial adapter, QEMU's FTDI, as the suites in the guest plug and pull it. */
import { existsSync } from "node:fs";
import { type TestWorld, until } from "../../conformance/world.ts";
import { UsbSerial } from "../usb-serial.ts";
import { inside } from "./inside.ts";

/** Plugged in, or pulled, is what udev has seen. */
export async function makeAdapter(world: TestWorld) {
  const adapter = new UsbSerial(inside(), { id: "SUITE", usbPort: 3 });
  const plug = async (): Promise<void> => {
    await adapter.plug();
    await until(world, () => existsSync(adapter.byId));
  };
  const pull = async (): Promise<void> => {
    await adapter.unplug();
    await until(world, () => !existsSync(adapter.byId));
  };
  await plug();
  return { adapter, plug, pull };
}
