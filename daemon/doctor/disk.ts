/**
 * Whether what happens can be written down: the disk takes and keeps a file, has room, and the journal has not run full.
 */
import { join } from "node:path";
import type { Files, Machine } from "../../drivers/ports.ts";
import { wordsOf } from "../words.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, wrong } = findings("disk");
/** An index of a million cards is some 13 MB, and beside it lies the one it replaces. */
const FREE_BYTES_MIN = 64 * 1024 * 1024;
/** As the journal itself warns. */
const WARN_SHARE = 0.8;
const PROBE_BYTES = 4096;

export interface DiskUse {
  dataDir: string;
  journalDir: string;
  maxBytes: number;
}

export async function lookAtDisk(machine: Machine, files: Files, use: DiskUse): Promise<Finding[]> {
  const { dataDir } = use;
  // What is no folder is told of by `permissions`.
  if ((await machine.look(dataDir))?.kind !== "directory") return [];
  const written = await tryToWrite(files, dataDir);
  return [written, ...(await lookAtSpace(files, use))];
}

async function tryToWrite(files: Files, dataDir: string): Promise<Finding> {
  const probe = join(dataDir, "doctor.tmp");
  try {
    await files.replace(probe, new Uint8Array(PROBE_BYTES));
    await files.remove(probe);
    return ok("writing", `${dataDir} takes and keeps a file`);
  } catch (error) {
    await files.remove(probe).catch(() => undefined);
    return wrong("writing", `${dataDir} takes no file: ${wordsOf(error)}`, remedyOf(error, dataDir));
  }
}

function remedyOf(error: unknown, dataDir: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full: see what fills it with: sudo du -xh ${dataDir} / | sort -h | tail`;
    case "EROFS":
      return "the disk is mounted read-only, as failing SD cards are: see dmesg, and replace the card";
    case "EIO":
      return "the disk fails: see dmesg, and replace it; back up dataDir first";
    case "EACCES":
    case "EPERM":
      return "run doctor as the account of the gateway, or with sudo";
    default:
      return "see dmesg for what the disk says";
  }
}

async function lookAtSpace(files: Files, { dataDir, journalDir, maxBytes }: DiskUse): Promise<Finding[]> {
  const found: Finding[] = [];
  const journalBytes = await sizeOf(files, journalDir);
  const freeBytes = await files.freeBytes(dataDir).catch(() => null);
  const share = Math.round((100 * journalBytes) / maxBytes);
  const fill = `the journal holds ${mib(journalBytes)} of ${mib(maxBytes)} (${share} %)`;
  found.push(
    journalBytes >= maxBytes * WARN_SHARE
      ? warning(
          "journal",
          fill,
          "raise journal.maxBytes, or let the events be sent: the oldest are dropped once it is full",
        )
      : ok("journal", fill),
  );
  if (freeBytes === null) return found;
  const free = `${mib(freeBytes)} are free in ${dataDir}`;
  if (freeBytes < FREE_BYTES_MIN)
    found.push(
      wrong(
        "space",
        free,
        `free at least ${mib(FREE_BYTES_MIN)}: a new card list needs room beside the old one`,
      ),
    );
  else if (freeBytes < maxBytes - journalBytes)
    found.push(
      warning(
        "space",
        `${free}, less than the journal may still take`,
        "lower journal.maxBytes, or use a larger disk",
      ),
    );
  else found.push(ok("space", free));
  return found;
}

async function sizeOf(files: Files, dir: string): Promise<number> {
  let bytes = 0;
  for (const name of await files.names(dir).catch(() => [])) {
    const file = await files.open(join(dir, name), "read").catch(() => null);
    if (file === null) continue;
    bytes += await file.sizeBytes().catch(() => 0);
    await file.close();
  }
  return bytes;
}

function mib(bytes: number): string {
  const value = bytes / (1024 * 1024);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} MiB`;
}
