/**
 * How the index hides chip UIDs: by a permutation that a key chooses, so that a file without its key says nothing of them, no two
 * become one, and who has the key reads them back. `docs/card-index.md` says why this one.
 *
 * It is Speck (Beaulieu and others, 2013) with words of 28 bits: two words are the 56 bits of a UID. Each round has a key of its
 * own, drawn from the site's by HKDF.
 */
import { hkdfSync } from "node:crypto";

export const TOKEN_KEY_BYTES = 32;

/** A UID as two halves of 28 bits. */
export interface Halves {
  upper: number;
  lower: number;
}

export const HALF_BITS = 28;
export const HALF_MASK = 2 ** HALF_BITS - 1;
/** As many as Speck has for words of 32 bits, of which 20 have been attacked, with far more known pairs than a list has cards. */
const ROUNDS = 27;
/** A longer UID is sealed piece by piece; each piece that lies over the one before has keys of its own. */
const PASSES = 5;
const ROUND_KEY_BYTES = 4;
const CHECK_BYTES = 8;
/** How tokens are sealed from now on, and how they may be in what lies there from before. */
export interface Seals {
  own: TokenSeal;
  others: readonly TokenSeal[];
}

/** Names what the key is used for: a change of the permutation is another name. */
const INFO = "grindvakt token seal 1";

export class TokenSeal {
  /** Null: of index files before version 3, which are read with no key. */
  readonly key: Uint8Array | null;
  /** Says of which key an index file is, and nothing about the key. */
  readonly check: string;
  readonly #roundKeys: Uint32Array | null;

  constructor(key: Uint8Array | null) {
    // A copy: the key must not take along what else lies in the memory it was read into.
    this.key = key === null ? null : Uint8Array.from(key);
    if (key === null) {
      this.check = "";
      this.#roundKeys = null;
      return;
    }
    if (key.length !== TOKEN_KEY_BYTES) throw new Error(`a token key has ${TOKEN_KEY_BYTES} bytes`);
    const count = PASSES * ROUNDS;
    const drawn = Buffer.from(hkdfSync("sha256", key, "", INFO, ROUND_KEY_BYTES * count + CHECK_BYTES));
    this.#roundKeys = Uint32Array.from(
      { length: count },
      (_, i) => drawn.readUInt32LE(ROUND_KEY_BYTES * i) & HALF_MASK,
    );
    this.check = drawn.toString("hex", ROUND_KEY_BYTES * count);
  }

  isOf(other: TokenSeal): boolean {
    return this.check === other.check;
  }

  seal(halves: Halves, pass = 0): void {
    const keys = this.#roundKeys;
    if (keys === null) return scramble(halves);
    let { upper, lower } = halves;
    for (let i = pass * ROUNDS; i < (pass + 1) * ROUNDS; i++) {
      upper = ((((upper >>> 8) | (upper << 20)) + lower) ^ keys[i]!) & HALF_MASK;
      lower = (((lower << 3) | (lower >>> 25)) ^ upper) & HALF_MASK;
    }
    halves.upper = upper;
    halves.lower = lower;
  }

  open(halves: Halves, pass = 0): void {
    const keys = this.#roundKeys;
    if (keys === null) return unscramble(halves);
    let { upper, lower } = halves;
    for (let i = (pass + 1) * ROUNDS - 1; i >= pass * ROUNDS; i--) {
      const mixed = upper ^ lower;
      lower = ((mixed >>> 3) | (mixed << 25)) & HALF_MASK;
      const sum = ((upper ^ keys[i]!) - lower) & HALF_MASK;
      upper = ((sum << 8) | (sum >>> 20)) & HALF_MASK;
    }
    halves.upper = upper;
    halves.lower = lower;
  }

  /** The same for the ten bytes of a long UID, in place: seven of them at a time, at either end in turn, until each depends on all. */
  sealLong(uid: Uint8Array): void {
    if (this.#roundKeys === null) return;
    for (const [pass, from] of LONG_PASSES) this.#apply(uid, from, (halves) => this.seal(halves, pass));
  }

  openLong(uid: Uint8Array): void {
    if (this.#roundKeys === null) return;
    for (const [pass, from] of LONG_PASSES.toReversed())
      this.#apply(uid, from, (halves) => this.open(halves, pass));
  }

  #apply(bytes: Uint8Array, from: number, change: (halves: Halves) => void): void {
    const halves = { upper: 0, lower: 0 };
    toHalves(bytes, from, 7, halves);
    change(halves);
    fromHalves(halves, bytes, from);
  }
}

/** Which keys, and where the piece begins. */
const LONG_PASSES = [
  [1, 0],
  [2, 3],
  [3, 0],
  [4, 3],
] as const;

/** Of files before version 3: no secret, and only ever read. */
export const UNKEYED = new TokenSeal(null);

/** Takes seven bytes, or three or four and zeros for the others. */
export function toHalves(bytes: Uint8Array, from: number, sizeBytes: number, halves: Halves): void {
  const middle = sizeBytes > 3 ? bytes[from + 3]! : 0;
  halves.upper = (bytes[from]! << 20) | (bytes[from + 1]! << 12) | (bytes[from + 2]! << 4) | (middle >>> 4);
  halves.lower = (middle & 15) << 24;
  if (sizeBytes === 7) halves.lower |= (bytes[from + 4]! << 16) | (bytes[from + 5]! << 8) | bytes[from + 6]!;
}

export function fromHalves({ upper, lower }: Halves, bytes: Uint8Array, from: number): void {
  bytes[from] = upper >>> 20;
  bytes[from + 1] = upper >>> 12;
  bytes[from + 2] = upper >>> 4;
  bytes[from + 3] = ((upper & 15) << 4) | (lower >>> 24);
  bytes[from + 4] = lower >>> 16;
  bytes[from + 5] = lower >>> 8;
  bytes[from + 6] = lower;
}

// ---------------------------------------------------------------- before version 3

const SCRAMBLE_ROUNDS = [0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344] as const;

function scramble(halves: Halves): void {
  halves.upper ^= mixed(halves.lower, SCRAMBLE_ROUNDS[0]);
  halves.lower ^= mixed(halves.upper, SCRAMBLE_ROUNDS[1]);
  halves.upper ^= mixed(halves.lower, SCRAMBLE_ROUNDS[2]);
  halves.lower ^= mixed(halves.upper, SCRAMBLE_ROUNDS[3]);
}

function unscramble(halves: Halves): void {
  halves.lower ^= mixed(halves.upper, SCRAMBLE_ROUNDS[3]);
  halves.upper ^= mixed(halves.lower, SCRAMBLE_ROUNDS[2]);
  halves.lower ^= mixed(halves.upper, SCRAMBLE_ROUNDS[1]);
  halves.upper ^= mixed(halves.lower, SCRAMBLE_ROUNDS[0]);
}

/** 28 bits that depend on all bits of `half`. */
function mixed(half: number, round: number): number {
  let value = Math.imul(half ^ round, 0x2c1b3c6d);
  value ^= value >>> 14;
  value = Math.imul(value, 0x297a2d39);
  value ^= value >>> 15;
  return value & HALF_MASK;
}
