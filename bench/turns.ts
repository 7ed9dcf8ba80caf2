/**
 * How long the event loop was held up: by the clock, and by the time its thread was really on a processor, which other
 * programs on the machine do not lengthen.
 */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Both in ms, the longest. `busyMs`: null where there is no Linux to ask. */
export interface Turns {
  delayMs: number;
  busyMs: number | null;
}

const RESOLUTION_MS = 1;

/** Watches the loop until the promise settles. */
export async function watchTurns<T>(work: () => Promise<T>): Promise<{ result: T; turns: Turns }> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let lastNs = processorNs();
  let busyNs = 0;
  const timer = setInterval(() => {
    const nowNs = processorNs();
    busyNs = Math.max(busyNs, nowNs - lastNs);
    lastNs = nowNs;
  }, RESOLUTION_MS);
  delay.enable();
  const result = await work();
  delay.disable();
  clearInterval(timer);
  const delayMs = delay.max / 1e6 - RESOLUTION_MS;
  return { result, turns: { delayMs, busyMs: Number.isNaN(lastNs) ? null : busyNs / 1e6 } };
}

/** Nanoseconds this thread has been on a processor; NaN where nobody says. */
function processorNs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[0]);
  } catch {
    return Number.NaN;
  }
}
