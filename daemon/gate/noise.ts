/**
 * Bounds what a noisy reader may write (CONTRACT 4): unreadable and malformed readings are events up to ten a minute;
 * what is beyond is counted, and one event a minute says how many.
 */
import type { Clock, Timer } from "../../drivers/ports.ts";

const WINDOW_MS = 60_000;
const EVENTS_MAX_PER_WINDOW = 10;

/** Counts, and tells how many once a minute while there is anything to tell. */
export interface Tally {
  add(count?: number): void;
  /** Tells now what it has counted. */
  flush(): void;
}

export function createTally(clock: Clock, tell: (count: number) => void): Tally {
  let count = 0;
  let timer: Timer | null = null;
  const flush = (): void => {
    timer?.cancel();
    timer = null;
    const counted = count;
    count = 0;
    if (counted > 0) tell(counted);
  };
  return {
    add(more = 1) {
      count += more;
      if (count === 0) return;
      timer ??= clock.after(WINDOW_MS, flush);
    },
    flush,
  };
}

export interface Noise {
  /** True when this one may be an event of its own; else it is counted. */
  admit(): boolean;
  flush(): void;
}

/** `summarise` is told, once a minute, how many were only counted. */
export function createNoise(
  clock: Clock,
  summarise: (suppressed: number) => void,
  eventsMax = EVENTS_MAX_PER_WINDOW,
): Noise {
  const suppressed = createTally(clock, summarise);
  let window = { endsMs: Number.NEGATIVE_INFINITY, seen: 0 };
  return {
    admit() {
      const now = clock.monotonicMs();
      if (now >= window.endsMs) window = { endsMs: now + WINDOW_MS, seen: 0 };
      window.seen += 1;
      if (window.seen <= eventsMax) return true;
      suppressed.add();
      return false;
    },
    flush: suppressed.flush,
  };
}
