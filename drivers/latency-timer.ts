/**
 * USB serial adapters that hold back what has come in for a while, for one transfer more worth its cost (FTDI's chips,
 * 16 ms unless told otherwise). On an OSDP line that is paid at each reply, and takes longer than the line itself.
 */
import { readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";

/** What a round of eight readers at 38,400 baud has to spare, beside its 120 ms, is 3 ms a reader. */
export const latencyMsMax = 3;

/** Where the kernel shows its adapters. */
const SYSFS = "/sys/bus/usb-serial/devices";

/** How long the adapter of a serial port holds back what has come in; null where it is none that does, or not there. */
export async function latencyMs(port: string, sysfs = SYSFS): Promise<number | null> {
  try {
    const device = basename(await realpath(port));
    const text = await readFile(join(sysfs, device, "latency_timer"), "utf8");
    return /^[0-9]{1,3}\s*$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** What to say of a port that is used for OSDP; null: nothing. */
export async function latencyWarning(port: string, sysfs = SYSFS): Promise<string | null> {
  const heldMs = await latencyMs(port, sysfs);
  if (heldMs === null || heldMs <= latencyMsMax) return null;
  return `the adapter of ${port} holds each reply back for ${heldMs} ms; set it to 1 ms with the udev rule ${LATENCY_RULE}`;
}

/** In a file such as /etc/udev/rules.d/60-grindvakt-latency.rules; in force when the adapter is plugged in again. */
export const LATENCY_RULE =
  'ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"';
