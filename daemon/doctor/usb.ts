/**
 * What is plugged into USB, by /sys: keyboard-like readers, relay boards, and card readers, with what the kernel did to them.
 */
import { basename } from "node:path";
import type { Machine } from "../../drivers/ports.ts";
import { type Account, mayUse } from "./account.ts";
import { type Finding, findings } from "./finding.ts";

const device = findings("devices");
const pcsc = findings("pcsc");

const DEVICES = "/sys/bus/usb/devices";
/** USB's class for smart card readers (CCID). */
const CCID_CLASS = "0b";
/** The kernel's own NFC drivers: they take PN533 readers, the ACR122U among them, away from pcscd. */
const NFC_MODULES = ["pn533_usb", "pn533", "nfc"];
const PCSCD_SOCKET = "/run/pcscd/pcscd.comm";
const LIBCCID = "/etc/libccid_Info.plist";
/** Of libccid's ifdDriverOptions. */
const ESCAPES_PASS = 0x1;
const OLD_FIRMWARE_PASSES = 0x4;
/** Readers whose lamps and buzzer the gateway knows, by their names on USB. */
const LIT_READERS = /\b(?:ACR122[TU]?\b|AC[RM]1252)/i;
const ACR122U = "072f:2200";
/** Before 2.06 (ccid_usb.c, `Bogus_firmwares`), as /sys has it. */
const ACR122U_RELEASE_MIN = "0206";

export async function lookAtUsbDevice(
  subject: string,
  wanted: { vendorId: number; productId: number },
  { machine, account }: { machine: Machine; account: Account },
): Promise<Finding[]> {
  const name = `${hex(wanted.vendorId)}:${hex(wanted.productId)}`;
  const present = await usbDevices(machine);
  const found = present.find(({ id }) => id === name);
  if (found === undefined) {
    const others = present.map(({ id, product }) => `${id} ${product}`.trim()).join(", ");
    const todo = `plug it in, or write the numbers of another: ${others === "" ? "nothing is on USB" : others}`;
    return [device.wrong(subject, `${name} is not on USB`, todo)];
  }
  const nodes = await nodesOf(machine, found.path);
  const seen = (await Promise.all(nodes.map((node) => machine.look(node)))).filter((node) => node !== null);
  const isOpen = seen.some((node) => mayUse(account, node, "read") && mayUse(account, node, "write"));
  if (seen.length > 0 && !isOpen)
    return [
      device.wrong(
        subject,
        `${name} is on USB, and not open to ${account.name}`,
        `give it to the account by a udev rule for ${name}, then plug it in again`,
      ),
    ];
  return [device.ok(subject, `${name} is on USB ${found.product}`.trim())];
}

/** The device files that programs open: of the device itself (libusb), and of its reports (hidraw). */
async function nodesOf(machine: Machine, path: string): Promise<string[]> {
  const number = async (name: string): Promise<string> =>
    ((await machine.text(`${path}/${name}`)) ?? "").trim().padStart(3, "0");
  const nodes = [`/dev/bus/usb/${await number("busnum")}/${await number("devnum")}`];
  for (const part of (await machine.names(path)).filter((name) => name.includes(":"))) {
    for (const hid of (await machine.names(`${path}/${part}`)).filter((name) => /^0003:/.test(name))) {
      for (const raw of await machine.names(`${path}/${part}/${hid}/hidraw`)) nodes.push(`/dev/${raw}`);
    }
  }
  return nodes;
}

interface UsbDevice {
  path: string;
  /** `08ff:0009`. */
  id: string;
  product: string;
  /** `0214`: of its firmware. */
  release: string;
}

async function usbDevices(machine: Machine): Promise<UsbDevice[]> {
  const names = (await machine.names(DEVICES)).filter((name) => /^\d+-[\d.]+$/.test(name));
  return Promise.all(names.map((name) => usbDevice(machine, `${DEVICES}/${name}`)));
}

async function usbDevice(machine: Machine, path: string): Promise<UsbDevice> {
  const text = async (name: string): Promise<string> =>
    ((await machine.text(`${path}/${name}`)) ?? "").trim();
  const [vendor, id, maker, product, release = ""] = await Promise.all(
    ["idVendor", "idProduct", "manufacturer", "product", "bcdDevice"].map(text),
  );
  return { path, id: `${vendor}:${id}`, product: `${maker} ${product}`.trim(), release };
}

function hex(number: number): string {
  return number.toString(16).padStart(4, "0");
}

// ---------------------------------------------------------------- card readers

export async function lookAtCardReader(subject: string, name: string, machine: Machine): Promise<Finding[]> {
  const present = await cardReaders(machine);
  if (present.length === 0)
    return [
      device.wrong(subject, "no card reader is on USB", "plug it in; some need their power taken away once"),
    ];
  const words = present.map(({ product }) => product).join(", ");
  return present.some(({ product }) => product.toLowerCase().includes(name.toLowerCase()))
    ? [device.ok(subject, `on USB: ${words}`)]
    : [
        device.warning(
          subject,
          `on USB: ${words}; none is called ${name} there`,
          "PC/SC may use another name: pcsc_scan shows it, and a part of it goes into name",
        ),
      ];
}

