/**
 * Power cuts: the gateway's data lies on a disk that remembers every write and flush, under taps and list updates. The disk is
 * then rebuilt as cuts around its flushes would have left it, and each is looked at here; some are booted.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, onTestFinished, test } from "vitest";
import { P } from "../e2e/ear.ts";
import { CARDS, until } from "../e2e/site.ts";
import { startSubscriber } from "../peers/mosquitto.ts";
import { CutDisk, type Moment } from "./cut-disk.ts";
import { cutFaults, type Known } from "./cut-faults.ts";
import { type Gate, guest, setGate } from "./gate.ts";
import { readiness } from "./machine.ts";
import { serveDisk } from "./nbd.ts";
import { UsbSerial } from "./usb-serial.ts";

const CUTS = inject("cuts");
const BOOTS = 5;
/** Enough flushes for the cuts: a tap takes about two. */
const TAPS = 60;
const TAPS_A_REVISION = 10;
const DISK_BYTES = 24 * 1024 * 1024;
const MOUNT = "/cut";
const PORT = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_CUT-if00-port0";

const run = promisify(execFile);

interface Cut {
  moment: Moment;
  image: Buffer;
  mark: Known | null;
}

test(`the power is cut at ${CUTS} moments around flushes, and ${BOOTS} of the disks are booted`, async () => {
  const machine = guest();
  const disk = await plugDisk();
  await machine.sh(`mkdir -p ${MOUNT} && mount -t ext4 /dev/disk/by-id/virtio-cut ${MOUNT} && sync`);
  onTestFinished(async () => {
    await machine.run(`umount ${MOUNT}`);
  });
  const gate = await setGate((configuration) => {
    configuration.dataDir = `${MOUNT}/data`;
    configuration.cards.refreshSeconds = 1;
    configuration.readers[0].port = PORT;
  });
  const adapter = new UsbSerial(machine, { id: "CUT", usbPort: 7 });
  onTestFinished(() => adapter.remove());
  await adapter.plug();

  disk.record();
  const daemon = await gate.run();
  await daemon.readerIs("north-in-1", "up");
  const known = await tapInLockStep(gate, adapter, disk);
  disk.stopRecording();
  await daemon.end("KILL");

  const chains = new Map(gate.ear.events().map(({ data }) => [data.seq as number, data.chain as string]));
  const moments = disk.moments(CUTS);
  const toBoot: Cut[] = [];
  const faults: string[] = [];
  let checked = 0;
  const cuts = disk.cuts(moments);
  const check = async (): Promise<void> => {
    for (const cut of cuts) {
      checked += 1;
      if (checked % Math.ceil(moments.length / BOOTS) === 0) toBoot.push(cut);
      faults.push(...(await faultsOf(cut, chains)));
    }
  };
  // One waits for the programs that look, the other looks itself.
  await Promise.all([check(), check()]);
  expect(faults).toEqual([]);
  expect(checked).toBe(CUTS);
  // A drive that only says that it has flushed must be found out: else the looking finds nothing.
  for (const cut of disk.cuts(moments.slice(-1), true)) expect(await faultsOf(cut, chains)).not.toEqual([]);
  console.log(
    `rig: cuts: ${checked} disks after ${known.seq} events and revision ${known.revision}, none with a fault`,
  );

  await machine.run(`umount ${MOUNT}`);
  await gate.ear.stop();
  for (const cut of toBoot) await boot(gate, adapter, disk, cut);
  console.log(`rig: cuts: ${toBoot.length} of them booted`);
});

