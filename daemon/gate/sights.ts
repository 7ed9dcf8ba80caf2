/** What a reader shows beside its readings, handed to whoever watches it: `trace` and `identify`, local technicians both. */
import type { Observer, Reader, Sight, Stamp } from "../../drivers/driver.ts";
import { timeOf } from "../journal/scribe.ts";

/** Two technicians and their second windows. */
const WATCHERS_MAX = 4;

export class Sights {
  readonly #readers: ReadonlyMap<string, Reader>;
  readonly #watchers = new Map<string, Set<Observer>>();

  constructor(readers: ReadonlyMap<string, Reader>) {
    this.#readers = readers;
  }

  /** Tells `observer` of everything until the returned function is called. Throws, in words, where that cannot be. */
  watch(id: string, observer: Observer): () => void {
    const reader = this.#readers.get(id);
    if (reader === undefined) {
      throw new Error(`there is no reader ${id}, but: ${[...this.#readers.keys()].join(", ")}`);
    }
    if (reader.observe === undefined) throw new Error(`${id} has a driver that cannot be watched`);
    const watchers = this.#watchers.get(id) ?? new Set();
    if (watchers.size >= WATCHERS_MAX) throw new Error(`${id} is watched by ${watchers.size} others`);
    this.#watchers.set(id, watchers);
    watchers.add(observer);
    reader.observe((sight, stamp) => {
      for (const watcher of watchers) watcher(sight, stamp);
    });
    return () => {
      watchers.delete(observer);
      if (watchers.size === 0) reader.observe?.(null);
    };
  }
}

/** A sight as JSON can carry it; bytes are hexadecimal digits, lower case. */
export interface SightLine {
  kind: Sight["kind"];
  /** RFC 3339, UTC. */
  time: string;
  /** On a clock that is never set. */
  monotonicMs: number;
  direction?: "in" | "out";
  hex?: string;
  text?: string;
  countBits?: number;
}

export function sightLine(sight: Sight, stamp: Stamp): SightLine {
  const when = { time: timeOf(stamp), monotonicMs: stamp.monotonicMs };
  switch (sight.kind) {
    case "bytes":
      return { kind: sight.kind, ...when, direction: sight.direction, hex: hexOf(sight.bytes) };
    case "text":
      return { kind: sight.kind, ...when, text: sight.text };
    case "bits":
      return { kind: sight.kind, ...when, countBits: sight.countBits, hex: hexOf(sight.bytes) };
    case "uid":
      return { kind: sight.kind, ...when, hex: hexOf(sight.bytes) };
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