async function cardReaders(machine: Machine): Promise<UsbDevice[]> {
  const parts = (await machine.names(DEVICES)).filter((name) => name.includes(":"));
  const paths = new Set<string>();
  for (const part of parts) {
    const isCcid = (await machine.text(`${DEVICES}/${part}/bInterfaceClass`))?.trim() === CCID_CLASS;
    if (isCcid) paths.add(`${DEVICES}/${part.split(":")[0]}`);
  }
  return Promise.all([...paths].map((path) => usbDevice(machine, path)));
}

/** What stands between a card reader and us: the kernel's own drivers, and pcscd. */
export async function lookAtPcsc(machine: Machine): Promise<Finding[]> {
  return [await lookAtModules(machine), await lookAtPcscd(machine), ...(await lookAtLibccid(machine))];
}

async function lookAtModules(machine: Machine): Promise<Finding> {
  const loaded = ((await machine.text("/proc/modules")) ?? "").split("\n").map((line) => line.split(" ")[0]);
  const taken = NFC_MODULES.filter((name) => loaded.includes(name));
  if (taken.length === 0) return pcsc.ok("kernel", "leaves card readers to pcscd");
  const holders = await heldBy(machine, taken);
  const what = `the kernel's modules ${taken.join(", ")} are loaded${holders}: pcscd does not see PN533 readers such as the ACR122U`;
  const lines = taken.map((name) => `blacklist ${name}`).join("\\n");
  return pcsc.wrong(
    "kernel",
    what,
    `printf '${lines}\\n' | sudo tee /etc/modprobe.d/grindvakt.conf, then sudo modprobe -r ${taken.join(" ")}, and plug the reader in again`,
  );
}

/** The readers that such a module has in its hands. */
async function heldBy(machine: Machine, modules: readonly string[]): Promise<string> {
  const held: string[] = [];
  for (const part of (await machine.names(DEVICES)).filter((name) => name.includes(":"))) {
    const driver = await machine.target(`${DEVICES}/${part}/driver`);
    if (driver === null || !modules.includes(basename(driver))) continue;
    held.push((await usbDevice(machine, `${DEVICES}/${part.split(":")[0]}`)).product);
  }
  return held.length === 0 ? "" : ` and hold ${held.join(", ")}`;
}

async function lookAtPcscd(machine: Machine): Promise<Finding> {
  const seen = await machine.look(PCSCD_SOCKET);
  if (seen !== null && (await machine.answers(PCSCD_SOCKET))) return pcsc.ok("pcscd", "answers");
  const what =
    seen === null ? `does not run: ${PCSCD_SOCKET} is not there` : `does not answer at ${PCSCD_SOCKET}`;
  return pcsc.wrong(
    "pcscd",
    what,
    "sudo systemctl enable --now pcscd.socket; where there is no such unit: sudo apt-get install pcscd",
  );
}

/** What the driver between pcscd and USB keeps from readers, or readers from us. */
async function lookAtLibccid(machine: Machine): Promise<Finding[]> {
  const text = (await machine.text(LIBCCID)) ?? "";
  const [, written] = /<key>ifdDriverOptions<\/key>\s*<string>(0x[\da-f]+)<\/string>/i.exec(text) ?? [];
  if (written === undefined) return [];
  const options = Number(written);
  const cure = (bit: number): string => {
    const wanted = `0x${hex(options | bit)}`;
    return `sudo sed -i '/ifdDriverOptions/,+1s/${written}/${wanted}/' ${LIBCCID}, then sudo systemctl restart pcscd`;
  };
  const present = await cardReaders(machine);
  const found: Finding[] = [];
  const isOld = ({ id, release }: UsbDevice) => id === ACR122U && release < ACR122U_RELEASE_MIN;
  if ((options & OLD_FIRMWARE_PASSES) === 0 && present.some(isOld)) {
    const what =
      "takes no ACR122U whose firmware is older than 2.06, and there is one: pcscd does not show it";
    const todo = `use a newer one; at your own risk: ${cure(OLD_FIRMWARE_PASSES)}`;
    found.push(pcsc.wrong("libccid", what, todo));
  }
  const lit = present.filter(({ product }) => LIT_READERS.test(product));
  if ((options & ESCAPES_PASS) === 0 && lit.length > 0) {
    const what = `lets no escape command through: light and beep of ${namesOf(lit)} are lost, or come only through a card`;
    found.push(pcsc.warning("libccid", what, cure(ESCAPES_PASS)));
  }
  return found.length > 0 || lit.length === 0
    ? found
    : [pcsc.ok("libccid", `lets light and beep through to ${namesOf(lit)}`)];
}

function namesOf(devices: readonly UsbDevice[]): string {
  return [...new Set(devices.map(({ product }) => product))].join(", ");
}
