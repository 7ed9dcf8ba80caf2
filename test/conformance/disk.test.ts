import { constants } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createSystemDisk } from "../../drivers/system.ts";
import { SimDisk } from "../sim/disk.ts";
import { diskConformance } from "./disk.ts";

diskConformance("simulated", async () => {
  const disk = new SimDisk();
  await disk.makeDir("/site");
  return { disk, directory: "/site", dispose: async () => undefined };
});

diskConformance("the system's", async () => {
  const directory = await mkdtemp(join(tmpdir(), "grindvakt-disk-"));
  return { disk: createSystemDisk(), directory, dispose: () => rm(directory, { recursive: true }) };
});

it("the system's disk makes files and directories that only their owner can use", async () => {
  const directory = await mkdtemp(join(tmpdir(), "grindvakt-disk-"));
  const disk = createSystemDisk();
  await disk.makeDir(join(directory, "d"));
  const file = await disk.open(join(directory, "d", "f"), "new");
  await file.close();
  expect((await stat(join(directory, "d"))).mode & 0o777).toBe(0o700);
  expect((await stat(join(directory, "d", "f"))).mode & 0o777).toBe(0o600);
  await rm(directory, { recursive: true });
});

it.runIf(process.platform === "linux")("the system's disk appends so that each write is synced", async () => {
  const directory = await mkdtemp(join(tmpdir(), "grindvakt-disk-"));
  const path = join(directory, "f");
  await writeFile(path, "");
  const file = await createSystemDisk().open(path, "append");
  const descriptors = await readdir("/proc/self/fd");
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  const info = await readFile(`/proc/self/fdinfo/${descriptors[links.indexOf(path)]}`, "latin1");
  const flags = Number.parseInt(/flags:\s+(\d+)/.exec(info)?.[1] ?? "", 8);
  expect(flags & constants.O_DSYNC).toBe(constants.O_DSYNC);
  await file.close();
  await rm(directory, { recursive: true });
});
