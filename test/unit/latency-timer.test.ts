import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { latencyWarning } from "../../drivers/latency-timer.ts";
import { paperMachine } from "./paper-machine.ts";

const PORT = "/dev/serial/by-id/usb-FTDI-if00-port0";

/** A machine with an adapter `ttyUSB0`, and its name by its maker. `timer`: what the kernel shows of it; null: nothing. */
function machine(timer: string | null) {
  return paperMachine({
    [PORT]: { to: "/dev/ttyUSB0" },
    "/dev/ttyUSB0": { kind: "device" },
    ...(timer === null ? {} : { "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer": { text: timer } }),
  });
}

test("an adapter that holds replies back is named, with the rule that sets it right, which docs/osdp.md has, too", async () => {
  const said = `the adapter of ${PORT} holds each reply back for 16 ms; set it to 1 ms with the udev rule `;
  const warning = (await latencyWarning(machine("16\n"), PORT)) ?? "";
  expect(warning.slice(0, said.length)).toBe(said);
  const rule = warning.slice(said.length);
  expect(rule).toMatch(/^ACTION=.*latency_timer}="1"$/);
  expect(readFileSync("docs/osdp.md", "utf8")).toContain(`\`${rule}\``);
});

test.each(["1\n", "3\n", "no number\n", "", null])("one that shows %j is not", async (timer) => {
  expect(await latencyWarning(machine(timer), PORT)).toBeNull();
});

test.each(["tcp://127.0.0.1:4001", "/dev/there-is-none"])("%s is none", async (port) => {
  expect(await latencyWarning(machine("16\n"), port)).toBeNull();
});
