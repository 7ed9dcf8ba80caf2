/** A relay and a passage contact on lines of a GPIO chip, which the kernel simulates. */
import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished, type TestContext, test } from "vitest";
import { RELAY_TYPES } from "../../drivers/registry.ts";
import { CARDS, until } from "../e2e/site.ts";
import { type Gate, guest, needs, setGate } from "./gate.ts";
import type { Guest } from "./guest.ts";
import { UsbSerial } from "./usb-serial.ts";

const RELAY = 4;
const PASSAGE = 17;

interface Chip {
  name: string;
  /** What stands on a line that the gateway drives. */
  level(line: number): Promise<string>;
  /** Closes or opens a contact: to the supply or to ground. */
  pull(line: number, way: "pull-up" | "pull-down"): Promise<void>;
}

/** For as long as the test runs. Ends the test as not run where the kernel's module cannot be built. */
async function makeChip(machine: Guest, { skip }: TestContext): Promise<Chip> {
  const script = join(import.meta.dirname, "guest/gpio-sim.sh");
  const built = promisify(execFile)("bash", [script, machine.place.image]);
  const module = await built
    .then(({ stdout }) => stdout.trim())
    .catch((error: { stderr: string }) => skip(error.stderr.trim()));
  await copyFile(String(module), join(machine.place.shared, "gpio-sim.ko"));
  const config = "/sys/kernel/config/gpio-sim/rig";
  await machine.sh(
    `modprobe configfs; mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config; ` +
      `{ lsmod | grep -q ^gpio_sim || insmod ${machine.place.shared}/gpio-sim.ko; } && mkdir -p ${config}/bank && echo 28 >${config}/bank/num_lines && echo 1 >${config}/live`,
  );
  onTestFinished(async () => {
    await machine.run(`echo 0 >${config}/live; rmdir ${config}/bank ${config}`);
  });
  const name = await machine.sh(`cat ${config}/bank/chip_name`);
  const lines = `/sys/devices/platform/${await machine.sh(`cat ${config}/dev_name`)}/${name}`;
  return {
    name,
    level: (line) => machine.sh(`cat ${lines}/sim_gpio${line}/value`),
    pull: async (line, way) => {
      await machine.sh(`echo ${way} >${lines}/sim_gpio${line}/pull`);
    },
  };
}

/** A gate that opens by the chip, with a reader on a serial line. */
async function setGpioGate(chip: Chip, pulseMs: number): Promise<{ gate: Gate; adapter: UsbSerial }> {
  const gate = await setGate(({ readers: [reader], accessPoints: [accessPoint] }) => {
    reader.port = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_GPIO-if00-port0";
    accessPoint.relay = { driver: "gpio", chip: chip.name, line: RELAY, pulseMs };
    accessPoint.inputs = { passage: { driver: "gpio", chip: chip.name, line: PASSAGE } };
  });
  const adapter = new UsbSerial(gate.guest, { id: "GPIO", usbPort: 4 });
  onTestFinished(() => adapter.remove());
  await adapter.plug();
  return { gate, adapter };
}

const levelIs = (chip: Chip, wanted: "0" | "1"): Promise<true> =>
  until(`the relay's line is ${wanted}`, async () => (await chip.level(RELAY)) === wanted || null);

test("a GPIO relay opens, and the passage contact tells who passed and who did not", async (context) => {
  needs(context, RELAY_TYPES, "gpio");
  const chip = await makeChip(guest(), context);
  const { gate, adapter } = await setGpioGate(chip, 1_000);
  const daemon = await gate.run();
  await daemon.readerIs("north-in-1", "up");
  adapter.send(`${CARDS.granted}\r\n`);
  await levelIs(chip, "1");
  await chip.pull(PASSAGE, "pull-up");
  await gate.ear.hear("passage", ({ data }) => data.event === "passed");
  await chip.pull(PASSAGE, "pull-down");
  await levelIs(chip, "0");
  adapter.send(`${CARDS.granted}\r\n`);
  await gate.ear.hear("passage", ({ data }) => data.event === "not-passed");
  await chip.pull(PASSAGE, "pull-up");
  await gate.ear.hear("passage", ({ data }) => data.event === "passed-without-grant");
});

test("a GPIO relay is released by its own timer when the gateway is killed in mid-pulse", async (context) => {
  needs(context, RELAY_TYPES, "gpio");
  const chip = await makeChip(guest(), context);
  const { gate, adapter } = await setGpioGate(chip, 5_000);
  const daemon = await gate.run();
  await daemon.readerIs("north-in-1", "up");
  adapter.send(`${CARDS.granted}\r\n`);
  await levelIs(chip, "1");
  await daemon.end("KILL");
  await levelIs(chip, "0");
});
