/**
 * USB serial adapters that hold back what has come in for a while, for one transfer more worth its cost (FTDI's chips,
 * 16 ms unless told otherwise). On an OSDP line that is paid at each reply, and takes longer than the line itself.
 */
import { basename } from "node:path";
import type { Machine } from "./ports.ts";

/** What a round of eight readers at 38,400 baud has to spare, beside its 120 ms, is 3 ms a reader. */
const HELD_MS_MAX = 3;

/** Where the kernel shows its adapters. */
const SYSFS = "/sys/bus/usb-serial/devices";

/** In a file such as /etc/udev/rules.d/60-grindvakt-latency.rules; in force when the adapter is plugged in again. */
const LATENCY_RULE = 'ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"';

/** `file`: where the kernel takes another time for it, in milliseconds. */
export interface SlowAdapter {
  heldMs: number;
  file: string;
}

/** The adapter of a serial port that holds back for longer than OSDP has to spare; null where it does not, or is not there. */
export async function slowAdapterOf(machine: Machine, port: string): Promise<SlowAdapter | null> {
  const device = await machine.target(port);
  if (device === null) return null;
  const file = `${SYSFS}/${basename(device)}/latency_timer`;
  const text = (await machine.text(file)) ?? "";
  const heldMs = /^[0-9]{1,3}\s*$/.test(text) ? Number(text) : 0;
  return heldMs > HELD_MS_MAX ? { heldMs, file } : null;
}

/** What to say of a port that is used for OSDP; null: nothing. */
export async function latencyWarning(machine: Machine, port: string): Promise<string | null> {
  const slow = await slowAdapterOf(machine, port);
  if (slow === null) return null;
  return `the adapter of ${port} holds each reply back for ${slow.heldMs} ms; set it to 1 ms with the udev rule ${LATENCY_RULE}`;
}
