/** What doctor says of a machine: each fault is written down as the kernel would show it, and must be found with its cure. */
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseConfiguration } from "../../config/load.ts";
import { devicesOf, readSecrets, secretsIn } from "../../daemon/commands/doctor-site.ts";
import { gatewayAccount, mayUse } from "../../daemon/doctor/account.ts";
import { lookAtClock } from "../../daemon/doctor/clock.ts";
import { type DeviceUse, lookAtDevice, type Place } from "../../daemon/doctor/devices.ts";
import { lookAtDisk } from "../../daemon/doctor/disk.ts";
import type { Finding } from "../../daemon/doctor/finding.ts";
import { lookAtDataDir, lookAtFile, lookAtSecret, lookAtTokenKey } from "../../daemon/doctor/permissions.ts";
import { lookAtGateway, lookAtList } from "../../daemon/doctor/running.ts";
import { lookAtPcsc } from "../../daemon/doctor/usb.ts";
import { slowAdapterOf } from "../../drivers/latency-timer.ts";
import { createMachine } from "../../drivers/machine.ts";
import type { Files } from "../../drivers/ports.ts";
import { INPUT_TYPES, READER_TYPES, RELAY_TYPES } from "../../drivers/registry.ts";
import { wellStatus } from "../e2e/console-house.ts";
import { type Node, paperMachine } from "./paper-machine.ts";

const PI = {
  "/etc/passwd": { text: "root:x:0:0::/root:/bin/sh\ngrindvakt:x:990:990::/:/bin/false\n" },
  "/etc/group": { text: "root:x:0:\ndialout:x:20:otto\ngpio:x:997:\ngrindvakt:x:990:\n" },
  "/data": { kind: "directory", mode: 0o700, uid: 990, gid: 990 },
  "/dev/ttyUSB0": { kind: "device", mode: 0o660, gid: 20 },
  "/dev/serial/by-id/usb-FTDI-if00": { to: "/dev/ttyUSB0" },
} as const satisfies Record<string, Node>;

const IN_DIALOUT = {
  "/etc/systemd/system/grindvakt.service": { text: "[Service]\nSupplementaryGroups=gpio dialout\n" },
};

async function lookAt(
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

const serial = (path: string, isOsdp = false): Place => ({ kind: "serial", path, isOsdp });

/** The levels, and the words of all that is not well. */
function told(found: readonly Finding[]): string[] {
  return found.map(({ level, what, todo }) => (level === "ok" ? "ok" : `${level}: ${what} -> ${todo}`));
}

// ---------------------------------------------------------------- accounts

test("the account is the one whose data it is, with the groups that its unit adds", async () => {
  const account = await gatewayAccount(paperMachine({ ...PI, ...IN_DIALOUT }), "/data");
  expect({ ...account, groups: [...account.groups].sort((a, b) => a - b) }).toEqual({
    uid: 990,
    name: "grindvakt",
    groups: [20, 990, 997],
    handed: new Set(),
  });
  const seen = { kind: "device", mode: 0o640, uid: 0, gid: 20 } as const;
  expect([mayUse(account, seen, "read"), mayUse(account, seen, "write")]).toEqual([true, false]);
  expect(mayUse({ ...account, uid: 0 }, { ...seen, mode: 0 }, "write")).toBe(true);
  expect(mayUse(account, { ...seen, uid: 990, mode: 0o066 }, "read")).toBe(false);
});

test("a secret that is root's is the gateway's to read where its unit hands it over", async () => {
  const unit = "/etc/systemd/system/grindvakt.service";
  const file = "/etc/grindvakt/pass%word";
  const secret = { path: "mqtt.password", place: { file }, refused: null };
  const look = async (text: string) => {
    const machine = paperMachine({ ...PI, [unit]: { text }, [file]: { mode: 0o600, uid: 0 } });
    return (await lookAtSecret(machine, secret, await gatewayAccount(machine, "/data"))).level;
  };
  expect(await look("[Service]\n")).toBe("wrong");
  expect(await look("[Service]\nLoadCredential=password-1:/etc/grindvakt/pass%%word\n")).toBe("ok");
  const encrypted = "[Service]\nLoadCredentialEncrypted=password-1:/etc/grindvakt/pass%%word.cred\n";
  expect(await look(encrypted)).toBe("ok");
});

test("a key or a password that is open to more than the service is found, with the command that closes it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-doctor-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const names = ["feed", "mqtt", "console", "scbk", "token"];
  for (const name of names) await writeFile(join(dir, name), "0".repeat(64), { mode: 0o600 });
  const text = `
gateway: { id: g, site: s }
cards: { feed: "https://f/", root: ./r, username: a, password: { file: ./feed }, tokenKey: { file: ./token } }
readers: [{ id: a, driver: osdp, port: /dev/ttyAMA0, address: 1, scbk: { file: ./scbk } }]
accessPoints: [{ id: in, direction: entry, readers: [a] }]
mqtt: { urls: ["mqtts://b"], username: a, password: { file: ./mqtt } }
console: { password: { file: ./console } }
`;
  const types = { readers: READER_TYPES, relays: RELAY_TYPES, inputs: INPUT_TYPES };
  const loaded = parseConfiguration(text, dir, types);
  if (loaded.kind !== "loaded") throw new Error(JSON.stringify(loaded.faults));
  const refusedOf = async () => (await readSecrets(loaded.configuration)).map(({ use }) => use.refused);
  expect(await refusedOf()).toEqual([null, null, null, null, null]);
  for (const mode of [0o604, 0o640, 0o620, 0o644]) {
    for (const name of names) await chmod(join(dir, name), mode);
    for (const refused of await refusedOf()) expect(refused).toMatch(/open to other users: chmod 600/);
  }
});

