/** Long work that yields wherever somebody else may have the loop. */
import type { Clock } from "../drivers/ports.ts";

export type Slices<Result> = Generator<void, Result, void>;

/** Where nobody else waits for the loop. */
export function atOnce<Result>(slices: Slices<Result>): Result {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
  }
}

/** A slice a turn of the loop. */
export async function inSlices<Result>(clock: Clock, slices: Slices<Result>): Promise<Result> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return slice.value;
    await turnOf(clock);
  }
}

export function turnOf(clock: Clock): Promise<void> {
  return new Promise((go) => clock.after(0, go));
}
