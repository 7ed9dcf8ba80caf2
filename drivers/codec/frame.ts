/**
 * Lines from a cable. Readers end what they send with CR, LF or both, or wrap it in STX…ETX, often with a CR LF
 * before or after the ETX. The bytes are hostile: time is linear, memory is `FRAME_BYTES_MAX`, nothing throws, and
 * the same bytes give the same outcomes however they are cut into chunks.
 */

/** The longest thing a reader of cards sends is a 58-bit number in decimal with a label; four times that. */
export const FRAME_BYTES_MAX = 128;
/** Noise without an end is told of in pieces, so that a line that never ends is seen too (17 s at 9600 baud). */
export const OVERLONG_BYTES_MAX = 16_384;

const NUL = 0x00;
const STX = 0x02;
const ETX = 0x03;
const LF = 0x0a;
const CR = 0x0d;

/**
 * `frame`: the bytes between the marks, never empty. `overlong`: `countBytes` bytes had no end within
 * `FRAME_BYTES_MAX` and were dropped up to the next mark. `partial`: `countBytes` bytes began a frame that was
 * broken off, by silence or by the STX of another.
 */
export type Frame =
  | { kind: "frame"; bytes: Uint8Array }
  | { kind: "overlong"; countBytes: number }
  | { kind: "partial"; countBytes: number };

/** Where the first mark stands that ends a frame of whatever make, or -1. */
export function findFrameEnd(bytes: Uint8Array): number {
  return bytes.findIndex((byte) => byte === CR || byte === LF || byte === ETX);
}

export class Framer {
  readonly #bytes = new Uint8Array(FRAME_BYTES_MAX);
  /** Bytes of the frame that has begun, those beyond `FRAME_BYTES_MAX` included. */
  #countBytes = 0;
  /** Whether an STX opened it. Only then does ETX end it: elsewhere it is a byte like any other. */
  #wrapped = false;
  /** Whether a piece of this noise has been told of already. */
  #overlong = false;

  /** Whether a frame has begun and not ended. */
  get pending(): boolean {
    return this.#countBytes > 0 || this.#wrapped || this.#overlong;
  }

  /** What the next bytes complete, in order. */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    for (const byte of chunk) {
      const frame = this.#take(byte);
      if (frame) frames.push(frame);
    }
    return frames;
  }

  /** The line has gone quiet: drops what has begun, and says what that was. */
  idle(): Frame | null {
    return this.#end(false);
  }

  #take(byte: number): Frame | null {
    if (byte === CR || byte === LF || (byte === ETX && this.#wrapped)) return this.#end(true);
    if (byte === STX) {
      const broken = this.#end(false);
      this.#wrapped = true;
      return broken;
    }
    // A break on the line reads as NUL, and an ETX may follow the CR LF that ended its frame: no frame begins so.
    if (this.#countBytes === 0 && (byte === NUL || byte === ETX) && !this.#overlong) return null;
    if (this.#countBytes < FRAME_BYTES_MAX) this.#bytes[this.#countBytes] = byte;
    this.#countBytes += 1;
    if (this.#countBytes < OVERLONG_BYTES_MAX) return null;
    const countBytes = this.#countBytes;
    this.#countBytes = 0;
    this.#overlong = true;
    return { kind: "overlong", countBytes };
  }

  #end(complete: boolean): Frame | null {
    const countBytes = this.#countBytes;
    const overlong = this.#overlong || countBytes > FRAME_BYTES_MAX;
    this.#countBytes = 0;
    this.#wrapped = false;
    this.#overlong = false;
    if (countBytes === 0) return null;
    if (overlong) return { kind: "overlong", countBytes };
    if (!complete) return { kind: "partial", countBytes };
    return { kind: "frame", bytes: this.#bytes.slice(0, countBytes) };
  }
}
