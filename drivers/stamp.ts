import type { Stamp } from "./driver.ts";
import type { Clock } from "./ports.ts";

/** This instant. */
export function stampOf(clock: Clock): Stamp {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs(), trusted: clock.trusted() };
}
