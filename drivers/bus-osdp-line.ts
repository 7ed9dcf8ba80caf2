/**
 * An RS-485 line, on which one speaks at a time: a command goes out, and nothing else until its reply has come or
 * the time for it is over, and the line has been idle for a moment (IEC 60839-11-5, 5.7).
 */
import { MARK, OsdpFramer, type ReceivedFrame } from "./codec/osdp.ts";
import type { Stamp } from "./driver.ts";
import type { Channel, Clock, Timer } from "./ports.ts";
import { afterSilence } from "./silence.ts";
import { stampOf } from "./stamp.ts";

/** The reply begins within this, counted from the last byte of the command (5.7). */
const REPLY_MS_MAX = 200;
/** A reply that has begun by then may come to its end, if it is no longer than this. */
const LATE_REPLY_BYTES_MAX = 256;
/** Between a reply and the next command the line is idle for this many characters, and at least so long. */
const IDLE_CHARACTERS = 2;
const IDLE_MS_MIN = 1;
/** Start, eight data bits, stop. */
const BITS_PER_BYTE = 10;

/** How long `countBytes` take on the line. */
export function lineMs(countBytes: number, baudRate: number): number {
  return (countBytes * BITS_PER_BYTE * 1_000) / baudRate;
}

export interface LineEvents {
  /** Bytes came while a reply was due. `stamp`: of the first of them. */
  bytes(bytes: Uint8Array, stamp: Stamp): void;
  /** A frame came while a reply was due. `stamp`: of the first byte. True when it was the reply. */
  frame(frame: ReceivedFrame, stamp: Stamp): boolean;
  /** No reply came in time. `noiseBytes`: what came and was no frame. */
  silence(noiseBytes: number): void;
  /** The exchange is over, and the line may be used again. */
  free(): void;
}

export class OsdpLine {
  readonly #channel: Pick<Channel, "write">;
  readonly #baudRate: number;
  readonly #clock: Clock;
  readonly #events: LineEvents;
  readonly #framer = new OsdpFramer();
  #timer: Timer | null = null;
  #state: "free" | "waiting" | "idling" | "closed" = "free";
  /** When the first byte since the command came. */
  #first: Stamp | null = null;

  constructor(channel: Pick<Channel, "write">, baudRate: number, clock: Clock, events: LineEvents) {
    this.#channel = channel;
    this.#baudRate = baudRate;
    this.#clock = clock;
    this.#events = events;
  }

  get isFree(): boolean {
    return this.#state === "free";
  }

  /** Sends a command. Only while the line is free. */
  send(bytes: Uint8Array): void {
    this.#framer.idle();
    this.#framer.takeNoise();
    this.#first = null;
    this.#state = "waiting";
    const marked = new Uint8Array(bytes.length + 1);
    marked[0] = MARK;
    marked.set(bytes, 1);
    // A channel that takes no bytes ends, and its end is told of by itself.
    this.#channel.write(marked).catch(() => undefined);
    this.#timer = afterSilence(this.#clock, lineMs(marked.length, this.#baudRate) + REPLY_MS_MAX, () => {
      if (!this.#framer.pending) return this.#giveUp();
      this.#timer = this.#clock.after(lineMs(LATE_REPLY_BYTES_MAX, this.#baudRate), () => this.#giveUp());
    });
  }

  /** Bytes that have come in. Those that nobody has asked for are dropped. */
  take(bytes: Uint8Array): void {
    if (this.#state !== "waiting") return;
    this.#first ??= stampOf(this.#clock);
    this.#events.bytes(bytes, this.#first);
    this.#offer(this.#framer.push(bytes));
  }

  close(): void {
    this.#state = "closed";
    this.#timer?.cancel();
  }

  /** True when one of them ended the exchange. */
  #offer(frames: readonly ReceivedFrame[]): boolean {
    for (const frame of frames) {
      if (this.#state !== "waiting" || this.#first === null) return true;
      if (this.#events.frame(frame, this.#first)) {
        this.#rest();
        return true;
      }
    }
    return false;
  }

  /** No reply, unless a false start has hidden it. */
  #giveUp(): void {
    if (this.#offer(this.#framer.idle())) return;
    this.#events.silence(this.#framer.takeNoise());
    this.#rest();
  }

  #rest(): void {
    if (this.#state === "closed") return;
    this.#timer?.cancel();
    this.#state = "idling";
    this.#timer = this.#clock.after(Math.max(lineMs(IDLE_CHARACTERS, this.#baudRate), IDLE_MS_MIN), () => {
      this.#state = "free";
      this.#events.free();
    });
  }
}
