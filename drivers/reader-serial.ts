/** A reader that sends text over a serial line, or over TCP from a serial device server. */
import { parseChannelAddress } from "./channel.ts";
import { decodeText } from "./codec/card-text.ts";
import { FRAME_BYTES_MAX, type Frame, Framer, findFrameEnd } from "./codec/frame.ts";
import type { DriverWorld, Observer, Reader, ReaderEvents, ReaderModule, Reading, Stamp } from "./driver.ts";
import type { Channel, Clock, Timer } from "./ports.ts";
import { readText, type TextReads, unreadable } from "./reads.ts";
import { afterSilence } from "./silence.ts";
import { stampOf } from "./stamp.ts";
import { Supervisor } from "./supervise.ts";

/** A frame whose next byte takes longer than this was broken off; at 300 baud a byte takes 33 ms. */
const QUIET_MS = 500;
/**
 * What a line may bring in a second: a device server hands over a thousand cards at once, and no reader as many. Beyond
 * it the line is not listened to until the second is over: reading noise as fast as it comes takes its neighbours' time.
 */
const FRAMES_PER_SECOND_MAX = 4_096;
const SECOND_MS = 1_000;
/** Looked through at once: a flood is noticed before a whole chunk of it has been read. */
const PIECE_BYTES = 4_096;

/** `port`: `tcp://host:port` or the name of a device; `baudRate` counts for devices only. */
export interface SerialReaderOptions {
  id: string;
  port: string;
  baudRate: number;
  reads: TextReads;
  /** Accepted card number prefixes. */
  issuers: readonly string[];
}

export const serialReader: ReaderModule<SerialReaderOptions> = {
  type: "serial",
  kind: "reader",
  create: (options, world, events) => new SerialReader(options, world, events),
};

class SerialReader implements Reader {
  readonly #options: SerialReaderOptions;
  readonly #world: DriverWorld;
  readonly #events: ReaderEvents;
  readonly #supervisor: Supervisor<Channel>;
  #stopping = false;
  #observer: Observer | null = null;

  constructor(options: SerialReaderOptions, world: DriverWorld, events: ReaderEvents) {
    this.#options = options;
    this.#world = world;
    this.#events = events;
    this.#supervisor = new Supervisor(
      {
        name: `reader ${options.id}`,
        open: (lost) => this.#open(lost),
        up: () => events.up({}),
        down: (why) => events.down(why),
      },
      world,
    );
  }

  start(): Promise<void> {
    return this.#supervisor.start();
  }

  stop(): Promise<void> {
    this.#stopping = true;
    return this.#supervisor.stop();
  }

  observe(observer: Observer | null): void {
    this.#observer = observer;
  }

  async #open(lost: (why: string) => void): Promise<Channel> {
    const parsed = parseChannelAddress(this.#options.port, this.#options.baudRate);
    if (parsed.kind === "refused") throw new Error(parsed.why);
    const line = new Line(this.#world.clock, (frame, stamp) => this.#tell(frame, stamp));
    const channel = await this.#world.openChannel(parsed.address, {
      data: (bytes) => {
        this.#observer?.({ kind: "bytes", direction: "in", bytes }, stampOf(this.#world.clock));
        line.take(bytes);
      },
      closed: (why) => {
        line.drop();
        lost(why);
      },
    });
    return {
      write: (bytes) => channel.write(bytes),
      close: () => {
        line.drop();
        return channel.close();
      },
    };
  }

  #tell(frame: Heard, stamp: Stamp): void {
    if (this.#stopping) return;
    if (frame.kind === "frame") this.#observer?.({ kind: "text", text: decodeText(frame.bytes) }, stamp);
    this.#events.reading(this.#read(frame), stamp);
  }

  #read(frame: Heard): Reading {
    switch (frame.kind) {
      case "frame":
        return readText(decodeText(frame.bytes), this.#options.reads, this.#options.issuers);
      case "overlong":
        return unreadable(
          `${frame.countBytes} bytes without an end, at most ${FRAME_BYTES_MAX} were expected: is baudRate right?`,
        );
      case "partial":
        return unreadable(`broken off after ${frame.countBytes} bytes`);
      case "flood":
        return unreadable(`more than ${FRAMES_PER_SECOND_MAX} lines in a second: is this a reader?`);
    }
  }
}

/** `flood`: more came than anybody can have presented, and what follows within the second is not listened to. */
type Heard = Frame | { kind: "flood" };

/** The bytes of one opening, as frames with the time of their first byte. What has begun ends with the opening. */
class Line {
  readonly #clock: Clock;
  readonly #tell: (frame: Heard, stamp: Stamp) => void;
  readonly #framer = new Framer();
  #began: Stamp | null = null;
  #quiet: Timer | null = null;
  #second = { endsMs: Number.NEGATIVE_INFINITY, frames: 0 };
  /** After a flood: when its last bytes came. What they began must not be taken for a credential by its end alone. */
  #flooded: { lastMs: number } | null = null;

  constructor(clock: Clock, tell: (frame: Heard, stamp: Stamp) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  take(bytes: Uint8Array): void {
    this.#quiet?.cancel();
    const now = stampOf(this.#clock);
    if (now.monotonicMs >= this.#second.endsMs)
      this.#second = { endsMs: now.monotonicMs + SECOND_MS, frames: 0 };
    const heard = this.#afterFlood(bytes, now.monotonicMs);
    for (let at = 0; at < heard.length; at += PIECE_BYTES) {
      for (const frame of this.#framer.push(heard.subarray(at, at + PIECE_BYTES))) {
        this.#tell(frame, this.#began ?? now);
        this.#began = null;
        this.#second.frames += 1;
      }
      if (this.#second.frames > FRAMES_PER_SECOND_MAX) return this.#flood(now);
    }
    if (!this.#framer.pending) return;
    this.#began ??= now;
    this.#listen();
  }

  drop(): void {
    this.#quiet?.cancel();
    this.#framer.idle();
    this.#began = null;
  }

  #flood(now: Stamp): void {
    this.drop();
    this.#flooded = { lastMs: now.monotonicMs };
    this.#tell({ kind: "flood" }, now);
  }

  /** What is to be heard of these bytes: nothing while a flood's second lasts, then all from the next frame on. */
  #afterFlood(bytes: Uint8Array, nowMs: number): Uint8Array {
    if (this.#flooded === null) return bytes;
    const isQuiet = nowMs - this.#flooded.lastMs >= QUIET_MS;
    this.#flooded.lastMs = nowMs;
    if (this.#second.frames > FRAMES_PER_SECOND_MAX) return bytes.subarray(bytes.length);
    const end = isQuiet ? -1 : findFrameEnd(bytes);
    if (!isQuiet && end < 0) return bytes.subarray(bytes.length);
    this.#flooded = null;
    return bytes.subarray(end + 1);
  }

  #listen(): void {
    this.#quiet = afterSilence(this.#clock, QUIET_MS, () => {
      const broken = this.#framer.idle();
      if (broken) this.#tell(broken, this.#began ?? stampOf(this.#clock));
      this.#began = null;
    });
  }
}
