/**
 * Readers, relays and contacts: whether each is there, by what name, and open to the gateway. Of a running gateway its own word is
 * taken, and the port is left alone: a second program on it would steal bytes.
 */
import { basename, dirname } from "node:path";
import type { Machine } from "../../drivers/ports.ts";
import { type Account, groupName, mayUse } from "./account.ts";
import { type Finding, findings } from "./finding.ts";
import { lookAtCardReader, lookAtUsbDevice } from "./usb.ts";

const { ok, warning, wrong } = findings("devices");

/** Where a device is, by its driver's options. */
export type Place =
  | { kind: "serial"; path: string; isOsdp: boolean }
  | { kind: "tcp"; address: string }
  | { kind: "usb"; vendorId: number; productId: number }
  | { kind: "pcsc"; name: string }
  /** `chip`: its device file. */
  | { kind: "gpio"; chip: string }
  | { kind: "none"; what: string };

/** What a running gateway says of it. */
export interface DeviceState {
  state: "starting" | "up" | "down";
  since: string;
  why: string | null;
}

export interface DeviceUse {
  subject: string;
  place: Place;
  /** Null: no gateway runs, or it does not say. */
  state: DeviceState | null;
}

export interface DeviceWorld {
  machine: Machine;
  account: Account;
  /** Opens the port and closes it again: null, or why it cannot be had. Null itself while a gateway runs, whose ports they are. */
  tryPort: ((port: string) => Promise<string | null>) | null;
  /** The port's adapter, where it holds bytes back for longer than OSDP has to spare. `file`: where the kernel is told how long. */
  slowAdapter(port: string): Promise<{ heldMs: number; file: string } | null>;
}

const BY_ID = "/dev/serial/by-id";
const BY_PATH = "/dev/serial/by-path";

export async function lookAtDevice(use: DeviceUse, world: DeviceWorld): Promise<Finding[]> {
  const { subject, state } = use;
  if (state?.state === "up") return [ok(subject, `up since ${state.since}`), ...(await remarks(use, world))];
  if (state === null && world.tryPort === null)
    return [
      warning(
        subject,
        "is not known to the running gateway",
        "the configuration has changed: restart the gateway",
      ),
    ];
  const found = await lookAtPlace(use, world);
  if (state === null) return [...found, ...(await remarks(use, world))];
  // What is wrong with its place says more than that the gateway cannot open it.
  const because = found.filter(({ level }) => level === "wrong");
  if (because.length > 0) return because;
  if (state.state === "starting") return [warning(subject, "is being opened", "ask again in a few seconds")];
  const why = `down since ${state.since}: ${state.why ?? "no word why"}`;
  return [wrong(subject, why, "check its cable and power; the gateway tries again by itself")];
}

async function lookAtPlace({ subject, place }: DeviceUse, world: DeviceWorld): Promise<Finding[]> {
  switch (place.kind) {
    case "serial":
      return lookAtSerial(subject, place.path, world);
    case "tcp": {
      const why = (await world.tryPort?.(place.address)) ?? null;
      const todo = "check the device server's power, cable and address; it may serve one connection only";
      return [why === null ? ok(subject, `${place.address} answers`) : wrong(subject, why, todo)];
    }
    case "usb":
      return lookAtUsbDevice(subject, place, world);
    case "pcsc":
      return lookAtCardReader(subject, place.name, world.machine);
    case "gpio":
      return lookAtNode(subject, place.chip, world, await otherChips(world.machine));
    case "none":
      return [ok(subject, place.what)];
  }
}

async function lookAtSerial(subject: string, path: string, world: DeviceWorld): Promise<Finding[]> {
  const present = await serialNames(world.machine);
  const others = present.length === 0 ? "no serial port is there" : `there are: ${present.join(", ")}`;
  const found = await lookAtNode(subject, path, world, `plug it in, or name another port; ${others}`);
  if (found.some(({ level }) => level === "wrong")) return found;
  const why = (await world.tryPort?.(path)) ?? null;
  return why === null
    ? found
    : [wrong(subject, why, `see which program holds it with: sudo fuser -v ${path}`)];
}

