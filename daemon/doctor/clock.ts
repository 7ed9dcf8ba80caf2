/** Whether the machine's clock can be believed: opening hours, expiry and every time in the journal hang on it. */
import type { Machine } from "../../drivers/ports.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, wrong } = findings("clock");

export async function lookAtClock(
  machine: Machine,
  { trusted, wallMs }: { trusted: boolean; wallMs: number },
): Promise<Finding[]> {
  const time = new Date(wallMs).toISOString();
  if (trusted) return [ok("clock", `${time}, synchronised`)];
  const hasBattery = (await machine.names("/sys/class/rtc")).length > 0;
  const battery = hasBattery
    ? ""
    : "; this machine has no clock with a battery, and loses the time at each power cut";
  return [
    wrong(
      "clock",
      `${time} has not been synchronised since the machine started${battery}`,
      "let it reach a time server: timedatectl set-ntp true, then timedatectl timesync-status; NTP is UDP port 123",
    ),
  ];
}
