import type { Clock, Timer } from "../drivers/ports.ts";

/** Null when `limitMs` passed first; what was waited for is then left to itself. */
export async function within<T>(clock: Clock, limitMs: number, promise: Promise<T>): Promise<T | null> {
  let timer: Timer | undefined;
  const late = new Promise<null>((resolve) => {
    timer = clock.after(limitMs, () => resolve(null));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer?.cancel();
  }
}
