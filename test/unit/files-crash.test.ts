import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFiles } from "../../drivers/files.ts";
import type { Disk } from "../../drivers/ports.ts";
import { SimDisk } from "../sim/disk.ts";
import type { CrashPolicy } from "../sim/disk-nodes.ts";
import { SimRandom } from "../sim/random.ts";

const POLICIES: CrashPolicy[] = ["lose", "keep", "torn"];
const OLD = "old ".repeat(500);
const NEW = "the new one ".repeat(400);

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array | null) => (content === null ? null : new TextDecoder().decode(content));

function diskWithOld(seed: number): SimDisk {
  const disk = new SimDisk({ random: new SimRandom(seed) });
  disk.put("/site/state", OLD);
  return disk;
}

/** Whether `work` came to its end, in a world without timers: after one turn of the loop it has, or never will. */
async function outcome(work: Promise<void>): Promise<"done" | "failed" | "unanswered"> {
  let state: "done" | "failed" | "unanswered" = "unanswered";
  work.then(
    () => {
      state = "done";
    },
    () => {
      state = "failed";
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return state;
}

/**
 * Replaces a file with the power cut in every one of its disk calls, under every policy and several seeds, and
 * collects what a reader finds afterwards that is neither the old content nor the new, or is not what was promised.
 */
async function broken(replace: (disk: SimDisk, content: Uint8Array) => Promise<void>): Promise<string[]> {
  const found: string[] = [];
  for (let cut = 1; cut < 40; cut++) {
    for (const policy of POLICIES) {
      for (let seed = 0; seed < 8; seed++) {
        const disk = diskWithOld(seed);
        disk.cutAt(cut, () => undefined);
        const told = await outcome(replace(disk, bytes(NEW)));
        const after = disk.crash(policy);
        const left = text(after.seen("/site/state"));
        const isWhole = left === NEW || (left === OLD && told !== "done");
        if (!isWhole) found.push(`cut ${cut}, ${policy}, seed ${seed}: ${told}, ${left?.length} bytes left`);
      }
    }
  }
  return found;
}

/** `replace` without one of its habits. */
function careless(skip: "sync" | "syncDir") {
  return async (disk: SimDisk, content: Uint8Array) => {
    const file = await disk.open("/site/state.new", "new");
    await file.write(content);
    if (skip !== "sync") await file.sync();
    await file.close();
    await disk.rename("/site/state.new", "/site/state");
    if (skip !== "syncDir") await disk.syncDir("/site");
  };
}

describe("a replacement and the power", () => {
  it("leaves the old or the new content whole at every cut, and the new one once it was told", async () => {
    expect(
      await broken((disk, content) => createFiles(disk, new SimRandom(1)).replace("/site/state", content)),
    ).toEqual([]);
  });

  it("would be caught without the sync of the file, without that of the directory, and on a lying disk", async () => {
    expect((await broken(careless("sync"))).length).toBeGreaterThan(0);
    expect((await broken(careless("syncDir"))).length).toBeGreaterThan(0);
    const lied = await broken((disk, content) => {
      disk.liesAbout = () => true;
      return createFiles(disk, new SimRandom(1)).replace("/site/state", content);
    });
    expect(lied.length).toBeGreaterThan(0);
  });

  it("starts over after any cut, and leaves nothing behind but the file", async () => {
    for (let cut = 1; cut < 15; cut++) {
      const disk = diskWithOld(cut);
      disk.cutAt(cut, () => undefined);
      await outcome(createFiles(disk, new SimRandom(cut)).replace("/site/state", bytes(NEW)));
      const after = disk.crash("keep");
      await createFiles(after, new SimRandom("again")).replace("/site/state", bytes("third"));
      expect(after.paths(), `call ${cut}`).toEqual(["/site/state"]);
      expect(text(after.durable("/site/state")), `call ${cut}`).toBe("third");
    }
  });
});

describe("a replacement and a failing disk", () => {
  it("is refused with the disk's own word, keeps the old content, and works when the disk does", async () => {
    for (const code of ["EIO", "ENOSPC"] as const) {
      for (let count = 1; count < 10; count++) {
        const disk = diskWithOld(count);
        disk.failAt(count, code);
        const files = createFiles(disk, new SimRandom(count));
        const told = await files.replace("/site/state", bytes(NEW)).then(
          () => "done",
          (error) => error.code,
        );
        const where = `${code} at call ${count}`;
        expect([code, "done"], where).toContain(told);
        expect([OLD, NEW], where).toContain(text(disk.seen("/site/state")));
        expect(disk.paths().length, where).toBeLessThanOrEqual(1);
        disk.faultOf = () => null;
        await files.replace("/site/state", bytes("third"));
        expect(text(disk.durable("/site/state")), where).toBe("third");
        expect(disk.paths(), where).toEqual(["/site/state"]);
      }
    }
  });

  it("is refused on a full disk, which is no fuller afterwards", async () => {
    const disk = diskWithOld(1);
    disk.capacityBytes = 8_000;
    const files = createFiles(disk, new SimRandom(1));
    const before = await disk.freeBytes("/site");
    await expect(files.replace("/site/state", new Uint8Array(20_000))).rejects.toMatchObject({
      code: "ENOSPC",
    });
    expect(await disk.freeBytes("/site")).toBe(before);
    expect(text(disk.durable("/site/state"))).toBe(OLD);
  });
});

it("removals and directories are durable once told", async () => {
  const disk = diskWithOld(3);
  const files = createFiles(disk, new SimRandom(3));
  await files.remove("/site/state");
  await files.makeDirs("/site/a/b/c");
  await files.replace("/site/a/b/c/file", bytes("deep"));
  const after = disk.crash("lose");
  expect(after.paths()).toEqual(["/site/a/b/c/file"]);
  expect(text(after.seen("/site/a/b/c/file"))).toBe("deep");
});

it("a file that grows while it is read is read whole or refused, never cut", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(300), fc.nat(200_000), async (saysBytes, hasBytes) => {
      const content = Uint8Array.from({ length: hasBytes }, (_, index) => index);
      const disk = new SimDisk();
      disk.put("/grows", content);
      const files = createFiles(sayingSize(disk, Math.min(saysBytes, hasBytes)), new SimRandom(1));
      const read = await files.read("/grows", 100_000).catch((error: NodeJS.ErrnoException) => error.code);
      if (hasBytes > 100_000) expect(read).toBe("EFBIG");
      else if (!(read instanceof Uint8Array) || Buffer.compare(read, content) !== 0)
        expect(read).toEqual(content);
    }),
    { numRuns: 20 },
  );
});

/** A disk whose files say they are smaller than they are, as those in `/proc` do. */
function sayingSize(disk: SimDisk, sizeBytes: number): Disk {
  return {
    open: async (path, mode) => ({ ...(await disk.open(path, mode)), sizeBytes: async () => sizeBytes }),
    rename: (from, to) => disk.rename(from, to),
    unlink: (path) => disk.unlink(path),
    makeDir: (path) => disk.makeDir(path),
    syncDir: (path) => disk.syncDir(path),
    list: (path) => disk.list(path),
    freeBytes: (path) => disk.freeBytes(path),
  };
}
