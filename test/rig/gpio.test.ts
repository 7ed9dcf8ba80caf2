/** A relay and a passage contact on lines of a GPIO chip, which the kernel simulates. */
import { onTestFinished, test } from "vitest";
import { RELAY_TYPES } from "../../drivers/registry.ts";
import { CARDS, until } from "../e2e/site.ts";
import { type Gate, guest, needs, setGate } from "./gate.ts";
import { type Chip, makeChip } from "./gpio-chip.ts";
import { UsbSerial } from "./usb-serial.ts";

const RELAY = 4;
const PASSAGE = 17;

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
