/** V8's heap in a daemon: small, and looked through when we say so. */
import { setFlagsFromString } from "node:v8";

/** Just beyond what V8 lets lie outside its heap (64 MB) before it begins to look. */
const NOTICED_BYTES = 65 * 1024 * 1024;

/** A heap that grows slowly: on a board of 512 MB its garbage would take more than a million cards. */
export function keepHeapSmall(): void {
  setFlagsFromString("--optimize-for-size");
}

/**
 * In a heap that is kept small: makes V8 look for what is no longer held, in small turns beside the loop's work, and to be done
 * before long. An idle loop gives it no cause. What is found is freed by a thread of V8's and not by the loop, which a hundred
 * megabytes would hold up for 7 ms; that is what V8 does where it need not save memory, so for this look it need not.
 */
export function collectSoon(): void {
  setFlagsFromString("--no-optimize-for-size");
  // Asked for and never touched: an entry in the kernel's table, and V8 begins.
  new ArrayBuffer(NOTICED_BYTES);
  keepHeapSmall();
}