test("a token key that lies beside what it hides is warned of", () => {
  expect(lookAtTokenKey("/etc/grindvakt/token.key", "/var/lib/grindvakt")).toEqual([]);
  expect(lookAtTokenKey(null, "/var/lib/grindvakt")).toEqual([]);
  for (const file of [undefined, "/var/lib/grindvakt/keys/token.key"])
    expect(lookAtTokenKey(file, "/var/lib/grindvakt")).toMatchObject([{ level: "warning" }]);
});

// ---------------------------------------------------------------- devices

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

const ACR122 = {
  "/sys/bus/usb/devices/1-1:1.0/bInterfaceClass": { text: "0b\n" },
  "/sys/bus/usb/devices/1-1/manufacturer": { text: "ACS\n" },
  "/sys/bus/usb/devices/1-1/product": { text: "ACR122U PICC Interface\n" },
} as const satisfies Record<string, Node>;

test("a card reader by a part of its name, by another, or none", async () => {
  expect(told(await lookAt({ kind: "pcsc", name: "ACS ACR122U" }, { ...PI, ...ACR122 }))).toEqual(["ok"]);
  expect(told(await lookAt({ kind: "pcsc", name: "Identiv" }, { ...PI, ...ACR122 }))[0]).toMatch(
    /^warning: on USB: ACS ACR122U PICC Interface; none is called Identiv there -> .*pcsc_scan/,
  );
  expect(told(await lookAt({ kind: "pcsc", name: "ACS" }, PI))[0]).toMatch(
    /^wrong: no card reader is on USB/,
  );
});

test("the kernel's pn533 in front of pcscd, with the file that mends it", async () => {
  const machine = paperMachine({
    ...ACR122,
    "/proc/modules": {
      text: "pn533_usb 16384 0 - Live 0x0\npn533 45056 1 pn533_usb, Live 0x0\nnfc 98304 1\n",
    },
    "/sys/bus/usb/devices/1-1:1.0/driver": { to: "/sys/bus/usb/drivers/pn533_usb" },
    "/sys/bus/usb/drivers/pn533_usb": { kind: "directory" },
    "/run/pcscd/pcscd.comm": { kind: "socket", answers: true },
  });
  const [kernel, pcscd] = told(await lookAtPcsc(machine));
  expect(kernel).toMatch(/pn533_usb, pn533, nfc are loaded and hold ACS ACR122U PICC Interface/);
  expect(kernel).toContain(
    "printf 'blacklist pn533_usb\\nblacklist pn533\\nblacklist nfc\\n' | sudo tee /etc/modprobe.d/grindvakt.conf",
  );
  expect(pcscd).toBe("ok");
  const other = paperMachine({ "/proc/modules": { text: "pn533_other 1 0\n" } });
  expect(told(await lookAtPcsc(other))[0]).toBe("ok");
});

