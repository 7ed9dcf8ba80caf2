import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemDisk } from "../../drivers/system.ts";
import { SimDisk } from "../sim/disk.ts";
import { filesConformance } from "./files.ts";

filesConformance("over the simulated disk", async () => {
  const disk = new SimDisk();
  await disk.makeDir("/site");
  return { disk, directory: "/site", dispose: async () => undefined };
});

filesConformance("over the system's disk", async () => {
  const directory = await mkdtemp(join(tmpdir(), "grindvakt-files-"));
  return { disk: createSystemDisk(), directory, dispose: () => rm(directory, { recursive: true }) };
});
