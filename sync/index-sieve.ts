/**
 * Says of nearly every key that a small layer does not have it, by a look at one bit. A lookup asks the newer layers
 * first, and hardly ever has one of them the card: searched through, each would cost as much as the great one below.
 */

/** One key in sixteen that is not there is searched for all the same. */
const BITS_PER_KEY = 16;
const WORD_BITS_LOG2 = 5;
/** Spreads keys that lie side by side: 2^32 over the golden ratio. */
const SPREAD = 0x9e3779b1;

/** How many 32-bit words a sieve of so many keys takes: a power of two. */
export function sieveWords(keys: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(keys * BITS_PER_KEY)) - WORD_BITS_LOG2);
}

export class Sieve {
  readonly #words: Uint32Array;
  readonly #shift: number;

  /** `words`: as many as `sieveWords` says, zeros until keys are added. */
  constructor(words: Uint32Array) {
    this.#words = words;
    this.#shift = Math.clz32(words.length) + 1 - WORD_BITS_LOG2;
  }

  /** Of a key beyond 32 bits the lower ones count. */
  add(key: number): void {
    const bit = Math.imul(key, SPREAD) >>> this.#shift;
    this.#words[bit >>> 5]! |= 1 << (bit & 31);
  }

  /** False: it was not added. */
  mayHave(key: number): boolean {
    const bit = Math.imul(key, SPREAD) >>> this.#shift;
    return ((this.#words[bit >>> 5]! >>> (bit & 31)) & 1) === 1;
  }
}
