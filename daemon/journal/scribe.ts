/**
 * Writes down what happens: every record with the instant on both clocks, this run's name, and, while the wall clock
 * cannot be trusted, the floor that days are judged by (CONTRACT 4).
 */
import type { Stamp } from "../../drivers/driver.ts";
import type { Clock } from "../../drivers/ports.ts";
import type { Settlement } from "./journal.ts";
import type { Draft, EventType } from "./record.ts";

/** Words in an event come from devices, disks and feeds: what is longer helps nobody, and a line has an end. */
const TEXT_CHARS_MAX = 500;

export class Scribe {
  readonly #boot: string;
  readonly #clock: Clock;
  readonly #append: (draft: Draft) => Promise<Settlement>;
  readonly #startedMs: number;
  #floorMs = 0;

  /** `boot`: names this run of the process. */
  constructor(boot: string, clock: Clock, append: (draft: Draft) => Promise<Settlement>) {
    this.#boot = boot;
    this.#clock = clock;
    this.#append = append;
    this.#startedMs = clock.monotonicMs();
  }

  /** This instant. */
  stamp(): Stamp {
    const clock = this.#clock;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs(), trusted: clock.trusted() };
  }

  /** The latest trusted time ever seen, in milliseconds since 1970. */
  get floorMs(): number {
    return this.#floorMs;
  }

  /** The floor is at least this late: what a run before has handed on. */
  raiseFloor(wallMs: number): void {
    this.#floorMs = Math.max(this.#floorMs, wallMs);
  }

  /** The time by which a day is judged: the stamp's own, or the floor while that could not be trusted. */
  judgedMs(stamp: Stamp): number {
    if (stamp.trusted) this.raiseFloor(stamp.wallMs);
    return stamp.trusted ? stamp.wallMs : this.#floorMs;
  }

  write(
    type: EventType,
    subject: string,
    stamp: Stamp,
    data: Readonly<Record<string, unknown>>,
  ): Promise<Settlement> {
    const uptimeMs = Math.max(0, Math.round(stamp.monotonicMs - this.#startedMs));
    // Untrusted, an event carries the floor, and so hands it on over a restart.
    const floor = stamp.trusted ? {} : { floor: new Date(this.#floorMs).toISOString() };
    const clock = { trusted: stamp.trusted, boot: this.#boot, uptimeMs, ...floor };
    return this.#append({ type, subject, time: timeOf(stamp), data: { ...bounded(data), clock } });
  }
}

/** RFC 3339, UTC. */
export function timeOf(stamp: Stamp): string {
  return new Date(stamp.wallMs).toISOString();
}

/** The same, with every text cut to its bound. */
function bounded(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = { ...data };
  for (const key in kept) {
    const value = kept[key];
    if (typeof value === "string") kept[key] = cut(value);
  }
  return kept;
}

export function cut(text: string): string {
  const kept = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
  // Half of a UTF-16 pair, cut or given, is no character, and some parsers take no line that has one.
  return kept.toWellFormed();
}
