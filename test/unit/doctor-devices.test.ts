/** What doctor says of devices: each fault is written down as the kernel would show it, and must be found with its cure. */
import { expect, test } from "vitest";
import { parseConfiguration } from "../../config/load.ts";
import { devicesOf, secretsIn } from "../../daemon/commands/doctor-site.ts";
import type { Place } from "../../daemon/doctor/devices.ts";
import { INPUT_TYPES, READER_TYPES, RELAY_TYPES } from "../../drivers/registry.ts";
import { wellStatus } from "../e2e/console-house.ts";
import { IN_DIALOUT, lookAt, PI, told } from "./doctor-pi.ts";
import type { Node } from "./paper-machine.ts";

const serial = (path: string, isOsdp = false): Place => ({ kind: "serial", path, isOsdp });

test("a port that is there, open and free is well; one by a passing name is warned of", async () => {
  const machine = { ...PI, ...IN_DIALOUT };
  expect(told(await lookAt(serial("/dev/serial/by-id/usb-FTDI-if00"), machine))).toEqual(["ok"]);
  expect(told(await lookAt(serial("/dev/ttyUSB0"), machine))).toEqual([
    "ok",
    "warning: /dev/ttyUSB0 may have another name after a re-plug -> write instead: port: /dev/serial/by-id/usb-FTDI-if00",
  ]);
});

test("a port that is not there is told with those that are", async () => {
  expect(told(await lookAt(serial("/dev/ttyUSB7"), PI))).toEqual([
    "wrong: /dev/ttyUSB7 is not there -> plug it in, or name another port; there are: /dev/serial/by-id/usb-FTDI-if00",
  ]);
  expect(told(await lookAt(serial("/dev/ttyUSB7"), { "/data": PI["/data"] }))[0]).toContain(
    "no serial port is there",
  );
  expect(told(await lookAt(serial("/etc/passwd"), PI))[0]).toContain("/etc/passwd is no device");
});

test("a port of a group that the gateway is not in, and one that another program holds", async () => {
  expect(told(await lookAt(serial("/dev/serial/by-id/usb-FTDI-if00"), PI))).toEqual([
    "wrong: /dev/serial/by-id/usb-FTDI-if00 belongs to group dialout, and grindvakt is not in it -> " +
      "sudo usermod -aG dialout grindvakt, then start the gateway anew",
  ]);
  const held = async () => "it is in use by another program";
  const found = await lookAt(serial("/dev/serial/by-id/usb-FTDI-if00"), { ...PI, ...IN_DIALOUT }, null, held);
  expect(told(found)[0]).toMatch(/^wrong: it is in use by another program -> .*fuser/);
});

test("the kernel's console on the line, and an adapter that holds OSDP's answers back", async () => {
  const machine = {
    ...PI,
    ...IN_DIALOUT,
    "/proc/cmdline": { text: "console=tty1 console=ttyUSB0,115200 root=/dev/mmcblk0p2\n" },
    "/dev/tty1": { kind: "device" },
    "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer": { text: "16\n" },
  } as const;
  const found = told(await lookAt(serial("/dev/serial/by-id/usb-FTDI-if00", true), machine));
  expect(found).toEqual([
    "ok",
    expect.stringMatching(/^wrong: the kernel uses ttyUSB0 as its console -> .*raspi-config/),
    expect.stringMatching(
      /^warning: its USB adapter holds each answer back for 16 ms -> echo 1 .*ttyUSB0\/latency_timer;/,
    ),
  ]);
});

test("what the running gateway says of a device is believed, and its port left alone", async () => {
  const since = "2026-11-22T06:00:00.000Z";
  const place: Place = { kind: "tcp", address: "tcp://10.0.0.9:4001" };
  expect(told(await lookAt(place, PI, { state: "up", since, why: null }, null))).toEqual(["ok"]);
  expect(told(await lookAt(place, PI, { state: "down", since, why: "nothing listens" }, null))[0]).toMatch(
    /^wrong: down since .*: nothing listens/,
  );
  expect(told(await lookAt(place, PI, null, null))[0]).toMatch(
    /^warning: is not known to the running gateway/,
  );
  // Why it is down, where the machine shows it.
  expect(told(await lookAt(serial("/dev/ttyUSB7"), PI, { state: "down", since, why: "gone" }, null))).toEqual(
    [expect.stringMatching(/^wrong: \/dev\/ttyUSB7 is not there/)],
  );
});

