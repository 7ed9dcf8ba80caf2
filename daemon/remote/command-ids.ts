/**
 * Ids of commands that were taken, so that none is taken twice, over restarts and crashes too: an id is on the disk before anything
 * is done for it. It is kept until it has expired; then all that expired no later is refused, whatever the wall clock does.
 */
import type { Clock, Files, Log } from "../../drivers/ports.ts";
import { DurableAdapter } from "../../sync/durable-file.ts";
import { EXPIRES_AHEAD_MS_MAX } from "../broker/command.ts";
import { within } from "../within.ts";

/** Three times what a gate takes in the time that a command is good for. */
export const IDS_MAX = 512;
/** How long a stop waits for a disk that does not answer. */
const STOP_MS = 2_000;
/** An id is up to 64 characters; 40 more for its time. */
const FILE_BYTES_MAX = (IDS_MAX + 1) * 128;

/** `floorMs`: of all that are forgotten the latest `expires`. */
interface Kept {
  floorMs: number;
  ids: Map<string, number>;
}

export type Taken = "taken" | "repeated" | "full" | "not-written";

export class CommandIds {
  readonly #adapter: DurableAdapter<Kept>;
  readonly #clock: Clock;
  #kept: Kept = { floorMs: 0, ids: new Map() };
  #writing: Promise<void> = Promise.resolve();
  /** The write that will hold what is taken now. */
  #next: Promise<void> | null = null;

  constructor(path: string, world: { clock: Clock; files: Files; log: Log }) {
    this.#adapter = new DurableAdapter(
      { path, sizeBytesMax: FILE_BYTES_MAX, encode, accept },
      world.files,
      world.log,
    );
    this.#clock = world.clock;
  }

  /** `floorMs`: the latest trusted time ever seen. Never rejects. */
  async load(floorMs: number): Promise<void> {
    const kept = await this.#adapter.read();
    if (kept !== null) this.#kept = kept;
    // A copy may lack the last id, and of a lost file nobody knows: whatever was taken has expired a while from now.
    if (this.#adapter.found === "file" || this.#adapter.found === "nothing") return;
    this.#kept.floorMs = Math.max(floorMs, this.#clock.wallMs()) + EXPIRES_AHEAD_MS_MAX;
  }

  /** Resolves once it is on the disk, or is not to be carried out. Asked at once for the same id, one is `taken`. */
  async take(id: string, expiresMs: number): Promise<Taken> {
    const { ids } = this.#kept;
    if (ids.has(id) || expiresMs <= this.#kept.floorMs) return "repeated";
    this.#forget();
    if (ids.size >= IDS_MAX) return "full";
    // From now on, also if it cannot be written: better not done than done twice.
    ids.set(id, expiresMs);
    try {
      await this.#write();
      return "taken";
    } catch {
      return "not-written";
    }
  }

  /** Resolves when nothing is being written any more, or the disk does not answer. */
  async settled(): Promise<void> {
    const written = (this.#next ?? this.#writing).catch(() => undefined);
    await within(this.#clock, STOP_MS, written);
  }

  #forget(): void {
    const nowMs = this.#clock.wallMs();
    for (const [id, expiresMs] of this.#kept.ids) {
      if (expiresMs >= nowMs) continue;
      this.#kept.ids.delete(id);
      this.#kept.floorMs = Math.max(this.#kept.floorMs, expiresMs);
    }
  }

  /** One at a time; all that come while one is being written share the next. */
  #write(): Promise<void> {
    this.#next ??= this.#writing
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        this.#writing = this.#adapter.write(this.#kept);
        return this.#writing;
      });
    return this.#next;
  }
}

function* encode({ floorMs, ids }: Kept): Generator<string> {
  yield JSON.stringify({ floorMs, ids: [...ids] });
}

function accept(value: unknown): Kept | null {
  if (typeof value !== "object" || value === null) return null;
  const { floorMs, ids } = value as { floorMs?: unknown; ids?: unknown };
  if (typeof floorMs !== "number" || !Array.isArray(ids)) return null;
  const isWhole = ids.every(([id, expiresMs]) => typeof id === "string" && typeof expiresMs === "number");
  return isWhole ? { floorMs, ids: new Map(ids) } : null;
}
