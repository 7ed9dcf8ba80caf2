/**
 * Hands a stream's bytes on in small pieces, a piece a turn of the loop, and no more in a second than the fastest line brings:
 * a device server that floods is stopped by its own connection, and its neighbours are heard in between.
 */

/** Many cards at once; noise of this length takes well under a millisecond to look through. */
const PIECE_BYTES = 512;
/** A line of 921,600 baud brings 92,160. */
const BYTES_PER_SECOND_MAX = 131_072;
/** Without a wait: what a device server hands over that was without its gateway for a day. */
const BURST_BYTES_MAX = 32_768;
const SECOND_MS = 1_000;

export interface Paced {
  pause(): void;
  resume(): void;
}

export class Pace {
  readonly #source: Paced;
  readonly #give: (bytes: Uint8Array) => void;
  #pending: Uint8Array = new Uint8Array();
  #credit = { bytes: BURST_BYTES_MAX, atMs: performance.now() };
  #next: { cancel(): void } | null = null;
  #drained: (() => void) | null = null;

  constructor(source: Paced, give: (bytes: Uint8Array) => void) {
    this.#source = source;
    this.#give = give;
  }

  /** At once where it is little, as from any reader. */
  take(bytes: Uint8Array): void {
    if (this.#next === null) this.#handOn(bytes);
    // A paused source may still have had a chunk in hand.
    else this.#pending = Buffer.concat([this.#pending, bytes]);
  }

  /** Calls back once everything that was taken has been handed on; nothing is taken any more. */
  end(drained: () => void): void {
    if (this.#next === null) drained();
    else this.#drained = drained;
  }

  /** Hands nothing on any more. */
  stop(): void {
    this.#next?.cancel();
    this.#next = null;
    this.#pending = new Uint8Array();
    this.#drained = null;
  }

  #handOn(bytes: Uint8Array): void {
    this.#pending = bytes.subarray(PIECE_BYTES);
    const piece = bytes.subarray(0, PIECE_BYTES);
    const waitMs = this.#spend(piece.length);
    if (this.#pending.length > 0 || waitMs > 0) {
      this.#source.pause();
      this.#next = waitMs > 0 ? timeout(waitMs, () => this.#goOn()) : immediate(() => this.#goOn());
    }
    this.#give(piece);
  }

  #goOn(): void {
    this.#next = null;
    if (this.#pending.length > 0) this.#handOn(this.#pending);
    if (this.#next !== null) return;
    this.#source.resume();
    this.#drained?.();
    this.#drained = null;
  }

  /** How long to wait after so many bytes. */
  #spend(bytes: number): number {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#credit.atMs) * BYTES_PER_SECOND_MAX) / SECOND_MS;
    this.#credit = { bytes: Math.min(BURST_BYTES_MAX, this.#credit.bytes + earned) - bytes, atMs: nowMs };
    return this.#credit.bytes >= 0 ? 0 : (-this.#credit.bytes * SECOND_MS) / BYTES_PER_SECOND_MAX;
  }
}

function timeout(ms: number, act: () => void): { cancel(): void } {
  const timer = setTimeout(act, ms);
  return { cancel: () => clearTimeout(timer) };
}

function immediate(act: () => void): { cancel(): void } {
  const timer = setImmediate(act);
  return { cancel: () => clearImmediate(timer) };
}
