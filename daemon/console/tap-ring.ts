/** The last taps that were decided in this run, numbered, for eyes that look now and then (`watch`). */
import type { TapView } from "../gate/gateway.ts";
import { type LiveTap, liveTap } from "./live.ts";

/** More than fit on a screen, and than a gate decides between two looks. */
const TAPS_MAX = 200;

export interface TapsSince {
  /** To be asked with next time. */
  next: number;
  /** Oldest first. */
  taps: LiveTap[];
}

export class TapRing {
  readonly #taps: TapView[] = [];
  #next = 0;

  /** Returns at once. */
  add(view: TapView): void {
    this.#taps.push(view);
    this.#next += 1;
    if (this.#taps.length > TAPS_MAX) this.#taps.shift();
  }

  /** Those with numbers from `number` on, as far as they are kept. */
  since(number: number): TapsSince {
    const count = Math.min(this.#taps.length, Math.max(0, this.#next - number));
    return { next: this.#next, taps: count === 0 ? [] : this.#taps.slice(-count).map(liveTap) };
  }
}
