/**
 * Says of nearly every key that a small layer does not have it, by a look at one bit. A lookup asks the newer layers
 * first, and hardly ever has one of them the card: searched through, each would cost as much as the great one below.
 */

/** One key in sixteen that is not there is searched for all the same. */
const BITS_PER_KEY = 16;
/** Spreads keys that lie side by side: 2^32 over the golden ratio. */
const SPREAD = 0x9e3779b1;

export class Sieve {
  readonly #words: Uint32Array;
  readonly #shift: number;

  constructor(keys: number) {
    const bits = Math.max(5, Math.ceil(Math.log2(keys * BITS_PER_KEY)));
    this.#words = new Uint32Array(2 ** (bits - 5));
    this.#shift = 32 - bits;
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