/** A device file: there, a device, and open to the gateway's account. */
async function lookAtNode(
  subject: string,
  path: string,
  { machine, account }: DeviceWorld,
  todo: string,
): Promise<Finding[]> {
  const seen = await machine.look(path);
  if (seen === null) return [wrong(subject, `${path} is not there`, todo)];
  if (seen.kind !== "device") return [wrong(subject, `${path} is no device`, todo)];
  if (mayUse(account, seen, "read") && mayUse(account, seen, "write")) {
    const target = (await machine.target(path)) ?? path;
    return [ok(subject, target === path ? `${path} is there` : `${path} is there (${target})`)];
  }
  const group = await groupName(machine, seen.gid);
  return [
    wrong(
      subject,
      `${path} belongs to group ${group}, and ${account.name} is not in it`,
      `sudo usermod -aG ${group} ${account.name}, then start the gateway anew`,
    ),
  ];
}

async function otherChips(machine: Machine): Promise<string> {
  const chips = (await machine.names("/dev")).filter((name) => /^gpiochip\d+$/.test(name));
  return chips.length === 0
    ? "use another driver: this machine shows no GPIO lines"
    : `write another chip; there are: ${chips.join(", ")}`;
}

/** Everything that has a lasting name, and what has none. */
async function serialNames(machine: Machine): Promise<string[]> {
  const named = (await machine.names(BY_ID)).map((name) => `${BY_ID}/${name}`);
  const taken = new Set(await Promise.all(named.map((name) => machine.target(name))));
  const bare = (await machine.names("/dev"))
    .filter((name) => /^tty(USB|ACM|AMA)\d+$/.test(name))
    .map((name) => `/dev/${name}`)
    .filter((name) => !taken.has(name));
  return [...named, ...bare];
}

// ---------------------------------------------------------------- what works, and will not for long

async function remarks({ subject, place }: DeviceUse, world: DeviceWorld): Promise<Finding[]> {
  const { machine } = world;
  if (place.kind !== "serial" || (await machine.look(place.path)) === null) return [];
  const node = basename((await machine.target(place.path)) ?? place.path);
  const found = [
    await lookAtName(subject, place.path, node, machine),
    await lookAtConsole(subject, node, machine),
  ];
  if (place.isOsdp) found.push(await lookAtLatency(subject, place.path, world));
  return found.filter((finding) => finding !== null);
}

/** `ttyUSB0` is whichever adapter came first. */
async function lookAtName(
  subject: string,
  path: string,
  node: string,
  machine: Machine,
): Promise<Finding | null> {
  if (dirname(path) !== "/dev" || !/^tty(USB|ACM)/.test(node)) return null;
  for (const dir of [BY_ID, BY_PATH]) {
    for (const name of await machine.names(dir)) {
      if ((await machine.target(`${dir}/${name}`)) !== path) continue;
      return warning(
        subject,
        `${path} may have another name after a re-plug`,
        `write instead: port: ${dir}/${name}`,
      );
    }
  }
  return null;
}

/** The kernel's own words would go to the reader, and what the reader says to a login prompt. */
async function lookAtConsole(subject: string, node: string, machine: Machine): Promise<Finding | null> {
  const line = (await machine.text("/proc/cmdline")) ?? "";
  const consoles = [...line.matchAll(/\bconsole=([\w-]+)/g)].map(([, name = ""]) => name);
  const targets = await Promise.all(consoles.map((name) => machine.target(`/dev/${name}`)));
  if (!targets.includes(`/dev/${node}`)) return null;
  return wrong(
    subject,
    `the kernel uses ${node} as its console`,
    `take console=… of it out of the kernel's command line (on a Pi: raspi-config, Serial Port, login shell: no), and restart`,
  );
}

async function lookAtLatency(subject: string, path: string, world: DeviceWorld): Promise<Finding | null> {
  const slow = await world.slowAdapter(path);
  if (slow === null) return null;
  return warning(
    subject,
    `its USB adapter holds each answer back for ${slow.heldMs} ms`,
    `echo 1 | sudo tee ${slow.file}; a udev rule makes it last, see docs/osdp.md`,
  );
}
