import { createDirectorySource } from "../../drivers/feed-directory.ts";
import { createPublicDisk } from "../../drivers/feed-public.ts";
import { createFiles } from "../../drivers/files.ts";
import { acquireLock } from "../../drivers/lock.ts";
import type { Clock, Random } from "../../drivers/ports.ts";
import { createSystemDisk } from "../../drivers/system.ts";
import type { CentreWorld } from "../../sync/publish-repository.ts";

/** The machine, as the central side of a feed uses it: what it publishes is for others to read, its keys are not. */
export function centreWorld({ clock, random }: { clock: Clock; random: Random }): CentreWorld {
  const disk = createSystemDisk();
  return {
    clock,
    random,
    files: createFiles(createPublicDisk(disk), random),
    keyFiles: createFiles(disk, random),
    openDirectory: (dir) => createDirectorySource(dir, disk),
    lock: acquireLock,
  };
}
