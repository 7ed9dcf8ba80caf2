/** A Pi on paper, as the gateway is installed on it, and what `doctor` says of it in words. */
import { gatewayAccount } from "../../daemon/doctor/account.ts";
import { type DeviceUse, lookAtDevice, type Place } from "../../daemon/doctor/devices.ts";
import type { Finding } from "../../daemon/doctor/finding.ts";
import { slowAdapterOf } from "../../drivers/latency-timer.ts";
import { type Node, paperMachine } from "./paper-machine.ts";

export const PI = {
  "/etc/passwd": { text: "root:x:0:0::/root:/bin/sh\ngrindvakt:x:990:990::/:/bin/false\n" },
  "/etc/group": { text: "root:x:0:\ndialout:x:20:otto\ngpio:x:997:\ngrindvakt:x:990:\n" },
  "/data": { kind: "directory", mode: 0o700, uid: 990, gid: 990 },
  "/dev/ttyUSB0": { kind: "device", mode: 0o660, gid: 20 },
  "/dev/serial/by-id/usb-FTDI-if00": { to: "/dev/ttyUSB0" },
} as const satisfies Record<string, Node>;

export const IN_DIALOUT = {
  "/etc/systemd/system/grindvakt.service": { text: "[Service]\nSupplementaryGroups=gpio dialout\n" },
};

export async function lookAt(
  place: Place,
  nodes: Readonly<Record<string, Node>>,
  state: DeviceUse["state"] = null,
  tryPort: ((port: string) => Promise<string | null>) | null = async () => null,
): Promise<Finding[]> {
  const machine = paperMachine(nodes);
  const account = await gatewayAccount(machine, "/data");
  const slowAdapter = (port: string) => slowAdapterOf(machine, port);
  return lookAtDevice({ subject: "in-1", place, state }, { machine, account, tryPort, slowAdapter });
}

/** The levels, and the words of all that is not well. */
export function told(found: readonly Finding[]): string[] {
  return found.map(({ level, what, todo }) => (level === "ok" ? "ok" : `${level}: ${what} -> ${todo}`));
}