test("a GPIO chip that is there, and one that is not, with those that are", async () => {
  const place: Place = { kind: "gpio", chip: "/dev/gpiochip4" };
  const chip = { kind: "device", mode: 0o660, gid: 997 } as const;
  const machine = { ...PI, ...IN_DIALOUT };
  expect(told(await lookAt(place, { ...machine, "/dev/gpiochip4": chip }))).toEqual(["ok"]);
  expect(told(await lookAt(place, { ...machine, "/dev/gpiochip0": chip }))).toEqual([
    "wrong: /dev/gpiochip4 is not there -> write another chip; there are: gpiochip0",
  ]);
  expect(told(await lookAt(place, machine))).toEqual([
    "wrong: /dev/gpiochip4 is not there -> use another driver: this machine shows no GPIO lines",
  ]);
});

const USB = {
  "/sys/bus/usb/devices/1-1.2/idVendor": { text: "08ff\n" },
  "/sys/bus/usb/devices/1-1.2/idProduct": { text: "0009\n" },
  "/sys/bus/usb/devices/1-1.2/product": { text: "RFID Reader\n" },
  "/sys/bus/usb/devices/1-1.2/busnum": { text: "1\n" },
  "/sys/bus/usb/devices/1-1.2/devnum": { text: "7\n" },
  "/dev/bus/usb/001/007": { kind: "device", mode: 0o664 },
} as const satisfies Record<string, Node>;

test("a USB device: there, closed to the account, or not there with what is", async () => {
  const place: Place = { kind: "usb", vendorId: 0x08ff, productId: 9 };
  expect(told(await lookAt(place, { ...PI, ...USB }))[0]).toMatch(
    /^wrong: 08ff:0009 is on USB, and not open to grindvakt -> .*udev/,
  );
  const raw = {
    "/sys/bus/usb/devices/1-1.2/1-1.2:1.0/0003:08FF:0009.0001/hidraw/hidraw0/dev": { text: "" },
    "/dev/hidraw0": { kind: "device", mode: 0o660, gid: 990 },
  } as const;
  expect(told(await lookAt(place, { ...PI, ...USB, ...raw }))).toEqual(["ok"]);
  expect(told(await lookAt({ ...place, productId: 8 }, { ...PI, ...USB }))).toEqual([
    "wrong: 08ff:0008 is not on USB -> plug it in, or write the numbers of another: 08ff:0009 RFID Reader",
  ]);
});

test("every device and every secret that a configuration names is looked at, and where it is", () => {
  const text = `
gateway: { id: gate-07, site: slussen }
cards: { feed: ./feed, root: ./root.json }
readers:
  - { id: line, driver: serial, port: /dev/ttyUSB0 }
  - { id: server, driver: serial, port: "tcp://10.0.0.9:4001" }
  - { id: bus, driver: osdp, port: /dev/ttyAMA0, address: 1, scbk: { file: ./key } }
  - { id: wedge, driver: hid, vendorId: 0x08ff, productId: 9 }
accessPoints:
  - id: north
    direction: entry
    readers: [line, server, bus, wedge]
    relay: { driver: hid-relay }
    inputs: { passage: { driver: gpio, line: 17 }, tamper: { driver: osdp-input, reader: bus } }
mqtt: { urls: ["mqtts://broker:8883"], username: gate-07, password: { env: PASSWORD } }
`;
  const loaded = parseConfiguration(text, "/site", {
    readers: READER_TYPES,
    relays: RELAY_TYPES,
    inputs: INPUT_TYPES,
  });
  if (loaded.kind !== "loaded") throw new Error(JSON.stringify(loaded.faults));
  const { configuration } = loaded;
  expect(devicesOf(configuration, null)).toEqual([
    { subject: "line", place: serial("/dev/ttyUSB0"), state: null },
    { subject: "server", place: { kind: "tcp", address: "tcp://10.0.0.9:4001" }, state: null },
    { subject: "bus", place: serial("/dev/ttyAMA0", true), state: null },
    { subject: "wedge", place: { kind: "usb", vendorId: 0x08ff, productId: 9 }, state: null },
    { subject: "relay of north", place: { kind: "usb", vendorId: 0x16c0, productId: 0x05df }, state: null },
    { subject: "passage of north", place: { kind: "gpio", chip: "/dev/gpiochip0" }, state: null },
    { subject: "tamper of north", place: { kind: "none", what: "at reader bus" }, state: null },
  ]);
  const since = "2026-11-22T06:00:00.000Z";
  const status = {
    ...wellStatus(),
    inputs: { north: { passage: { state: "closed", since, why: null } } },
  } as const;
  expect(
    devicesOf(configuration, status).find(({ subject }) => subject === "passage of north")?.state,
  ).toMatchObject({
    state: "up",
  });
  expect(secretsIn(configuration)).toEqual([
    { path: "readers[2].scbk", place: { file: "/site/key" } },
    { path: "mqtt.password", place: { env: "PASSWORD" } },
  ]);
});
