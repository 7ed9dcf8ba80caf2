/** A USB reader that types like a keyboard, or hands over reports of its own make. */
import { decodeText } from "./codec/card-text.ts";
import { type HidReportLayout, readReport } from "./codec/hid-report.ts";
import { Keyboard, type Terminator, TYPED_CHARACTERS_MAX, type Typed } from "./codec/keyboard.ts";
import type { KeyboardLayout } from "./codec/keyboard-layouts.ts";
import type {
  DriverWorld,
  Observer,
  Reader,
  ReaderEvents,
  ReaderModule,
  Reading,
  Sight,
  Stamp,
} from "./driver.ts";
import type { Hid } from "./hid.ts";
import { chooseDevice, type HidMatch } from "./hid-match.ts";
import type { Clock, Timer } from "./ports.ts";
import { type Reads, readBits, readCharacters, unreadable } from "./reads.ts";
import { afterSilence } from "./silence.ts";
import { stampOf } from "./stamp.ts";
import { type Device, Supervisor } from "./supervise.ts";

export interface HidKeys {
  mode: "keyboard";
  layout: KeyboardLayout;
  terminator: Terminator;
  /** The longest time between two keys of a reading. */
  keyTimeoutMs: number;
}

export interface HidReports {
  mode: "report";
  report: HidReportLayout;
}

export type HidReaderOptions = (HidKeys | HidReports) &
  HidMatch & {
    id: string;
    reads: Reads;
    /** Accepted card number prefixes. */
    issuers: readonly string[];
    hid: Hid;
  };

export const hidReader: ReaderModule<HidReaderOptions> = {
  type: "hid",
  kind: "reader",
  create: (options, world, events) => new HidReader(options, world, events),
};

/** What makes readings of one opening's reports. */
interface Ear {
  take(report: Uint8Array, stamp: Stamp): void;
  /** What has begun ends with the opening. */
  drop(): void;
}

interface OpenReader extends Device {
  model: string;
}

class HidReader implements Reader {
  readonly #options: HidReaderOptions;
  readonly #world: DriverWorld;
  readonly #events: ReaderEvents;
  readonly #supervisor: Supervisor<OpenReader>;
  #observer: Observer | null = null;
  #stopping = false;

  constructor(options: HidReaderOptions, world: DriverWorld, events: ReaderEvents) {
    this.#options = options;
    this.#world = world;
    this.#events = events;
    this.#supervisor = new Supervisor(
      {
        name: `reader ${options.id}`,
        open: (lost) => this.#open(lost),
        up: ({ model }) => events.up(model === "" ? {} : { model }),
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

  async #open(lost: (why: string) => void): Promise<OpenReader> {
    const { hid } = this.#options;
    const choice = chooseDevice(await hid.list(this.#options), this.#options);
    if (choice.kind === "refused") throw new Error(choice.why);
    const ear = this.#ear();
    const handle = await hid.open(choice.device, {
      report: (bytes) => {
        const stamp = stampOf(this.#world.clock);
        this.#show({ kind: "bytes", direction: "in", bytes }, stamp);
        ear.take(bytes, stamp);
      },
      gone: (why) => {
        ear.drop();
        lost(why);
      },
    });
    return {
      model: choice.device.product,
      close: () => {
        ear.drop();
        return handle.close();
      },
    };
  }

  #ear(): Ear {
    const { clock } = this.#world;
    if (this.#options.mode === "keyboard") {
      return new KeyEar(this.#options, clock, (typed, stamp) => this.#hearTyped(typed, stamp));
    }
    const { report: layout } = this.#options;
    return { take: (report, stamp) => this.#hearReport(report, layout, stamp), drop: () => {} };
  }

  #hearTyped(typed: Typed, stamp: Stamp): void {
    switch (typed.kind) {
      case "text":
        this.#show({ kind: "text", text: typed.text }, stamp);
        return this.#tell(this.#readText(Buffer.from(typed.text)), stamp);
      case "overlong":
        return this.#tell(
          unreadable(
            `${typed.countKeys} keys without an end, at most ${TYPED_CHARACTERS_MAX} were expected: is terminator right?`,
          ),
          stamp,
        );
      case "partial":
        return this.#tell(
          unreadable(`broken off after ${typed.countKeys} keys: is terminator right?`),
          stamp,
        );
      case "unclear":
        return this.#tell(unreadable(typed.why), stamp);
    }
  }

  #hearReport(report: Uint8Array, layout: HidReportLayout, stamp: Stamp): void {
    const field = readReport(report, layout);
    switch (field.kind) {
      case "none":
        return;
      case "refused":
        return this.#tell(unreadable(`a report that is not as configured: ${field.why}`), stamp);
      case "text":
        this.#show({ kind: "text", text: decodeText(field.characters) }, stamp);
        return this.#tell(this.#readText(field.characters), stamp);
      case "bits": {
        this.#show({ kind: "bits", ...field.bits }, stamp);
        const { reads, issuers } = this.#options;
        return this.#tell(readBits(field.bits, reads, issuers), stamp);
      }
    }
  }

  #readText(characters: Uint8Array): Reading {
    return readCharacters(characters, this.#options.reads, this.#options.issuers);
  }

  #show(sight: Sight, stamp: Stamp): void {
    if (!this.#stopping) this.#observer?.(sight, stamp);
  }

  #tell(reading: Reading, stamp: Stamp): void {
    if (!this.#stopping) this.#events.reading(reading, stamp);
  }
}

/** The keys of one opening as readings, each with the time of its first key. */
class KeyEar implements Ear {
  readonly #keyTimeoutMs: number;
  readonly #clock: Clock;
  readonly #tell: (typed: Typed, stamp: Stamp) => void;
  readonly #keyboard: Keyboard;
  #began: Stamp | null = null;
  #quiet: Timer | null = null;

  constructor(keys: HidKeys, clock: Clock, tell: (typed: Typed, stamp: Stamp) => void) {
    this.#keyTimeoutMs = keys.keyTimeoutMs;
    this.#clock = clock;
    this.#tell = tell;
    this.#keyboard = new Keyboard(keys.layout, keys.terminator);
  }

  take(report: Uint8Array, stamp: Stamp): void {
    const before = this.#keyboard.countKeys;
    for (const typed of this.#keyboard.push(report)) {
      this.#tell(typed, this.#began ?? stamp);
      this.#began = null;
    }
    const { countKeys } = this.#keyboard;
    if (countKeys === 0) return this.drop();
    this.#began ??= stamp;
    // A keyboard repeats its report every half second, too, when nothing has changed (HID 1.11, 7.2.4): that is no key.
    if (countKeys !== before) this.#listen();
  }

  drop(): void {
    this.#quiet?.cancel();
    this.#keyboard.idle();
    this.#began = null;
  }

  #listen(): void {
    this.#quiet?.cancel();
    this.#quiet = afterSilence(this.#clock, this.#keyTimeoutMs, () => {
      const typed = this.#keyboard.idle();
      if (typed) this.#tell(typed, this.#began ?? stampOf(this.#clock));
      this.#began = null;
    });
  }
}
