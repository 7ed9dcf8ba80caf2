/** Real USB serial adapters, plugged and pulled under a running gateway. */
import { expect, onTestFinished, test } from "vitest";
import { type Gate, setGate } from "./gate.ts";
import { cardOf, ROUNDS, replug } from "./replug.ts";
import { UsbSerial, type UsbSerialPlace } from "./usb-serial.ts";

function adapterAt(gate: Gate, place: UsbSerialPlace): UsbSerial {
  const adapter = new UsbSerial(gate.guest, place);
  onTestFinished(() => adapter.remove());
  return adapter;
}

function seen({ ear }: Gate, reader: string): string[] {
  return ear
    .taps()
    .filter(({ data }) => data.reader === reader)
    .map(({ data }) => data.card);
}

test(`a serial reader is plugged in again ${ROUNDS} times under taps, and its neighbour reads on`, async () => {
  const gate = await setGate((configuration) => {
    const reader = { driver: "serial", reads: "card-number" };
    configuration.readers = ["IN1", "IN2"].map((serial, index) => ({
      ...reader,
      id: `north-in-${index + 1}`,
      port: `/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_${serial}-if00-port0`,
    }));
    configuration.accessPoints[0].readers = ["north-in-1", "north-in-2"];
  });
  const pulled = adapterAt(gate, { id: "IN1", usbPort: 1 });
  const neighbour = adapterAt(gate, { id: "IN2", usbPort: 2 });
  await neighbour.plug();
  const daemon = await gate.run();
  await daemon.readerIs("north-in-2", "up");
  await replug(gate, daemon, {
    reader: "north-in-1",
    plug: () => pulled.plug(),
    tap: async (round, tap) => {
      pulled.send(`${cardOf(1, round, tap)}\r\n`);
      return cardOf(1, round, tap);
    },
    pull: () => {
      // In the middle of a card: neither it nor the next one may come of that.
      pulled.send("BB-2799-00");
      return pulled.unplug();
    },
    between: async (round) => {
      neighbour.send(`${cardOf(2, round, 0)}\r\n`);
    },
  });
  const neighbours = Array.from({ length: ROUNDS }, (_, round) => cardOf(2, round, 0));
  await gate.ear.hearTaps("the neighbour's taps", () => seen(gate, "north-in-2").length >= ROUNDS);
  expect(seen(gate, "north-in-2")).toEqual(neighbours);
});

test("two identical serial readers are told apart by where they are plugged in", async () => {
  const gate = await setGate((configuration) => {
    configuration.readers = [1, 2].map((usbPort) => ({
      id: `north-in-${usbPort}`,
      driver: "serial",
      port: `/dev/serial/by-path/pci-0000:00:04.0-usb-0:${usbPort}:1.0-port0`,
      reads: "card-number",
    }));
    configuration.accessPoints[0].readers = ["north-in-1", "north-in-2"];
  });
  const adapters = [1, 2].map((usbPort) =>
    adapterAt(gate, { id: `same-${usbPort}`, usbPort, serial: "SAME" }),
  );
  const daemon = await gate.run();
  // In either order: the names that the kernel counts out change places, the readers do not.
  const orders = [[...adapters], adapters.toReversed()];
  for (const [round, order] of orders.entries()) {
    for (const adapter of order) await adapter.plug();
    for (const usbPort of [1, 2]) await daemon.readerIs(`north-in-${usbPort}`, "up");
    for (const [index, adapter] of adapters.entries()) adapter.send(`${cardOf(index, round, 0)}\r\n`);
    await gate.ear.hearTaps("both readers' taps", ({ length }) => length === 2 * (round + 1));
    for (const adapter of adapters) await adapter.unplug();
    for (const usbPort of [1, 2]) await daemon.readerIs(`north-in-${usbPort}`, "down");
  }
  for (const index of [0, 1])
    expect(seen(gate, `north-in-${index + 1}`)).toEqual([cardOf(index, 0, 0), cardOf(index, 1, 0)]);
});
