/**
 * The suites that the fakes pass (test/conformance/), on devices that the guest's kernel drives: run inside the guest, from
 * `stacks/`, with the gateway's own drivers.
 */
import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { expect, type TestContext, test } from "vitest";
import { guest, isShort } from "./gate.ts";
import { makeChip } from "./gpio-chip.ts";
import type { Guest } from "./guest.ts";

const VITEST =
  "node node_modules/vitest/vitest.mjs run --configLoader runner --config test/rig/stacks/vitest.config.ts";

/** Runs the suites of a file; each of their tests is told of as one of ours is. */
async function runSuites(machine: Guest, file: string, surroundings = ""): Promise<void> {
  const place = JSON.stringify(machine.place);
  const ssh = machine.start(`cd /house && ${surroundings} RIG_PLACE='${place}' ${VITEST} ${file} 2>&1`);
  ssh.stdin?.end();
  const said: string[] = [];
  for await (const line of createInterface({ input: ssh.stdout! })) {
    said.push(line);
    if (line.startsWith("rig: ")) console.log(line);
  }
  const told = said.filter((line) => line.startsWith("rig: "));
  expect(told.length, said.join("\n")).toBeGreaterThan(0);
  expect(
    told.filter((line) => !line.includes(": run, passed, ")),
    said.join("\n"),
  ).toEqual([]);
}

// What failed has been tried again inside.
const ONCE = { retry: 0 };

/** `sockets`: of the devices whose far end the suites hold. */
const ALL_STACKS = [
  { suites: "a USB serial adapter", file: "serial", sockets: ["SUITE.sock"] },
  { suites: "uhid and hidraw", file: "hidraw", sockets: [] },
  { suites: "USB HID devices and libusb", file: "libusb", sockets: [] },
  { suites: "OSDP on a USB serial adapter", file: "osdp", sockets: ["SUITE.sock"] },
  { suites: "a USB CCID reader and pcscd", file: "pcsc", sockets: ["card.sock"] },
];
/** All of them take as long as everything else of the short form together. */
const STACKS = isShort ? ALL_STACKS.slice(0, 1) : ALL_STACKS;
const GPIO_VERSIONS = isShort ? [] : [1, 2];

test.each(STACKS)("the suites, on $suites", ONCE, async ({ file, sockets }) => {
  const machine = guest();
  for (const socket of ["qmp.sock", ...sockets]) await machine.share(socket);
  await runSuites(machine, file);
});

test.for(GPIO_VERSIONS)(
  "the suites, on the kernel's simulated GPIO chip with libgpiod %i",
  ONCE,
  async (version, context) => {
    const machine = guest();
    const chip = await makeChip(machine, context);
    let path = "$PATH";
    if (version === 2) {
      const two = await toolsOf(machine, context);
      path = `${two}/tools:$PATH`;
    }
    const surroundings = `PATH=${path} RIG_GPIO_VERSION=${version} RIG_CHIP=${chip.name} RIG_CHIP_LINES=${chip.lines}`;
    await runSuites(machine, "gpio", surroundings);
  },
);

/** libgpiod's tools of version 2, where the guest finds them. Ends the test as not run where they cannot be had. */
async function toolsOf({ place }: Guest, { skip }: TestContext): Promise<string> {
  const script = join(import.meta.dirname, "guest/gpio-two.sh");
  const made = await promisify(execFile)("bash", [script, place.image])
    .then(({ stdout }) => stdout.trim())
    .catch((error: { stderr: string }) => skip(error.stderr.trim()));
  const tools = join(place.shared, "gpio-two");
  await cp(String(made), tools, { recursive: true, verbatimSymlinks: true });
  return tools;
}
