/** A reader on an OSDP line: cards and keys from it, light and beep to it. */
import type { OsdpBus, PdHold } from "./bus-osdp.ts";
import type { PdNews } from "./bus-osdp-pd.ts";
import { decodeText } from "./codec/card-text.ts";
import { ADDRESS_MAX } from "./codec/osdp.ts";
import { CAPABILITY, COLOUR, type Command, TONE } from "./codec/osdp-messages.ts";
import type {
  DriverWorld,
  Observer,
  Reader,
  ReaderEvents,
  ReaderModule,
  Reading,
  Signal,
  Stamp,
} from "./driver.ts";
import { FirstNews } from "./first-news.ts";
import { Outage } from "./outage.ts";
import { type Reads, readBits, readCharacters } from "./reads.ts";

/** A light or a beep that comes later than this is for somebody else. */
const SIGNAL_MS_MAX = 2_000;
/** Commands of a technician. */
const COMMAND_MS_MAX = 3_000;
/** Long enough to walk to a reader and switch it on, short enough to be watched. */
export const COMMISSION_MS_MAX = 600_000;

/** `scbk`: the 16 bytes of the reader's key; null: it is spoken to in the clear. `bus`: of its port. */
export interface OsdpReaderOptions {
  id: string;
  address: number;
  scbk: Uint8Array | null;
  reads: Reads;
  /** Accepted card number prefixes. */
  issuers: readonly string[];
  bus: OsdpBus;
}

export const osdpReader: ReaderModule<OsdpReaderOptions> = {
  type: "osdp",
  kind: "reader",
  create: (options, world, events) => new OsdpReader(options, world, events),
};

export class OsdpReader implements Reader {
  readonly #options: OsdpReaderOptions;
  readonly #world: DriverWorld;
  readonly #events: ReaderEvents;
  readonly #outage: Outage;
  #hold: PdHold | null = null;
  #observer: Observer | null = null;
  readonly #news: FirstNews<[PdNews, Stamp]>;

  constructor(options: OsdpReaderOptions, world: DriverWorld, events: ReaderEvents) {
    this.#options = options;
    this.#world = world;
    this.#events = events;
    this.#outage = new Outage(`reader ${options.id}`, world.log);
    this.#news = new FirstNews(world.clock, ([news, stamp]) => this.#tell(news, stamp));
  }

  start(): Promise<void> {
    return this.#news.start(() => this.#join());
  }

  async stop(): Promise<void> {
    this.#news.stop();
    this.#hold?.observe(null);
    await this.#hold?.release();
  }

