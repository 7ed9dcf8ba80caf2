/** Data of another version: brought forward, with the power cut in every disk call of it, or refused in words. */
import { expect, test } from "vitest";
import { bringForward, type Steps } from "../../daemon/data-format.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimDisk } from "../sim/disk.ts";
import type { CrashPolicy } from "../sim/disk-nodes.ts";
import { SimRandom } from "../sim/random.ts";

const OLD = "a line of the first format\n".repeat(100);
const STATE = "/data/state";
const MARK = "/data/journal/gateway.json";

/** What a format to come might ask: one file written anew. */
const louder: Steps[number] = async ({ files, keep }) => {
  await keep(STATE);
  const text = Buffer.from((await files.read(STATE, 1e6)) ?? "").toString();
  await files.replace(STATE, Buffer.from(text.toUpperCase()));
};

function diskWith(mark: string | null, seed = 1): SimDisk {
  const disk = new SimDisk({ random: new SimRandom(seed) });
  disk.put(STATE, OLD);
  if (mark !== null) disk.put(MARK, mark);
  return disk;
}

const filesOn = (disk: SimDisk) => createFiles(disk, new SimRandom(2));
const seen = (disk: SimDisk, path: string) => Buffer.from(disk.seen(path) ?? "").toString();

test.each([null, "{}", '{"gateway":"gate-07"}', "torn {", "[]", '{"format":"2"}'])(
  "data with the mark %s is of format 1, and nothing is written",
  async (mark) => {
    const disk = diskWith(mark);
    expect(await bringForward(filesOn(disk), "/data")).toEqual({ kind: "fine", was: 1 });
    expect(seen(disk, MARK)).toBe(mark ?? "");
  },
);

test("data of a newer version is left alone, and it is said what to do", async () => {
  const disk = diskWith('{"gateway":"gate-07","format":7}');
  const outcome = await bringForward(filesOn(disk), "/data");
  expect(outcome).toMatchObject({
    kind: "refused",
    why: expect.stringMatching(/newer grindvakt \(format 7; .* up to 1\)/),
  });
  expect(seen(disk, STATE)).toBe(OLD);
});

test("data of an older version is brought forward once, and what it was is kept", async () => {
  const disk = diskWith('{"gateway":"gate-07"}');
  for (const was of [1, 2]) {
    expect(await bringForward(filesOn(disk), "/data", [louder])).toEqual({ kind: "fine", was });
    expect(seen(disk, STATE)).toBe(OLD.toUpperCase());
    expect(seen(disk, "/data/format-1/state")).toBe(OLD);
    expect(JSON.parse(seen(disk, MARK))).toEqual({ gateway: "gate-07", format: 2 });
  }
});

test("wherever the power is cut in it, it is brought forward at the next start, and the copy is of before", async () => {
  let cuts = 0;
  for (let cut = 1; ; cut += 1) {
    let wasCut = false;
    for (const policy of ["lose", "keep", "torn"] satisfies CrashPolicy[]) {
      const disk = diskWith(null, cut);
      let isOff = false;
      disk.cutAt(cut, () => {
        isOff = true;
      });
      // A call that the power was cut in is never answered.
      void bringForward(filesOn(disk), "/data", [louder]);
      await new Promise((resolve) => setImmediate(resolve));
      wasCut ||= isOff;
      const after = disk.crash(policy);
      const where = `call ${cut}, ${policy}`;
      expect(await bringForward(filesOn(after), "/data", [louder]), where).toMatchObject({ kind: "fine" });
      expect(seen(after, STATE), where).toBe(OLD.toUpperCase());
      expect(seen(after, "/data/format-1/state"), where).toBe(OLD);
    }
    if (!wasCut) break;
    cuts = cut;
  }
  expect(cuts).toBeGreaterThan(10);
});
