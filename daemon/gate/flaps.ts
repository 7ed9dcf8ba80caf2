/**
 * Bounds what a device may write that comes and goes: a bad plug must not fill a disk. The states (CONTRACT 7) show every change
 * all the same.
 */
import type { Clock, Timer } from "../../drivers/ports.ts";

/** Six times out and in again: a technician who tries his plugs has done by then. */
const CHANGES_MAX_PER_WINDOW = 12;
/** And so long it has to stand still to be believed again. */
const WINDOW_MS = 5 * 60_000;
/** While it flaps, once in this long says so. */
const REMINDER_MS = 15 * 60_000;

/** Why the device is down; null where it is up. */
export type Standing = string | null;

export interface FlapsTold {
  changed(now: Standing): void;
  /** `count`: how many changes since the last that was told, of either kind; `now`: what the last of them led to. */
  flapping(count: number, now: Standing): void;
}

export interface Flaps {
  take(now: Standing): void;
  /** Tells now what it has only counted. */
  flush(): void;
}

/** Every change is told, until there are too many; then how many there were, and how it stands once it stands still. */
export function createFlaps(clock: Clock, told: FlapsTold): Flaps {
  let window = { endsMs: Number.NEGATIVE_INFINITY, seen: 0 };
  let flapping: { now: Standing; quiet: Timer; reminder: Timer } | null = null;
  let counted = 0;
  const tell = (now: Standing): void => {
    const count = counted;
    counted = 0;
    if (count > 0) told.flapping(count, now);
  };
  const flush = (): void => {
    if (flapping === null) return;
    flapping.quiet.cancel();
    flapping.reminder.cancel();
    tell(flapping.now);
    flapping = null;
  };
  const settle = (): void => {
    const now = flapping?.now ?? null;
    flush();
    told.changed(now);
  };
  const remind = (): Timer =>
    clock.after(REMINDER_MS, () => {
      if (flapping === null) return;
      tell(flapping.now);
      flapping.reminder = remind();
    });
  return {
    take(now) {
      const nowMs = clock.monotonicMs();
      if (flapping === null) {
        if (nowMs >= window.endsMs) window = { endsMs: nowMs + WINDOW_MS, seen: 0 };
        window.seen += 1;
        if (window.seen <= CHANGES_MAX_PER_WINDOW) return told.changed(now);
      }
      counted += 1;
      flapping?.quiet.cancel();
      const quiet = clock.after(WINDOW_MS, settle);
      if (flapping === null) {
        flapping = { now, quiet, reminder: remind() };
        tell(now);
      } else Object.assign(flapping, { now, quiet });
    },
    flush,
  };
}
