import { beforeEach, describe, expect, it } from "vitest";
import type { DiskFile } from "../../drivers/ports.ts";
import { SimClock } from "./clock.ts";
import { SimDisk } from "./disk.ts";
import { SimRandom } from "./random.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array | null) => (content === null ? null : new TextDecoder().decode(content));
const filled = (letter: string, count: number) => letter.repeat(count);

let disk: SimDisk;
let file: DiskFile;

/** A file with `a`s that are durable in every way. */
beforeEach(async () => {
  disk = new SimDisk({ random: new SimRandom(1) });
  await disk.makeDir("/d");
  await disk.syncDir("/");
  file = await disk.open("/d/f", "new");
  await file.write(bytes(filled("a", 1_000)));
  await file.sync();
  await disk.syncDir("/d");
});

/** What 200 power cuts at this instant leave of a file. */
function leftovers(path: string): (string | null)[] {
  return Array.from({ length: 200 }, (_, seed) =>
    text(disk.crash("torn", { random: new SimRandom(seed) }).seen(path)),
  );
}

describe("data", () => {
  it("that was not synced is lost, kept or torn; what was synced stays", async () => {
    await file.write(bytes(filled("b", 3_000)));
    expect(text(disk.durable("/d/f"))).toBe(filled("a", 1_000));
    expect(text(disk.crash("lose").seen("/d/f"))).toBe(filled("a", 1_000));
    expect(text(disk.crash("keep").seen("/d/f"))).toBe(filled("a", 1_000) + filled("b", 3_000));
    const left = leftovers("/d/f");
    expect(left.every((content) => /^a{1000}[b\0]*$/.test(content!))).toBe(true);
    expect(new Set(left.map((content) => content!.length)).size).toBeGreaterThan(100);
    expect(left.some((content) => /b\0+b/.test(content!))).toBe(true);
    expect(left.some((content) => /^a+b+$/.test(content!))).toBe(true);
    // Holes are whole sectors.
    for (const content of left) {
      const hole = /\0+b/.exec(content!);
      if (hole !== null) expect((hole.index + hole[0].length - 1) % 512).toBe(0);
    }
  });

  it("that was written while a sync ran is not covered by it", async () => {
    const clock = new SimClock();
    const slow = new SimDisk({ clock });
    slow.latencyMsOf = ({ kind }) => (kind === "sync" ? 100 : 0);
    const log = await slow.open("/f", "new");
    await slow.syncDir("/");
    await log.write(bytes("one "));
    const synced = log.sync();
    await log.write(bytes("two"));
    expect(text(slow.durable("/f"))).toBe("");
    await clock.advance(100);
    await synced;
    expect(text(slow.durable("/f"))).toBe("one ");
    const again = log.sync();
    await clock.advance(100);
    await again;
    expect(text(slow.durable("/f"))).toBe("one two");
  });

  it("whose sync failed is lost although a later sync succeeds, as on Linux", async () => {
    await file.write(bytes(filled("b", 1_048)));
    disk.failAt(disk.ios + 1, "EIO");
    await expect(file.sync()).rejects.toMatchObject({ code: "EIO" });
    await file.sync();
    expect(text(disk.seen("/d/f"))).toBe(filled("a", 1_000) + filled("b", 1_048));
    expect(text(disk.crash("keep").seen("/d/f"))).toBe(filled("a", 1_000) + filled("\0", 1_048));
    // A record written after it lies behind a gap.
    await file.write(bytes("c"));
    await file.sync();
    expect(text(disk.crash("lose").seen("/d/f"))).toBe(`${filled("a", 1_000)}${filled("\0", 1_048)}c`);
  });

  it("that was appended is durable once that resolves, and not before", async () => {
    const clock = new SimClock();
    const slow = new SimDisk({ clock });
    slow.put("/f", "");
    slow.latencyMsOf = ({ kind }) => (kind === "sync" ? 100 : 0);
    const log = await slow.open("/f", "append");
    const appended = log.write(bytes("one"));
    await clock.advance(99);
    expect([text(slow.seen("/f")), text(slow.durable("/f"))]).toEqual(["one", ""]);
    await clock.advance(1);
    await appended;
    expect(text(slow.durable("/f"))).toBe("one");
    slow.failAt(slow.ios + 2, "EIO");
    const failing = log.write(bytes("two")).catch((error: unknown) => error);
    await clock.advance(100);
    expect(await failing).toMatchObject({ code: "EIO" });
    expect([text(slow.seen("/f")), text(slow.durable("/f"))]).toEqual(["onetwo", "one"]);
  });

  it("that was cut off may come back until the cut is synced", async () => {
    await file.truncate(10);
    expect(new Set(leftovers("/d/f").map((content) => content!.length)).size).toBeGreaterThan(50);
    await file.sync();
    expect(new Set(leftovers("/d/f"))).toEqual(new Set([filled("a", 10)]));
  });

  it("fits or does not: a full disk takes a part and says so", async () => {
    disk.capacityBytes = 8_192;
    await expect(file.write(new Uint8Array(10_000))).rejects.toMatchObject({ code: "ENOSPC" });
    expect(await file.sizeBytes()).toBe(8_192);
    expect(await disk.freeBytes("/d")).toBe(0);
    await file.truncate(1_000);
    expect(await disk.freeBytes("/d")).toBe(4_096);
  });

  it("written twice at once is refused, as its order is not defined", async () => {
    const first = file.write(bytes("1"));
    await expect(file.write(bytes("2"))).rejects.toThrow("two changes at once");
    await first;
  });

  it("is not hardened by a disk that lies", async () => {
    disk.liesAbout = () => true;
    await file.write(bytes("b"));
    await file.sync();
    expect(text(disk.crash("lose").seen("/d/f"))).toBe(filled("a", 1_000));
  });

  it("loses a bit where a test takes it", () => {
    disk.flipBit("/d/f", 3);
    expect(text(disk.seen("/d/f"))!.slice(0, 5)).toBe("aaa`a");
    expect(text(disk.crash("lose").seen("/d/f"))!.slice(0, 5)).toBe("aaa`a");
  });
});

