/** What doctor says between a PC/SC reader and us: the kernel, pcscd and libccid. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { lookAtPcsc } from "../../daemon/doctor/usb.ts";
import { createMachine } from "../../drivers/machine.ts";
import { lookAt, PI, told } from "./doctor-pi.ts";
import { type Node, paperMachine } from "./paper-machine.ts";

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
