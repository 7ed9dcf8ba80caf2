/** V8's heap in a daemon: small, and looked through when we say so. */
import { setFlagsFromString } from "node:v8";

/** Just beyond what V8 lets lie outside its heap (64 MB) before it begins to look. */
const NOTICED_BYTES = 65 * 1024 * 1024;

/** A heap that grows slowly: on a board of 512 MB its garbage would take more than a million cards. */
export function keepHeapSmall(): void {
  setFlagsFromString("--optimize-for-size");
}

/**
 * A heap that is kept small is also cleared in one turn of the loop, and what a list leaves behind holds that up for 5 ms and more.
 * Where V8 need not save memory a thread of its own frees; so, while lists are taken, it need not.
 */
export class Heap {
  #roomyFor = 0;

  /** Resolves and rejects as `work` does. */
  async roomyDuring<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#makeRoomy();
    try {
      return await work();
    } finally {
      this.#makeSmall();
    }
  }

  /** Makes V8 look for what is no longer held, in small turns beside the loop's work, and be done before long. */
  collectSoon(): void {
    this.#makeRoomy();
    // Asked for and never touched: an entry in the kernel's table, and V8 begins. An idle loop gives it no cause.
    new ArrayBuffer(NOTICED_BYTES);
    this.#makeSmall();
  }

  #makeRoomy(): void {
    this.#roomyFor += 1;
    setFlagsFromString("--no-optimize-for-size");
  }

  #makeSmall(): void {
    this.#roomyFor -= 1;
    if (this.#roomyFor === 0) keepHeapSmall();
  }
}
