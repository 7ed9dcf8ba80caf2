import { describe, expect, it } from "vitest";
import { createFiles } from "../../drivers/files.ts";
import { createStore, type InForce } from "../../sync/store.ts";
import { SimDisk } from "../sim/disk.ts";
import type { CrashPolicy } from "../sim/disk-nodes.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";

const DIR = "/data/cards";
const MAIN = `${DIR}/in-force.json`;
const COPY = `${DIR}/in-force.json.copy`;
const OLD: InForce = { revision: 4, layers: ["index-4-00c0ffee.bin"], refreshedAtMs: 1_763_800_000_000 };
const NEW: InForce = {
  revision: 5,
  layers: ["index-4-00c0ffee.bin", "index-5-deadbeef.bin"],
  refreshedAtMs: null,
};

function storeOn(disk: SimDisk) {
  const log = new SimLog();
  return { log, store: createStore(DIR, createFiles(disk, new SimRandom(1)), log) };
}

async function diskWith(inForce: InForce): Promise<SimDisk> {
  const disk = new SimDisk();
  await createFiles(disk, new SimRandom(2)).makeDirs(DIR);
  await storeOn(disk).store.write(inForce);
  return disk;
}

describe("the store", () => {
  it("gives back what was written, as text a person can read", async () => {
    const disk = await diskWith(OLD);
    expect(await storeOn(disk).store.read()).toEqual(OLD);
    expect(new TextDecoder().decode(disk.seen(MAIN)!)).toContain('"revision": 4');
  });

  it("is empty where nothing was written, without a word", async () => {
    const { store, log } = storeOn(new SimDisk());
    expect(await store.read()).toBeNull();
    expect(log.lines).toEqual([]);
  });

  it("reads the copy when the file is damaged in any byte, and says so", async () => {
    const disk = await diskWith(OLD);
    const size = disk.seen(MAIN)!.length;
    for (let place = 0; place < size; place++) {
      disk.flipBit(MAIN, place);
      const { store, log } = storeOn(disk);
      expect(await store.read(), `byte ${place}`).toEqual(OLD);
      disk.flipBit(MAIN, place);
      if (log.lines.length === 0) continue;
      expect(log.messages("error")).toEqual([`${MAIN} is damaged, its copy is used`]);
    }
  });

  it("starts without when the copy is damaged too, and says so", async () => {
    const disk = await diskWith(OLD);
    disk.put(MAIN, "");
    disk.put(COPY, "null");
    const { store, log } = storeOn(disk);
    expect(await store.read()).toBeNull();
    expect(log.messages("error")).toEqual([`${MAIN} is damaged, and so is its copy: starting without`]);
  });

  it("tells what cannot be read from what is damaged", async () => {
    const disk = await diskWith(OLD);
    disk.faultOf = () => "EIO";
    const { store, log } = storeOn(disk);
    expect(await store.read()).toBeNull();
    expect(log.messages("error")).toEqual([
      `${MAIN} cannot be read, and neither can its copy: starting without`,
    ]);
  });

  it("calls a file damaged that is larger than any of ours", async () => {
    const disk = await diskWith(OLD);
    disk.put(MAIN, " ".repeat(100_000));
    const { store, log } = storeOn(disk);
    expect(await store.read()).toEqual(OLD);
    expect(log.messages("error")).toEqual([`${MAIN} is damaged, its copy is used`]);
  });

  it("does not read what is none of ours", async () => {
    const disk = await diskWith({ ...OLD, layers: ["../../etc/passwd"] });
    expect(await storeOn(disk).store.read()).toBeNull();
  });

  it.each<CrashPolicy>(["lose", "keep", "torn"])(
    "holds the old or the new at every power cut (%s)",
    async (policy) => {
      const seen = new Set<number>();
      for (let cut = 1; ; cut++) {
        const disk = await diskWith(OLD);
        disk.cutAt(disk.ios + cut);
        const done = storeOn(disk)
          .store.write(NEW)
          .then(() => true);
        const finished = await Promise.race([done, settled(disk)]);
        const found = await storeOn(disk.crash(policy, { random: new SimRandom(cut) })).store.read();
        expect([OLD, NEW], `call ${cut}`).toContainEqual(found);
        seen.add(found!.revision);
        if (!finished) continue;
        expect(found).toEqual(NEW);
        expect(cut).toBeGreaterThan(8);
        break;
      }
      expect(seen).toEqual(new Set([4, 5]));
    },
  );

  it("has written when only the copy could not be", async () => {
    const disk = await diskWith(OLD);
    disk.faultOf = (io) => (io.path.startsWith(COPY) && io.kind === "open" ? "ENOSPC" : null);
    const { store, log } = storeOn(disk);
    await store.write(NEW);
    expect(log.messages("warn")).toHaveLength(1);
    expect(await storeOn(disk).store.read()).toEqual(NEW);
  });
});

/** Resolves to false once the power is off and every promise has settled that can. */
async function settled(disk: SimDisk): Promise<boolean> {
  for (let turn = 0; turn < 1000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (disk.isOff) return false;
  }
  throw new Error("neither done nor cut");
}
