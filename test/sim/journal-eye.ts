/** Looks into a simulated disk's journal from outside, as no gateway could: what is certainly there, as it comes. */
import { decodeLine, type Line } from "../../daemon/journal/record.ts";
import type { SimDisk } from "./disk.ts";

/** More segments than a gateway begins between two looks. */
const SEGMENTS_LOOKED_AT = 3;

interface Known {
  endBytes: number;
  /** The last line that was read, to tell whether what lies before `endBytes` is still the same. */
  last: Buffer;
}

export class JournalEye {
  readonly #dir: string;
  readonly #known = new Map<string, Known>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Lines that have become durable since the last look; some again where a segment was cut meanwhile. */
  look(disk: SimDisk): Line[] {
    const paths = segmentsIn(disk, this.#dir).slice(-SEGMENTS_LOOKED_AT);
    for (const path of this.#known.keys()) if (!paths.includes(path)) this.#known.delete(path);
    return paths.flatMap((path) => this.#lookAt(disk, path));
  }

  #lookAt(disk: SimDisk, path: string): Line[] {
    const { endBytes, last } = this.#known.get(path) ?? { endBytes: 0, last: Buffer.alloc(0) };
    const bytes = Buffer.from(disk.durable(path, endBytes - last.length) ?? []);
    if (!bytes.subarray(0, last.length).equals(last)) {
      this.#known.delete(path);
      return this.#lookAt(disk, path);
    }
    const end = bytes.lastIndexOf(10) + 1;
    if (end <= last.length) return [];
    const start = end < 2 ? 0 : bytes.lastIndexOf(10, end - 2) + 1;
    this.#known.set(path, {
      endBytes: endBytes - last.length + end,
      last: Buffer.from(bytes.subarray(start, end)),
    });
    return linesOf(bytes.subarray(last.length, end));
  }
}

/**
 * Lines of the last `segmentsMax` segments that are certainly on the disk, or that a program would find, by sequence. Lines are synced
 * together or not at all: one whose group is not whole before it is of what a power cut tore on its way, and may be cut at any start.
 */
export function linesIn(
  disk: SimDisk,
  dir: string,
  how: "durable" | "seen",
  segmentsMax = Number.POSITIVE_INFINITY,
): Map<number, Line> {
  const paths = segmentsIn(disk, dir);
  const bySeq = new Map<number, Line>();
  for (const path of paths.slice(Math.max(0, paths.length - segmentsMax))) {
    const first = Number(path.slice(-23, -7));
    // What an earlier segment has from here on was abandoned.
    for (const seq of bySeq.keys()) if (seq >= first) bySeq.delete(seq);
    for (const line of linesOf(disk[how](path) ?? []))
      if (isGroupWhole(line, bySeq)) bySeq.set(line.seq, line);
  }
  return bySeq;
}

function isGroupWhole({ seq, batch }: Line, earlier: ReadonlyMap<number, Line>): boolean {
  for (let before = batch; before < seq; before += 1) if (!earlier.has(before)) return false;
  return true;
}

function segmentsIn(disk: SimDisk, dir: string): string[] {
  return disk.paths().filter((path) => path.startsWith(`${dir}/`) && path.endsWith(".ndjson"));
}

function linesOf(bytes: Uint8Array | readonly number[]): Line[] {
  const lines: Line[] = [];
  for (const text of Buffer.from(bytes).toString("utf8").split("\n")) {
    const line = text === "" ? null : decodeLine(text);
    if (line !== null) lines.push(line);
  }
  return lines;
}