/** A disk with an empty file system, in the guest for as long as the test runs. */
async function plugDisk(): Promise<CutDisk<Known>> {
  const { place } = guest();
  const file = join(place.dir, "cut.img");
  await writeFile(file, "");
  await run("truncate", ["-s", `${DISK_BYTES}`, file]);
  await run("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file]);
  const disk = new CutDisk<Known>(await readFile(file));
  const path = join(place.dir, "cut.sock");
  const served = await serveDisk(disk, path);
  const machine = guest();
  const server = { type: "unix", path };
  await machine.qmp((qmp) =>
    qmp.call("blockdev-add", { driver: "nbd", "node-name": "cut", server, export: "cut" }),
  );
  await machine.plug("virtio-blk-pci", "cut-disk", { drive: "cut", serial: "cut", bus: "disks" });
  onTestFinished(async () => {
    await machine.unplug("cut-disk");
    await machine.qmp((qmp) => qmp.call("blockdev-del", { "node-name": "cut" }));
    await served.stop();
  });
  await until("the guest sees the disk", async () => {
    const { code } = await machine.run("test -e /dev/disk/by-id/virtio-cut");
    return code === 0 || null;
  });
  return disk;
}

/** Each tap is heard, and noted on the disk's record, before the next is made; now and then the list changes. */
async function tapInLockStep({ ear, site }: Gate, adapter: UsbSerial, disk: CutDisk<Known>): Promise<Known> {
  const known: Known = { seq: 0, revision: 1 };
  const note = (): void => {
    known.seq = Math.max(known.seq, ...ear.events().map(({ data }) => data.seq as number));
    disk.mark({ ...known });
  };
  for (let tap = 1; tap <= TAPS; tap += 1) {
    if (tap % TAPS_A_REVISION === 0) {
      const status = known.revision % 2 === 1 ? "blocked" : "active";
      const set = await site.command(
        "feed",
        "set",
        "feed",
        CARDS.blocked,
        status === "blocked" ? "active" : "blocked",
      );
      expect(set.code).toBe(0);
      const revision = known.revision + 1;
      await ear.hear("state/list", (list) => list.revision === revision);
      known.revision = revision;
      note();
    }
    adapter.send(`${tap % 3 === 0 ? CARDS.unknown : CARDS.granted}\r\n`);
    await ear.hearTaps(`tap ${tap}`, ({ length }) => length >= tap);
    note();
  }
  return known;
}

/** Of the gateway's data on a disk, as the file system's own recovery gives it. */
async function faultsOf(
  { moment, image, mark }: Cut,
  chains: ReadonlyMap<number, string>,
): Promise<string[]> {
  const dir = await mkdtemp(join(guest().place.dir, "disk-"));
  try {
    const file = join(dir, "image");
    await writeFile(file, image);
    const checked = await run("e2fsck", ["-fy", file]).catch(
      (error: { code: number; stdout: string }) => error,
    );
    // 1: it had something to do.
    if ("code" in checked && checked.code !== 1)
      return [`e2fsck ended with ${checked.code}: ${checked.stdout}`];
    await run("debugfs", ["-R", `rdump /data ${dir}`, file]);
    // Where nothing is left of it, there is nothing to copy.
    await mkdir(join(dir, "data"), { recursive: true });
    const faults = await cutFaults(join(dir, "data"), mark, chains);
    return faults.map((fault) => `cut before step ${moment.step}, ${moment.loss} lost: ${fault}`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The machine starts anew with the disk; the gateway on it goes on where the world knows it was, and decides. */
async function boot(
  gate: Gate,
  adapter: UsbSerial,
  disk: CutDisk<Known>,
  { image, mark }: Cut,
): Promise<void> {
  const { guest: machine, broker, guestPort, site } = gate;
  const said = await readFile(join(machine.place.dir, "console.log"), "utf8");
  const boots = said.split("RIG-READY").length;
  await machine.qmp(async (qmp) => {
    await qmp.call("stop");
    disk.replace(image);
    await qmp.call("system_reset");
    await qmp.call("cont");
  });
  await machine.disconnect();
  await readiness(machine.place, null, boots);
  await machine.connect();
  await machine.lead(broker.port, guestPort);
  await machine.sh(`mkdir -p ${MOUNT} && mount -t ext4 /dev/disk/by-id/virtio-cut ${MOUNT}`);
  const centre = await startSubscriber(broker.url, `${P}/#`);
  try {
    const daemon = await gate.run(centre.heard);
    const isTap = ({ topic, payload }: { topic: string; payload: string }): boolean =>
      topic === `${P}/tap` && JSON.parse(payload).data.card === "BB-2799-000099";
    await until("the gateway decides after the cut", async () => {
      adapter.send("BB-2799-000099\r\n");
      await new Promise((go) => setTimeout(go, 1_000));
      return centre.heard.some(isTap) || null;
    });
    const tap = JSON.parse(centre.heard.find(isTap)!.payload) as {
      data: { seq: number; list: { revision: number } };
    };
    expect(tap.data.seq).toBeGreaterThan(mark?.seq ?? 0);
    expect(tap.data.list.revision).toBeGreaterThanOrEqual(mark?.revision ?? 0);
    const verify = await machine.run(`node /house/dist/daemon/cli.js journal verify --json -c ${site.file}`);
    expect(JSON.parse(verify.stdout)).toMatchObject({ ok: true });
    await daemon.end();
  } finally {
    await centre.stop();
    await machine.run(`umount ${MOUNT}`);
  }
}
