/**
 * Of which format `dataDir` is. What an older version wrote is brought forward, step by step, and a copy of each file that changes is kept; what a newer one
 * wrote is left alone. The number stands beside the journal's owner in `journal/gateway.json`; where there is none it is 1.
 */
import { dirname, join, relative } from "node:path";
import type { Files } from "../drivers/ports.ts";

/** Two short values. */
const MARK_BYTES_MAX = 1_024;
/** Copies are made in pieces of this size, whatever the file's. */
const PIECE_BYTES = 1024 * 1024;

export interface Step {
  files: Files;
  dataDir: string;
  /** Before a file is changed, and no matter how often: what it was is safe on the disk once this resolves. */
  keep(path: string): Promise<void>;
}

/**
 * From each format to the next: the first makes 2 of 1. A step that was interrupted is done again from its beginning, on what it has left.
 */
export type Steps = readonly ((step: Step) => Promise<void>)[];

/** None: format 1 is the only one there has been. */
const STEPS: Steps = [];

/** `why`: fit to be shown; nothing was changed. Rejects when the disk fails in a step. */
export type FormatOutcome = { kind: "fine"; was: number } | { kind: "refused"; why: string };

export async function bringForward(
  files: Files,
  dataDir: string,
  steps: Steps = STEPS,
): Promise<FormatOutcome> {
  const newest = steps.length + 1;
  const mark = await readMark(files, dataDir);
  const was = formatOf(mark);
  if (was > newest) {
    const why = `${dataDir} was written by a newer grindvakt (format ${was}; this one knows formats up to ${newest}): install that version again`;
    return { kind: "refused", why };
  }
  for (let format = was; format < newest; format += 1) {
    const kept = join(dataDir, `format-${format}`);
    await steps[format - 1]?.({
      files,
      dataDir,
      keep: (path) => keep(files, path, join(kept, relative(dataDir, path))),
    });
    // Last: until then the step counts as not done.
    await files.makeDirs(dirname(markPath(dataDir)));
    await files.replace(
      markPath(dataDir),
      Buffer.from(`${JSON.stringify({ ...mark, format: format + 1 })}\n`),
    );
  }
  return { kind: "fine", was };
}

function markPath(dataDir: string): string {
  return join(dataDir, "journal", "gateway.json");
}

/** Damage to this file alone, or a disk that cannot be read, must keep no gate shut. */
async function readMark(files: Files, dataDir: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const bytes = await files.read(markPath(dataDir), MARK_BYTES_MAX);
    const mark: unknown = JSON.parse(Buffer.from(bytes ?? "{}").toString("utf8"));
    return typeof mark === "object" && mark !== null && !Array.isArray(mark) ? { ...mark } : {};
  } catch {
    return {};
  }
}

function formatOf({ format }: Readonly<Record<string, unknown>>): number {
  return typeof format === "number" && Number.isSafeInteger(format) && format >= 1 ? format : 1;
}

/** A copy that is there already is of before: it was made before anything changed. */
async function keep(files: Files, from: string, to: string): Promise<void> {
  const made = await files.open(to, "read").catch(() => null);
  await made?.close();
  if (made !== null) return;
  await files.makeDirs(dirname(to));
  const file = await files.open(from, "read");
  try {
    await files.replace(to, piecesOf(file, await file.sizeBytes()));
  } finally {
    await file.close();
  }
}

async function* piecesOf(
  file: { read(offset: number, lengthBytes: number): Promise<Uint8Array> },
  sizeBytes: number,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES)
    yield await file.read(offset, Math.min(PIECE_BYTES, sizeBytes - offset));
}