describe("names", () => {
  it("that were not synced are lost or kept, in the order they were changed", async () => {
    for (const name of ["1", "2", "3"]) await (await disk.open(`/d/${name}`, "new")).close();
    await disk.unlink("/d/f");
    expect(disk.crash("lose").paths()).toEqual(["/d/f"]);
    expect(disk.crash("keep").paths()).toEqual(["/d/1", "/d/2", "/d/3"]);
    const seen = new Set(
      Array.from({ length: 100 }, (_, seed) =>
        disk
          .crash("torn", { random: new SimRandom(seed) })
          .paths()
          .join(" "),
      ),
    );
    expect([...seen].sort()).toEqual([
      "/d/1 /d/2 /d/3",
      "/d/1 /d/2 /d/3 /d/f",
      "/d/1 /d/2 /d/f",
      "/d/1 /d/f",
      "/d/f",
    ]);
    await disk.syncDir("/d");
    expect(disk.crash("lose").paths()).toEqual(["/d/1", "/d/2", "/d/3"]);
  });

  it("may be there without their data, and data without its name is lost", async () => {
    const made = await disk.open("/d/g", "new");
    await made.write(bytes("content"));
    await disk.syncDir("/d");
    expect(text(disk.crash("lose").seen("/d/g"))).toBe("");
    const other = await disk.open("/d/h", "new");
    await other.write(bytes("content"));
    await other.sync();
    expect(disk.crash("lose").seen("/d/h")).toBeNull();
    expect(disk.durable("/d/h")).toBeNull();
  });

  it("renamed are the old or the new, never both, never none", async () => {
    disk.put("/d/g", "new content");
    await disk.rename("/d/g", "/d/f");
    const seen = new Set(
      Array.from({ length: 50 }, (_, seed) =>
        disk
          .crash("torn", { random: new SimRandom(seed) })
          .paths()
          .join(" "),
      ),
    );
    expect(seen).toEqual(new Set(["/d/f", "/d/f /d/g"]));
  });
});

describe("ends", () => {
  it("cut the power in a given call: nothing is answered, and only the calls before are promised", async () => {
    const answers: string[] = [];
    let cut = 0;
    disk.cutAt(disk.ios + 2, () => {
      cut += 1;
    });
    const work = async () => {
      await file.write(bytes("b"));
      answers.push("written");
      await file.sync();
      answers.push("synced");
    };
    work();
    await new Promise((resolve) => setImmediate(resolve));
    disk.list("/").then(() => answers.push("listed"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(answers).toEqual(["written"]);
    expect([cut, disk.isOff]).toEqual([1, true]);
    expect(text(disk.durable("/d/f"))).toBe(filled("a", 1_000));
  });

  it("by kill keep what was written, and keep it unsynced", async () => {
    await file.write(bytes("b"));
    const after = disk.kill();
    expect(text(after.seen("/d/f"))).toBe(`${filled("a", 1_000)}b`);
    expect(text(after.crash("lose").seen("/d/f"))).toBe(filled("a", 1_000));
  });
});

it("counts and traces its calls, and fails those it is told to", async () => {
  const lines: string[] = [];
  const traced = new SimDisk({ trace: (line) => lines.push(line) });
  traced.failAt(2, "ENOSPC");
  await traced.makeDir("/a");
  await expect(traced.open("/a/f", "new")).rejects.toMatchObject({ code: "ENOSPC" });
  await expect(traced.open("/b/f", "new")).rejects.toMatchObject({ code: "ENOENT" });
  expect(traced.ios).toBe(3);
  expect(lines).toEqual(["disk 1 makeDir /a", "disk 2 open /a/f ENOSPC", "disk 3 open /b/f ENOENT"]);
});
