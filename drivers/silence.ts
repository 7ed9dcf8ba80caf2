import type { Clock, Timer } from "./ports.ts";

/** A turn or two of the loop, in which what has come in is read. */
const LAST_LOOK_MS = 20;

/**
 * Calls `fire` once, when nothing has come for `silenceMs`; whoever hears something cancels it. After a stall of our own loop a timer
 * is due before what came in meanwhile is read: so the last of it is waited for by itself.
 */
export function afterSilence(clock: Clock, silenceMs: number, fire: () => void): Timer {
  const lookMs = Math.min(LAST_LOOK_MS, silenceMs / 2);
  let timer = clock.after(silenceMs - lookMs, () => {
    timer = clock.after(lookMs, fire);
  });
  return { cancel: () => timer.cancel() };
}