test("libccid: what it keeps from a reader, and a reader from us", async () => {
  const options = (value: string, more: Record<string, Node> = {}) =>
    paperMachine({
      ...ACR122,
      "/etc/libccid_Info.plist": {
        text: `<key>ifdDriverOptions</key>\n\t<string>${value}</string>\n<string>0x072F</string>\n`,
      },
      ...more,
    });
  const [, , shut, ...more] = told(await lookAtPcsc(options("0x0000")));
  expect(more).toEqual([]);
  expect(shut).toBe(
    "warning: lets no escape command through: light and beep of ACS ACR122U PICC Interface are lost, or come only through a card" +
      " -> sudo sed -i '/ifdDriverOptions/,+1s/0x0000/0x0001/' /etc/libccid_Info.plist, then sudo systemctl restart pcscd",
  );
  expect(told(await lookAtPcsc(options("0x0009"))).slice(2)).toEqual(["ok"]);
  const old = {
    "/sys/bus/usb/devices/1-1/idVendor": { text: "072f\n" },
    "/sys/bus/usb/devices/1-1/idProduct": { text: "2200\n" },
    "/sys/bus/usb/devices/1-1/bcdDevice": { text: "0203\n" },
  };
  expect(told(await lookAtPcsc(options("0x0001", old))).slice(2)).toEqual([
    expect.stringMatching(
      /^wrong: takes no ACR122U whose firmware is older than 2\.06, and .*0x0001\/0x0005/,
    ),
  ]);
  expect(told(await lookAtPcsc(options("0x0005", old))).slice(2)).toEqual(["ok"]);
  const other = { "/sys/bus/usb/devices/1-1/product": { text: "uTrust 3700 F CL Reader\n" } };
  expect(told(await lookAtPcsc(options("0x0000", other))).slice(2)).toEqual([]);
  expect(told(await lookAtPcsc(paperMachine(ACR122))).slice(2)).toEqual([]);
});

