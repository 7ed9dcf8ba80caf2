import type { Clock } from "../drivers/ports.ts";

/** Waits for `work`, but no longer than `limitMs`; work that goes on after that is left to itself. */
export function within(clock: Clock, limitMs: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, resolve);
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
