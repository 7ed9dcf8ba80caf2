/** OSDP over a real USB serial adapter. The reader is the simulated one that ships, outside the machine. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openDesk } from "../../daemon/commands/osdp-pd-desk.ts";
import { createSystemClock, systemRandom } from "../../drivers/system.ts";
import { type Configuration, until } from "../e2e/site.ts";
import { type Gate, guest, setGate } from "./gate.ts";
import { cardOf, ROUNDS, replug } from "./replug.ts";
import { UsbSerial } from "./usb-serial.ts";

const PORT = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_OSDP-if00-port0";
const KEY = "000102030405060708090a0b0c0d0e0f";

interface Line {
  gate: Gate;
  adapter: UsbSerial;
  /** What the reader showed. */
  shown: string[];
  type(line: string): void;
}

/** A gate with one secure reader, on a line that is not plugged in. */
async function setLine(configure: (configuration: Configuration) => void = () => {}): Promise<Line> {
  const keyFile = join(guest().place.shared, "scbk");
  await writeFile(keyFile, KEY, { mode: 0o600 });
  const gate = await setGate((configuration) => {
    configuration.readers = [
      {
        id: "north-in-1",
        driver: "osdp",
        port: PORT,
        address: 1,
        scbk: { file: keyFile },
        reads: "card-number",
      },
    ];
    configure(configuration);
  });
  const clock = createSystemClock();
  await clock.start();
  onTestFinished(() => clock.stop());
  const shown: string[] = [];
  const desk = await openDesk(
    { place: { kind: "listen", port: 0 }, addresses: [1], key: Buffer.from(KEY, "hex"), installMode: false },
    { clock, random: systemRandom },
    (line) => shown.push(line),
    () => undefined,
  );
  onTestFinished(() => desk.stop());
  const farPort = Number(/\d+$/.exec(desk.port)?.[0]);
  const adapter = new UsbSerial(gate.guest, { id: "OSDP", usbPort: 3, farPort });
  onTestFinished(() => adapter.remove());
  return { gate, adapter, shown, type: (line) => void desk.type(line) };
}

test(`an OSDP line is plugged in again ${ROUNDS} times under taps`, async () => {
  const { gate, adapter, type } = await setLine();
  const daemon = await gate.run();
  await replug(gate, daemon, {
    reader: "north-in-1",
    plug: () => adapter.plug(),
    pull: () => adapter.unplug(),
    tap: async (round, tap) => {
      type(cardOf(3, round, tap));
      return cardOf(3, round, tap);
    },
  });
});

test("an OSDP output is released by its own timer when the gateway is killed in mid-pulse", async () => {
  const { gate, adapter, shown, type } = await setLine(({ accessPoints: [accessPoint] }) => {
    accessPoint.relay = { driver: "osdp-output", reader: "north-in-1", output: 0, pulseMs: 3_000 };
  });
  await adapter.plug();
  const daemon = await gate.run();
  await daemon.readerIs("north-in-1", "up");
  type("BB-2611-000001");
  await until(
    () => `the output is energised; shown was: ${shown}`,
    () => shown.some((line) => line.includes("output 0 energised, on its own timer")) || null,
  );
  await daemon.end("KILL");
  const before = shown.length;
  await until(
    "the output is released",
    () => shown.slice(before).some((line) => line.includes("output 0 released")) || null,
  );
  expect(shown.findLast((line) => line.includes("output 0"))).toContain("released");
});
