/** Which of the devices that are plugged in a configuration means. */
import type { HidDevice, HidIds } from "./hid.ts";

/**
 * `path`: the USB port (`1-1.2`), with an interface or without (`1-1.2:1.0`). `usagePage`, `usage`: which of the
 * device's interfaces.
 */
export interface HidMatch extends HidIds {
  serial?: string;
  path?: string;
  usagePage?: number;
  usage?: number;
}

export type HidChoice = { kind: "found"; device: HidDevice } | { kind: "refused"; why: string };

/** The one device that fits, the first of its interfaces that does; or what is there instead, in words. */
export function chooseDevice(devices: readonly HidDevice[], match: HidMatch): HidChoice {
  const name = nameOf(match);
  const present = devices.filter(
    ({ vendorId, productId }) => vendorId === match.vendorId && productId === match.productId,
  );
  if (present.length === 0) return refuse(`no USB device ${name} is plugged in`);
  const fitting = present.filter((device) => fits(device, match));
  if (fitting.length === 0)
    return refuse(`no USB device ${name} is as configured; there is ${listed(present)}`);
  const [first, ...others] = fitting.sort((one, other) => (one.port < other.port ? -1 : 1));
  if (others.some((other) => plugOf(other) !== plugOf(first!))) {
    return refuse(`${name} is plugged in more than once: say path or serial; there is ${listed(fitting)}`);
  }
  return { kind: "found", device: first! };
}

/** Whether the device's place is the one that is meant; any is, where none is named. */
export function isAt(device: HidDevice, path: string | undefined): boolean {
  return path === undefined || [device.port, plugOf(device), device.path].includes(path);
}

/** For messages: `port 1-1.2 serial 4711`. */
export function listed(devices: readonly HidDevice[]): string {
  const places = devices.map(
    (device) =>
      `${device.port === "" ? device.path : `port ${plugOf(device)}`}${device.serial === "" ? "" : ` serial ${device.serial}`}`,
  );
  return [...new Set(places)].join(", ");
}

function nameOf({ vendorId, productId }: HidIds): string {
  return `${hex(vendorId)}:${hex(productId)}`;
}

function hex(id: number): string {
  return id.toString(16).padStart(4, "0");
}

/** What the system does not say of a device speaks against none. */
function fits(device: HidDevice, { serial, path, usagePage, usage }: HidMatch): boolean {
  return (
    (serial === undefined || device.serial === serial) &&
    isAt(device, path) &&
    (usagePage === undefined || device.usagePage === undefined || device.usagePage === usagePage) &&
    (usage === undefined || device.usage === undefined || device.usage === usage)
  );
}

/** The port without the interface: two of a device's interfaces are plugged in as one. */
function plugOf({ port, path }: HidDevice): string {
  return port === "" ? path : port.split(":")[0]!;
}

function refuse(why: string): HidChoice {
  return { kind: "refused", why };
}