  signal(signal: Signal): void {
    for (const command of SIGNALS[signal]) {
      if (this.#can(command)) this.#hold?.request(command, SIGNAL_MS_MAX).catch(() => undefined);
    }
  }

  /** Its exchanges with the reader, but for polls that bring nothing, and each card as it came. */
  observe(observer: Observer | null): void {
    this.#observer = observer;
    this.#hold?.observe(observer);
  }

  /**
   * Lets a reader without a key of its own be given `scbk`, within `durationMs`, under the key that everybody knows.
   * Gives why not, or null.
   */
  commission(durationMs: number): string | null {
    const hold = this.#hold;
    if (hold === null || this.#news.stopping) return "the reader has not been started";
    if (this.#options.scbk === null) return "the reader has no scbk in the configuration to be given";
    if (!(durationMs > 0 && durationMs <= COMMISSION_MS_MAX)) {
      return `a window of ${durationMs} ms is none, allowed: up to ${COMMISSION_MS_MAX} ms`;
    }
    if (hold.isSecure) return "the reader has the key already";
    this.#world.log.warn(`reader ${this.#options.id} may be given its key`, { durationMs });
    hold.commission(durationMs);
    return null;
  }

  /** Gives the reader another address or speed, from its answer on; it is down until the configuration says the same. */
  async setLine(address: number, baudRate: number): Promise<{ address: number; baudRate: number }> {
    const hold = this.#hold;
    if (hold === null || this.#news.stopping) throw new Error("the reader has not been started");
    const isAddress = Number.isInteger(address) && address >= 0 && address <= ADDRESS_MAX;
    // A number of 32 bits: more, or a part of one, would reach the reader as another speed.
    const isSpeed = Number.isInteger(baudRate) && baudRate > 0 && baudRate < 2 ** 32;
    if (!isAddress || !isSpeed)
      throw new Error(`address ${address} with ${baudRate} baud is no place on a line`);
    const reply = await hold.request({ name: "lineSettings", address, baudRate }, COMMAND_MS_MAX);
    if (reply?.name !== "lineSettings") throw new Error("the reader did not say what it has taken");
    return { address: reply.address, baudRate: reply.baudRate };
  }

  #join(): void {
    const { bus, address, scbk } = this.#options;
    const settings = { address, key: scbk, takesCards: true };
    this.#hold = bus.hold(settings, (news, stamp) => this.#news.hear([news, stamp]));
    this.#hold.observe(this.#observer);
  }

  #tell(news: PdNews, stamp: Stamp): void {
    const { id, reads, issuers } = this.#options;
    const { log } = this.#world;
    switch (news.kind) {
      case "up":
        this.#outage.up();
        return this.#events.up(news.model === null ? {} : { model: news.model });
      case "down":
      case "note":
        return this.#outage.down(news.why) ? this.#events.down(news.why) : undefined;
      case "raw":
        this.#observer?.({ ...news.bits, kind: "bits" }, stamp);
        return this.#read(readBits(news.bits, reads, issuers), stamp);
      case "formatted":
        this.#observer?.({ kind: "text", text: decodeText(news.characters) }, stamp);
        return this.#read(readCharacters(news.characters, reads, issuers), stamp);
      case "keypad":
        return this.#events.notice?.({ kind: "keys", digits: digitsOf(news.digits) }, stamp);
      case "alarm":
        log.warn(`reader ${id} alarms`, { why: news.why });
        return this.#events.notice?.(news, stamp);
      case "commissioned":
        log.info(`reader ${id} has been given its key`);
        return this.#events.notice?.(news, stamp);
      case "tamper":
      case "power":
      case "inputs":
        return this.#events.notice?.(news, stamp);
    }
  }

  #read(reading: Reading, stamp: Stamp): void {
    this.#events.reading(reading, stamp);
  }

  /** A reader that has not said what it can is asked all the same; it refuses what it cannot do. */
  #can(command: Command): boolean {
    const capabilities = this.#hold?.capabilities;
    if (capabilities === undefined || capabilities.size === 0) return true;
    const wanted = command.name === "led" ? CAPABILITY.leds : CAPABILITY.buzzer;
    return (capabilities.get(wanted)?.compliance ?? 0) > 0;
  }
}

/** ASCII digits; the standard's codes for `*` and `#` are DEL and CR (7.12). */
function digitsOf(bytes: Uint8Array): string {
  return [...bytes]
    .map((byte) => (byte === 0x7f ? "*" : byte === 0x0d ? "#" : String.fromCharCode(byte)))
    .join("");
}

// ---------------------------------------------------------------- light and beep

/** Green for as long as a turnstile waits to be pushed; red blinking. Times in tenths of a second. */
const SIGNALS: Readonly<Record<Signal, readonly Command[]>> = {
  granted: [light(COLOUR.green, 10, 0, 20), beep(2, 0, 1)],
  denied: [light(COLOUR.red, 2, 2, 20), beep(1, 1, 3)],
};

/** The lamp 0 of reader 0 for `timer`, and then again what it showed before. */
function light(colour: number, on: number, off: number, timer: number): Command {
  return {
    name: "led",
    records: [
      {
        reader: 0,
        led: 0,
        temporaryControl: 2,
        temporaryOn: on,
        temporaryOff: off,
        temporaryOnColour: colour,
        temporaryOffColour: COLOUR.black,
        temporaryTimer: timer,
        permanentControl: 0,
        permanentOn: 0,
        permanentOff: 0,
        permanentOnColour: 0,
        permanentOffColour: 0,
      },
    ],
  };
}

function beep(on: number, off: number, count: number): Command {
  return { name: "buzzer", reader: 0, tone: TONE.standard, on, off, count };
}
