/** HID devices by node-hid, which is loaded where a site names such a device, and not before. */
import { realpath } from "node:fs/promises";
import { basename } from "node:path";
import type { Device, HIDAsync } from "node-hid";
import type { Hid, HidDevice, HidEvents, HidHandle, HidIds } from "./hid.ts";
import type { Clock } from "./ports.ts";
import { within } from "./within.ts";
import { wordsOf } from "./words.ts";

/** What `hid.ts` promises. */
const CALL_MS_MAX = 5_000;
/** Likewise. A device is closed within milliseconds; one that the kernel holds on to must not keep us from stopping. */
const CLOSE_MS_MAX = 1_000;

/** As much of node-hid as is used here. */
export interface HidLibrary {
  devicesAsync: typeof import("node-hid")["devicesAsync"];
  HIDAsync: { open(path: string): Promise<HidNative> };
}

export type HidNative = Pick<HIDAsync, "on" | "close" | "sendFeatureReport" | "getFeatureReport">;

/** Resolves with the library, told how to take devices; rejects with words fit to be shown. */
export type LoadHidLibrary = (takesFromKernel: boolean) => Promise<HidLibrary>;

export interface NodeHidSettings {
  /**
   * Whether devices are taken from the kernel, by libusb: what a reader types then reaches nobody else. The library
   * knows one way for all devices of a process, and the first one it was told.
   */
  takesFromKernel: boolean;
}

export function createNodeHid(
  { takesFromKernel }: NodeHidSettings,
  clock: Clock,
  loadLibrary: LoadHidLibrary = loadNodeHid,
): Hid {
  let loading: Promise<HidLibrary> | null = null;
  const load = (): Promise<HidLibrary> => {
    loading ??= loadLibrary(takesFromKernel);
    return loading;
  };
  const inTurn = turns();
  return {
    list: async (ids) => {
      const library = await load();
      return inTime(
        clock,
        inTurn(() => listDevices(library, ids)),
      );
    },
    open: async (device, events) => {
      const { HIDAsync: Native } = await load();
      const opening = inTurn(() => Native.open(device.path));
      const native = await inTime(clock, opening).catch((error: Error) => {
        // What opens too late is closed again.
        opening.then((late) => late.close()).catch(() => undefined);
        throw new Error(refusalOf(device, error.message, takesFromKernel));
      });
      return attach(native, events, clock);
    },
  };
}

async function loadNodeHid(takesFromKernel: boolean): Promise<HidLibrary> {
  try {
    const { default: library } = await import("node-hid");
    library.setDriverType(takesFromKernel ? "libusb" : "hidraw");
    return library;
  } catch (error) {
    const why = wordsOf(error);
    throw new Error(`node-hid cannot be loaded (it needs libusb-1.0-0 and libudev1): ${why}`);
  }
}

/**
 * One call at a time: the library holds a lock while it looks for devices, and each call that waited for it would hold
 * up one of the few threads that the journal's syncs need, too.
 */
function turns(): <T>(call: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (call) => {
    const turn = last.then(call);
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function inTime<T>(clock: Clock, call: Promise<T>): Promise<T> {
  const answer = await within(clock, CALL_MS_MAX, call);
  if (answer === null) throw new Error(`the USB system has not answered within ${CALL_MS_MAX} ms`);
  return answer;
}

async function listDevices(library: HidLibrary, { vendorId, productId }: HidIds): Promise<HidDevice[]> {
  const devices = await library.devicesAsync(vendorId, productId);
  return Promise.all(devices.map(describe));
}

async function describe(device: Device): Promise<HidDevice> {
  const {
    vendorId,
    productId,
    path = "",
    serialNumber = "",
    product,
    manufacturer,
    usagePage,
    usage,
  } = device;
  return {
    vendorId,
    productId,
    path,
    port: await portOf(path),
    serial: serialNumber,
    product: product || manufacturer || "",
    ...(usagePage === undefined ? {} : { usagePage }),
    ...(usage === undefined ? {} : { usage }),
  };
}

/** libusb names a device by its port; the kernel's own driver by a number, whose place is in sysfs. */
async function portOf(path: string): Promise<string> {
  if (!path.startsWith("/dev/")) return path;
  const place = await realpath(`/sys/class/hidraw/${basename(path)}/device`).catch(() => "");
  return portInPlace(place);
}

/** The USB interface in a place of sysfs (`…/usb1/1-1/1-1.2/1-1.2:1.0/0003:…`); empty for a device on no USB port. */
export function portInPlace(place: string): string {
  return place.split("/").findLast((part) => /^\d+-\d+(\.\d+)*:\d+\.\d+$/.test(part)) ?? "";
}

function refusalOf({ path, port }: HidDevice, why: string, takesFromKernel: boolean): string {
  const name = port === "" || port === path ? path : `${path} (port ${port})`;
  // libusb gives no reason; these two are all there are in practice.
  if (takesFromKernel)
    return `${name} cannot be opened: no permission (docs/hid.md has the udev rule), or another program has it`;
  if (/permission/i.test(why))
    return `${name} cannot be opened: no permission, docs/hid.md has the udev rule`;
  return `${name} cannot be opened: ${why}`;
}

async function attach(native: HidNative, events: HidEvents, clock: Clock): Promise<HidHandle> {
  let closing: Promise<unknown> | null = null;
  let isGone = false;
  native.on("data", (bytes: Buffer) => {
    if (closing === null && !isGone) events.report(bytes);
  });
  native.on("error", () => {
    if (closing !== null || isGone) return;
    isGone = true;
    events.gone("the device was unplugged, or does not answer");
  });
  // The library begins to read in the next tick, and throws there if the device has been closed by then.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  return {
    sendFeature: async (bytes) => {
      await native.sendFeatureReport(Buffer.from(bytes));
    },
    getFeature: (reportId, lengthBytes) => native.getFeatureReport(reportId, lengthBytes),
    close: async () => {
      closing ??= within(
        clock,
        CLOSE_MS_MAX,
        native.close().catch(() => undefined),
      );
      await closing;
    },
  };
}
