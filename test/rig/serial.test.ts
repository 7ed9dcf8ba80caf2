/** Real USB serial adapters, plugged and pulled under a running gateway. */
import { expect, inject, onTestFinished, test } from "vitest";
import { type Gate, setGate } from "./gate.ts";
import { UsbSerial } from "./usb-serial.ts";

const ROUNDS = inject("short") ? 5 : 50;
const TAPS_A_ROUND = 3;
/** CONTRACT and issue 4: what is plugged in again reads again within this. */
const BACK_MS_MAX = 5_000;

/** A number that no list knows, and no other tap has. */
const card = (reader: number, round: number, tap: number): string =>
  `BB-27${reader}${tap}-${String(round).padStart(6, "0")}`;

function seen({ ear }: Gate, reader: string): string[] {
  return ear
    .taps()
    .filter(({ data }) => data.reader === reader)
    .map(({ data }) => data.card);
}

function plugAt(gate: Gate, id: string, usbPort: number, serial = id): UsbSerial {
  const adapter = new UsbSerial(gate.guest, id, usbPort, serial);
  onTestFinished(() => adapter.unplug());
  return adapter;
}

test(`a serial reader is plugged in again ${ROUNDS} times under taps`, async () => {
  const gate = await setGate((configuration) => {
    const reader = { driver: "serial", reads: "card-number" };
    configuration.readers = [
      { ...reader, id: "north-in-1", port: "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_IN1-if00-port0" },
      { ...reader, id: "north-in-2", port: "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_IN2-if00-port0" },
    ];
    configuration.accessPoints[0].readers = ["north-in-1", "north-in-2"];
  });
  const [pulled, neighbour] = [plugAt(gate, "IN1", 1), plugAt(gate, "IN2", 2)];
  await neighbour.plug();
  const daemon = await gate.run();
  await daemon.readerIs("north-in-2", "up");
  const wanted: Record<"north-in-1" | "north-in-2", string[]> = { "north-in-1": [], "north-in-2": [] };
  const backMs: number[] = [];
  let handles = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await daemon.readerIs("north-in-1", "down");
    const whileGone = card(2, round, 0);
    neighbour.send(`${whileGone}\r\n`);
    wanted["north-in-2"].push(whileGone);
    await pulled.plug();
    const { since } = await daemon.readerIs("north-in-1", "up");
    backMs.push(Date.parse(since) - (await pulled.namedAtMs(pulled.byId)));
    for (let tap = 0; tap < TAPS_A_ROUND; tap += 1) {
      const number = card(1, round, tap);
      pulled.send(`${number}\r\n`);
      wanted["north-in-1"].push(number);
    }
    await gate.ear.hearTaps(
      `the taps of round ${round}`,
      () => seen(gate, "north-in-1").length >= wanted["north-in-1"].length,
    );
    if (round === 0) handles = await daemon.handles();
    else expect(await daemon.handles()).toBe(handles);
    // Pulled in the middle of a card: neither it nor the next one may come of that.
    pulled.send("BB-2799-00");
    await pulled.unplug();
  }
  await daemon.readerIs("north-in-1", "down");
  const last = card(2, ROUNDS, 0);
  neighbour.send(`${last}\r\n`);
  wanted["north-in-2"].push(last);
  await gate.ear.hearTaps("the neighbour's last tap", () => seen(gate, "north-in-2").includes(last));
  expect(seen(gate, "north-in-1")).toEqual(wanted["north-in-1"]);
  expect(seen(gate, "north-in-2")).toEqual(wanted["north-in-2"]);
  console.log(
    `rig: serial: back after ${backMs.map((ms) => ms.toFixed(0)).join(", ")} ms; ${handles} handles`,
  );
  expect(Math.max(...backMs)).toBeLessThan(BACK_MS_MAX);
  expect(gate.ear.faults()).toEqual([]);
});

test("two identical serial readers are told apart by where they are plugged in", async () => {
  const gate = await setGate((configuration) => {
    configuration.readers = [1, 2].map((socket) => ({
      id: `north-in-${socket}`,
      driver: "serial",
      port: `/dev/serial/by-path/pci-0000:00:04.0-usb-0:${socket}:1.0-port0`,
      reads: "card-number",
    }));
    configuration.accessPoints[0].readers = ["north-in-1", "north-in-2"];
  });
  const adapters = [plugAt(gate, "one", 1, "SAME"), plugAt(gate, "two", 2, "SAME")];
  const daemon = await gate.run();
  // In either order: the names that the kernel counts out change places, the readers do not.
  for (const [round, order] of [
    [0, 1],
    [1, 0],
  ].entries()) {
    for (const index of order) await adapters[index]!.plug();
    for (const index of [0, 1]) await daemon.readerIs(`north-in-${index + 1}`, "up");
    for (const index of [0, 1]) adapters[index]!.send(`${card(index, round, 0)}\r\n`);
    await gate.ear.hearTaps("both readers' taps", ({ length }) => length === 2 * (round + 1));
    for (const index of [0, 1]) await adapters[index]!.unplug();
    for (const index of [0, 1]) await daemon.readerIs(`north-in-${index + 1}`, "down");
  }
  for (const index of [0, 1])
    expect(seen(gate, `north-in-${index + 1}`)).toEqual([card(index, 0, 0), card(index, 1, 0)]);
});
