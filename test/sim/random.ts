import type { Random } from "../../drivers/ports.ts";

/**
 * Chance from a seed: the generator sfc32 ("small fast counting", C. Doty-Humphrey, PractRand), 128 bits of state of
 * which one word counts, so that no seed has a short cycle. The state is the FNV-1a hash of the seed's text, hashed on
 * for each word; the first twelve outputs are thrown away, as its author advises. Not fit for keys, of course.
 */
export class SimRandom implements Random {
  readonly #seed: string;
  readonly #state: Uint32Array;

  constructor(seed: number | string) {
    this.#seed = String(seed);
    this.#state = new Uint32Array(4);
    for (let word = 0; word < 3; word++) this.#state[word] = fnv1a(`${word}/${this.#seed}`);
    this.#state[3] = 1;
    for (let spin = 0; spin < 12; spin++) this.word();
  }

  /** 32 random bits. */
  word(): number {
    const state = this.#state;
    const [a, b, c, counter] = state as unknown as [number, number, number, number];
    const out = (a + b + counter) >>> 0;
    state[3] = counter + 1;
    state[0] = b ^ (b >>> 9);
    state[1] = c + (c << 3);
    state[2] = ((c << 21) | (c >>> 11)) + out;
    return out;
  }

  fraction(): number {
    return this.word() / 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.word() >>> 24);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }

  /** A stream of its own for `name`: what one part draws does not change what another one gets. */
  fork(name: string): SimRandom {
    return new SimRandom(`${this.#seed}/${name}`);
  }
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
