/**
 * The virtual machine itself: one QEMU process, ended by whoever started it. What tests do with the guest inside is
 * in `guest.ts`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { freePort } from "../peers/mosquitto.ts";
import { Guest, type Place } from "./guest.ts";

const HOUSE = resolve(import.meta.dirname, "../..");
/** Without hardware virtualization a boot takes 13 s alone, and several times that beside other work. */
const bootMsMax = 300_000;
const lookMs = 50;

export interface Machine {
  place: Place;
  guest: Guest;
  /** Ends it at once, as a pulled plug does, and removes what it left. */
  dispose(): Promise<void>;
}

/**
 * Boots the guest of `image` (a directory that `guest/build.sh` printed). In it, read-only: the built checkout at
 * `/house`. For both sides to write, under one name: `place.shared`. Its disk is forgotten when it ends.
 */
export async function bootMachine(image: string, parent: string): Promise<Machine> {
  // A UNIX socket's name has 108 bytes: the directory lies high up.
  const dir = await mkdtemp(join(parent, "run-"));
  const place: Place = {
    dir,
    image,
    shared: join(dir, "shared"),
    sshPort: await freePort(),
    accelerator: (await canVirtualize()) ? "kvm" : "tcg",
  };
  await mkdir(place.shared);
  const log = openSync(join(dir, "qemu.log"), "w");
  const qemu = spawn("qemu-system-x86_64", argumentsOf(place), {
    stdio: ["ignore", log, log],
    // QEMU puts what the guest writes to its root into an unnamed file there.
    env: { ...process.env, TMPDIR: dir },
  });
  const end = () => void qemu.kill("SIGKILL");
  process.once("exit", end);
  const exited = once(qemu, "exit");
  const guest = new Guest(place);
  const dispose = async (): Promise<void> => {
    await guest.disconnect();
    process.off("exit", end);
    end();
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await readiness(place, qemu, 1);
    await guest.connect();
  } catch (error) {
    await dispose();
    throw error;
  }
  return { place, guest, dispose };
}

/** Waits until the guest has said `boots` times that it takes commands. */
export async function readiness(place: Place, qemu: ChildProcess | null, boots: number): Promise<void> {
  const untilMs = performance.now() + bootMsMax;
  for (;;) {
    const said = await readFile(join(place.dir, "console.log"), "utf8").catch(() => "");
    if (said.split("RIG-READY").length > boots) return;
    if (qemu !== null && (qemu.exitCode ?? qemu.signalCode) !== null)
      throw new Error(`QEMU ended: ${readFileSync(join(place.dir, "qemu.log"), "utf8")}`);
    if (performance.now() > untilMs) throw new Error(`the guest did not boot: ${said.slice(-2_000)}`);
    await new Promise((go) => setTimeout(go, lookMs));
  }
}

function argumentsOf({ dir, image, shared, sshPort, accelerator }: Place): string[] {
  const shares = [`${HOUSE},readonly=on`, shared, `${join(import.meta.dirname, "guest")},readonly=on`];
  return [
    ..."-nodefaults -no-user-config -display none -machine q35,vmport=off,smm=off,usb=off -smp 1 -m 1024".split(
      " ",
    ),
    ...(accelerator === "kvm" ? "-accel kvm -cpu host" : "-accel tcg,tb-size=256 -cpu max,la57=off").split(
      " ",
    ),
    ...["-kernel", join(image, "vmlinuz"), "-initrd", join(image, "initrd")],
    ...[
      "-append",
      "console=ttyS0 quiet loglevel=3 mitigations=off random.trust_cpu=on net.ifnames=0 fsck.mode=skip",
    ],
    ...["-chardev", `file,id=console,path=${join(dir, "console.log")}`, "-serial", "chardev:console"],
    ...["-qmp", `unix:${join(dir, "qmp.sock")},server=on,wait=off`],
    ...["-drive", `if=none,id=root,file=${join(image, "root.img")},format=raw,snapshot=on,cache=unsafe`],
    ...["-device", "virtio-blk-pci,drive=root"],
    // The guest reaches nothing outside; only commands come in, from the loopback address.
    ...["-netdev", `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-:22`],
    ...["-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"],
    ...["-device", "qemu-xhci,id=xhci,p2=15,p3=15"],
    // Where a disk is plugged in.
    ...["-device", "pcie-root-port,id=disks,chassis=1,slot=1"],
    ...shares.flatMap((path, index) => [
      ...["-fsdev", `local,id=share${index},security_model=none,multidevs=remap,path=${path}`],
      ...["-device", `virtio-9p-pci,fsdev=share${index},mount_tag=share${index}`],
    ]),
  ];
}

/**
 * Whether KVM runs a stock kernel. `/dev/kvm` alone is not enough: where the processor shows neither vmx nor svm it is
 * software, which interprets such a kernel and is slower than QEMU's own translation.
 */
async function canVirtualize(): Promise<boolean> {
  const flags = /^flags\s*:(.*)$/m.exec(await readFile("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  if (!/\b(vmx|svm)\b/.test(flags)) return false;
  const device = await open("/dev/kvm", "r+").catch(() => null);
  await device?.close();
  return device !== null;
}
