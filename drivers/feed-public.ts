/** A disk whose new files and directories a web server may read, as far as the operator's umask lets it. */
import { chmod, stat } from "node:fs/promises";
import type { Disk } from "./ports.ts";

const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;

/** `disk` makes everything private; what is made through this one is opened up after. */
export function createPublicDisk(disk: Disk): Disk {
  const { open, makeDir } = disk;
  const mask = process.umask();
  return {
    ...disk,
    async open(path, mode) {
      const file = await open(path, mode);
      if (mode === "new") await chmod(path, FILE_MODE & ~mask);
      return file;
    },
    async makeDir(path) {
      const isThere = await stat(path).then(
        () => true,
        () => false,
      );
      await makeDir(path);
      // One that was there keeps what its owner chose.
      if (!isThere) await chmod(path, DIRECTORY_MODE & ~mask);
    },
  };
}
