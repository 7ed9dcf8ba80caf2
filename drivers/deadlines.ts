import type { Timer } from "./ports.ts";

interface Deadline {
  atMs: number;
  fire: () => void;
}

/**
 * Callbacks ordered by the instant they are due; equal instants in the order they were added. Made for the few
 * hundred timers of a gateway: a sorted array is smaller than a heap and as fast.
 */
export class Deadlines {
  readonly #queue: Deadline[] = [];

  get count(): number {
    return this.#queue.length;
  }

  /** When the next one is due, or null when there is none. */
  get nextMs(): number | null {
    return this.#queue[0]?.atMs ?? null;
  }

  add(atMs: number, fire: () => void): Timer {
    const deadline = { atMs, fire };
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#queue[middle]!.atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, deadline);
    return {
      cancel: () => {
        const at = this.#queue.indexOf(deadline);
        if (at >= 0) this.#queue.splice(at, 1);
      },
    };
  }

  /** Takes the first one out when it is due at `nowMs`. */
  take(nowMs: number): (() => void) | null {
    const first = this.#queue[0];
    if (first === undefined || first.atMs > nowMs) return null;
    this.#queue.shift();
    return first.fire;
  }
}
