/** A serial line between a card reader and the gateway, with everything that a cable does to bytes. */
import type { Channel, ChannelEvents, OpenChannel } from "../../drivers/ports.ts";
import type { SimClock } from "./clock.ts";
import type { SimRandom } from "./random.ts";

const OPEN_MS = 20;
/** From one piece of what the reader sends to the next. */
const PIECE_MS_MAX = 30;

/** How likely each is, for each piece: a bit turned over, the piece again, the piece lost, noise before it. */
export interface LineDamage {
  flip: number;
  repeat: number;
  lose: number;
  noise: number;
}

export const CLEAN_LINE: LineDamage = { flip: 0, repeat: 0, lose: 0, noise: 0 };
const NOISE_BYTES_MAX = 600;

/** `openOn` gives a gateway life's way to it. What is sent while nobody has it open is lost, as on a real one. */
export class SimLine {
  readonly id: string;
  damage: LineDamage = CLEAN_LINE;
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  readonly #trace: ((line: string) => void) | undefined;
  #isPlugged = true;
  #open: { clock: SimClock; events: ChannelEvents } | null = null;
  /** Bytes do not overtake each other. */
  #arriveAtMs = 0;

  constructor(id: string, clock: SimClock, random: SimRandom, trace?: (line: string) => void) {
    this.id = id;
    this.#clock = clock;
    this.#random = random;
    this.#trace = trace;
  }

  /** The reader sends a line of text. */
  send(text: string): void {
    this.#note(`sends ${text}`);
    let rest: Uint8Array = Buffer.from(`${text}\r\n`);
    while (rest.length > 0) {
      const sizeBytes = this.#random.chance(0.5) ? rest.length : this.#random.between(1, rest.length);
      this.#piece(rest.slice(0, sizeBytes));
      rest = rest.slice(sizeBytes);
    }
  }

  unplug(why = "unplugged"): void {
    if (!this.#isPlugged) return;
    this.#isPlugged = false;
    this.#note(`is unplugged: ${why}`);
    const open = this.#open;
    this.#open = null;
    if (open !== null && !open.clock.hasEnded) open.events.closed(why);
  }

  plug(): void {
    this.#isPlugged = true;
    this.#note("is plugged in");
  }

  openOn(clock: SimClock): OpenChannel {
    return (_address, events) =>
      new Promise((resolve, reject) => {
        clock.after(OPEN_MS, () => {
          if (!this.#isPlugged) return reject(new Error("no such device"));
          const mine = { clock, events };
          this.#open = mine;
          const channel: Channel = {
            write: async () => undefined,
            close: async () => {
              if (this.#open === mine) this.#open = null;
            },
          };
          resolve(channel);
        });
      });
  }

  #piece(bytes: Uint8Array): void {
    const { flip, repeat, lose, noise } = this.damage;
    const random = this.#random;
    if (random.chance(noise)) this.#carry(random.bytes(random.between(1, NOISE_BYTES_MAX)));
    if (random.chance(flip)) bytes[random.between(0, bytes.length - 1)]! ^= 1 << random.between(0, 7);
    if (random.chance(lose)) return;
    this.#carry(bytes);
    if (random.chance(repeat)) this.#carry(bytes);
  }

  #carry(bytes: Uint8Array): void {
    const nowMs = this.#clock.monotonicMs();
    this.#arriveAtMs = Math.max(this.#arriveAtMs, nowMs) + this.#random.between(0, PIECE_MS_MAX);
    this.#clock.after(this.#arriveAtMs - nowMs, () => {
      if (this.#open !== null && !this.#open.clock.hasEnded) this.#open.events.data(bytes);
    });
  }

  #note(text: string): void {
    this.#trace?.(`line ${this.id} ${text}`);
  }
}
