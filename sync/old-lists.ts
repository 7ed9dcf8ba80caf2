/**
 * Lists that nobody holds any more. They lie in shared memory, which V8 does not count, and on a gate's idle loop nothing makes it
 * look for what is held: without a word the list before would lie beside the one in force until the next.
 */
import type { Clock, Timer } from "../drivers/ports.ts";
import type { IndexImage } from "./index-file.ts";

/** Less is not worth a look through the heap. */
const OLD_BYTES_MIN = 4 * 1024 * 1024;
/** Until the last turn that decided on the old list is over. No longer: what V8 finds by itself it frees in a turn of the loop. */
const BEFORE_LOOK_MS = 1_000;
/** A look is over by then. */
const LOOK_MS = 5_000;
/** Who still holds a list after so many looks holds it for a reason. */
const LOOKS_MAX = 4;

export class OldLists {
  readonly #clock: Clock;
  readonly #collectSoon: () => void;
  #held: WeakRef<ArrayBufferLike>[] = [];
  #looksLeft = 0;
  #timer: Timer | null = null;

  /** `collectSoon`: asks for a look, which takes no more than the turns it needs. */
  constructor(clock: Clock, collectSoon: () => void) {
    this.#clock = clock;
    this.#collectSoon = collectSoon;
  }

  /** To be called once `now` is decided on in the place of `before`. */
  replaced(before: readonly IndexImage[], now: readonly IndexImage[]): void {
    const buffers = before.filter((image) => !now.includes(image)).map(({ bytes }) => bytes.buffer);
    for (const buffer of buffers) this.#held.push(new WeakRef(buffer));
    this.#looksLeft = LOOKS_MAX;
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#looksLeft = 0;
  }

  #schedule(): void {
    this.#held = this.#held.filter((buffer) => buffer.deref() !== undefined);
    const bytes = this.#held.reduce((sum, buffer) => sum + (buffer.deref()?.byteLength ?? 0), 0);
    if (this.#timer !== null || bytes < OLD_BYTES_MIN || this.#looksLeft === 0) return;
    // Not in this turn: it has just had the lists in its hands.
    this.#timer = this.#clock.after(BEFORE_LOOK_MS, () => {
      this.#looksLeft -= 1;
      this.#collectSoon();
      this.#timer = this.#clock.after(LOOK_MS, () => {
        this.#timer = null;
        this.#schedule();
      });
    });
  }
}