test("pcscd: not there, left behind by a crash, and there", async () => {
  const root = await mkdtemp(join(tmpdir(), "machine-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const machine = createMachine(root);
  const pcscd = async () => told(await lookAtPcsc(machine))[1];
  expect(await pcscd()).toMatch(/does not run: .*not there -> .*systemctl enable --now pcscd.socket/);
  const socket = join(root, "run/pcscd/pcscd.comm");
  await mkdir(join(root, "run/pcscd"), { recursive: true });
  await writeFile(socket, "");
  expect(await pcscd()).toMatch(/does not answer/);
  await rm(socket);
  const server = createServer((client) => client.destroy());
  await new Promise<void>((done) => server.listen(socket, done));
  onTestFinished(() => new Promise<void>((done) => server.close(() => done())));
  expect(await pcscd()).toBe("ok");
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

// ---------------------------------------------------------------- files

test("dataDir: not there yet, open to others, not its owner's to write, with a stranger's file in it", async () => {
  const look = async (nodes: Readonly<Record<string, Node>>) => {
    const machine = paperMachine({ ...PI, ...nodes });
    return told(await lookAtDataDir(machine, "/data", await gatewayAccount(machine, "/data")));
  };
  expect(await look({})).toEqual(["ok"]);
  expect(await look({ "/data": { kind: "directory", mode: 0o755, uid: 990 } })).toEqual([
    expect.stringMatching(/^warning: .*open to other accounts \(mode 0755\) -> sudo chmod 700/),
  ]);
  expect((await look({ "/data": { kind: "directory", mode: 0o500, uid: 990 } }))[0]).toMatch(
    /^wrong: .*mode 0500/,
  );
  expect((await look({ "/data": { kind: "file" } }))[0]).toMatch(/^wrong: .*no directory/);
  expect(await look({ "/data/site-list.json": { mode: 0o600 } })).toEqual([
    "ok",
    expect.stringMatching(/^wrong: \/data\/site-list.json belongs to another account .*chown -R grindvakt/),
  ]);
  const bare = paperMachine({});
  expect(told(await lookAtDataDir(bare, "/data", await gatewayAccount(bare, "/data")))[0]).toMatch(
    /^warning: .*not there/,
  );
});

test("secrets and certificates that the gateway's account cannot read, or everybody can", async () => {
  const nodes = {
    ...PI,
    "/keys/mine": { mode: 0o600, uid: 990 },
    "/keys/roots": { mode: 0o600 },
    "/keys/all": { mode: 0o644 },
  };
  const machine = paperMachine(nodes);
  const account = await gatewayAccount(machine, "/data");
  const secret = async (file: string, refused: string | null = null) =>
    told([await lookAtSecret(machine, { path: "mqtt.password", place: { file }, refused }, account)])[0];
  expect(await secret("/keys/mine")).toBe("ok");
  expect(await secret("/keys/roots")).toMatch(/^wrong: .*not open to grindvakt -> sudo chown grindvakt/);
  expect(await secret("/keys/all", "/keys/all is open to other users: chmod 600 /keys/all")).toMatch(
    /^wrong/,
  );
  const env = { path: "mqtt.password", place: { env: "PASSWORD" }, refused: "PASSWORD is not set" };
  expect(told([await lookAtSecret(machine, env, account)])[0]).toMatch(/^warning: .*EnvironmentFile/);
  const file = async (path: string, isKey: boolean) =>
    told([
      await lookAtFile(machine, { path: "mqtt.tls.key", file: path, isKey, todo: "put it there" }, account),
    ])[0];
  expect(await file("/keys/absent", false)).toBe("wrong: /keys/absent is not there -> put it there");
  expect(await file("/keys/roots", false)).toMatch(/^wrong: .*mode 0600\) -> sudo chmod a\+r/);
  expect(await file("/keys/all", true)).toMatch(/^warning: .*chmod 600/);
  expect(await file("/keys/all", false)).toBe("ok");
});

// ---------------------------------------------------------------- clock and disk

test("a clock that nobody has set", async () => {
  const unset = await lookAtClock(paperMachine({}), { trusted: false, wallMs: 0 });
  expect(told(unset)[0]).toMatch(
    /^wrong: 1970-01-01.*no clock with a battery.* -> .*timedatectl set-ntp true/,
  );
  const withBattery = paperMachine({ "/sys/class/rtc/rtc0/name": { text: "" } });
  expect(told(await lookAtClock(withBattery, { trusted: false, wallMs: 0 }))[0]).not.toContain("battery");
  expect(told(await lookAtClock(withBattery, { trusted: true, wallMs: 0 }))).toEqual(["ok"]);
});

test.each([
  ["ENOSPC", "the disk is full"],
  ["EROFS", "mounted read-only"],
  ["EIO", "the disk fails"],
  ["EACCES", "sudo"],
])("a disk that answers %s", async (code, words) => {
  const fail = () => Promise.reject(Object.assign(new Error(`${code}: no`), { code }));
  const files = { replace: fail, remove: async () => {}, freeBytes: async () => 0, names: async () => [] };
  const use = { dataDir: "/data", journalDir: "/data/journal", maxBytes: 1e9 };
  const found = told(await lookAtDisk(paperMachine(PI), files as unknown as Files, use));
  expect(found[0]).toContain(words);
  expect(found[2]).toMatch(/^wrong: 0.0 MiB are free/);
});

test("a file in the place of dataDir is told of once", async () => {
  const machine = paperMachine({ ...PI, "/data": { text: "" } });
  const use = { dataDir: "/data", journalDir: "/data/journal", maxBytes: 1e9 };
  expect(await lookAtDisk(machine, {} as Files, use)).toEqual([]);
});

// ---------------------------------------------------------------- the gateway and its list

test("what a running gateway says: another version, an event that is refused, a journal that fails", () => {
  const status = wellStatus();
  const found = lookAtGateway(
    {
      kind: "running",
      status: {
        ...status,
        version: "0.0.9",
        outbox: { ...status.outbox, refused: "not authorized" },
        journal: { ...status.journal, state: "failed" },
      },
    },
    "/data",
  );
  expect(told(found)).toEqual([
    expect.stringMatching(/^warning: runs version 0.0.9, and this is /),
    expect.stringMatching(/^wrong: cannot be written/),
    expect.stringMatching(/^wrong: the broker refuses an event: not authorized; 3 wait behind it -> /),
  ]);
  expect(told(lookAtGateway({ kind: "silent" }, "/data"))[0]).toMatch(/^wrong: another program holds \/data/);
  expect(told(lookAtGateway({ kind: "stopped" }, "/data"))[0]).toMatch(/^warning: does not run/);
});

test.each([
  ["fresh", "ok"],
  ["late", "warning"],
  ["stale", "wrong"],
] as const)("a list that is %s", (freshness, level) => {
  expect(lookAtList({ revision: 7, freshness, refreshedAt: null }).level).toBe(level);
  expect(lookAtList({ revision: null, freshness, refreshedAt: null }).level).toBe("wrong");
  expect(lookAtList(null).level).toBe("wrong");
});

// ---------------------------------------------------------------- the real machine

test("the machine's own files, links and devices are seen as they are, and nothing rejects", async () => {
  const root = await mkdtemp(join(tmpdir(), "machine-"));
  onTestFinished(() => rm(root, { recursive: true }));
  await writeFile(join(root, "file"), "words", { mode: 0o640 });
  await symlink("file", join(root, "link"));
  const machine = createMachine(root);
  expect(await machine.look("/link")).toMatchObject({ kind: "file", mode: 0o640, uid: process.getuid?.() });
  expect([await machine.text("/link"), await machine.target("/link")]).toEqual(["words", "/file"]);
  expect(await machine.names("")).toEqual(["file", "link"]);
  for (const path of ["/absent", "/file/below"]) {
    expect(await machine.look(path)).toBeNull();
    expect([await machine.text(path), await machine.target(path), await machine.names(path)]).toEqual([
      null,
      null,
      [],
    ]);
    expect(await machine.answers(path)).toBe(false);
  }
  expect(await createMachine().look("/dev/null")).toMatchObject({ kind: "device" });
  // Longer than the page that /proc gives at a time.
  expect((await createMachine().text("/proc/self/smaps"))?.length).toBeGreaterThan(8_192);
});
