/** Whose journal it is: written down once, and not by who finds it under another name. */
import { expect, test } from "vitest";
import { claim, ownerOf, strangerWords } from "../../daemon/journal/journal-owner.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/random.ts";

const DIR = "/data/journal";

test("who opens it first has it, for ever", async () => {
  const files = createFiles(new SimDisk(), new SimRandom(1));
  expect(await ownerOf(files, DIR)).toBeNull();
  await claim(files, DIR, "gate-07");
  await claim(files, DIR, "gate-08");
  const owner = await ownerOf(files, DIR);
  expect(owner).toBe("gate-07");
  expect(strangerWords(owner, "gate-07", DIR)).toBeNull();
  expect(strangerWords(null, "gate-08", DIR)).toBeNull();
  expect(strangerWords(owner, "gate-08", DIR)).toMatch(
    /is the journal of gateway gate-07, and this is gate-08/,
  );
});

test("damage to the file alone keeps nobody out", async () => {
  for (const text of ["", "{", "7", "null", '{"gateway":7}']) {
    const disk = new SimDisk();
    disk.put(`${DIR}/gateway.json`, Buffer.from(text));
    const files = createFiles(disk, new SimRandom(1));
    expect(await ownerOf(files, DIR)).toBeNull();
    await claim(files, DIR, "gate-07");
    expect(await ownerOf(files, DIR)).toBe("gate-07");
  }
});

test("what else the file says of the journal stays", async () => {
  const disk = new SimDisk();
  disk.put(`${DIR}/gateway.json`, Buffer.from('{"format":2}\n'));
  const files = createFiles(disk, new SimRandom(1));
  await claim(files, DIR, "gate-07");
  const bytes = await files.read(`${DIR}/gateway.json`, 1_024);
  expect(JSON.parse(Buffer.from(bytes ?? "").toString())).toEqual({
    format: 2,
    gateway: "gate-07",
  });
});
