/**
 * The daemon with a long list in what a machine of 512 MB leaves it: 400 MB, and nothing to swap to, by a memory cgroup of its own. The
 * kernel ends it there where it takes more, and the bench with it. Root only.
 */
import { access, mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { MadeUpCards } from "./cards.ts";
import { benchDaemon } from "./daemon-list.ts";
import type { Figure } from "./figures.ts";

/** What is left of 512 MB when the firmware, the kernel and an idle Raspberry Pi OS Lite have theirs; reckoned, not measured. */
const MEMORY_MB = 400;
const MB = 1024 ** 2;

interface Hierarchy {
  /** Where cgroups that bound memory are made, and the names of its files there. */
  dir: string;
  limit: string;
  swap: string;
  peak: string;
}

/** As of today, and as systems from before 2020 have it. */
const HIERARCHIES: readonly Hierarchy[] = [
  { dir: "/sys/fs/cgroup", limit: "memory.max", swap: "memory.swap.max", peak: "memory.peak" },
  {
    dir: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    swap: "memory.swappiness",
    peak: "memory.max_usage_in_bytes",
  },
];

export async function benchSmallMachine(count: number): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-small-"));
  let group: { dir: string; hierarchy: Hierarchy } | null = null;
  try {
    group = await makeGroup();
    const figures = await benchDaemon(new MadeUpCards(count), folder, group.dir);
    const peakBytes = Number(await readFile(join(group.dir, group.hierarchy.peak), "latin1"));
    return [
      { what: "cards", value: count, unit: "" },
      { what: "memory that the daemon may have, without swap", value: MEMORY_MB, unit: "MB" },
      { what: "the most it had, with what the kernel keeps of its files", value: peakBytes / MB, unit: "MB" },
      // What the times below are worth: with more of it than there are cores, other work made them longer.
      { what: "load of the machine", value: loadavg()[0] ?? Number.NaN, unit: "" },
      ...figures,
    ];
  } finally {
    if (group) await rmdir(group.dir);
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeGroup(): Promise<{ dir: string; hierarchy: Hierarchy }> {
  for (const hierarchy of HIERARCHIES) {
    const dir = join(hierarchy.dir, `grindvakt-bench-${process.pid}`);
    await mkdir(dir).catch(() => undefined);
    if (!(await exists(join(dir, hierarchy.limit)))) {
      await rmdir(dir).catch(() => undefined);
      continue;
    }
    await writeFile(join(dir, hierarchy.limit), String(MEMORY_MB * MB));
    // A machine without swap may have no such file.
    await writeFile(join(dir, hierarchy.swap), "0").catch(() => undefined);
    return { dir, hierarchy };
  }
  throw new Error(
    "small-machine: no memory cgroup can be made here: it takes root, and the memory controller",
  );
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
