/**
 * PC/SC as the gateway meets it, without pcscd and without a process: what comes over the wire from a process that starts,
 * beats, tells of readers and cards, hangs, babbles and dies.
 */
import {
  encodeMessage,
  type FromPcsc,
  hexOf,
  type ToPcsc,
  toPcscReader,
} from "../../drivers/codec/pcsc-messages.ts";
import type { OpenPcsc } from "../../drivers/pcsc-process.ts";
import type { ChannelEvents, Clock } from "../../drivers/ports.ts";
import { STORAGE_ATR } from "../peers/pcscd.ts";

const READY_MS = 150;
const BEAT_MS = 500;

export class SimPcsc {
  /** Lives of the process so far, and now. */
  starts = 0;
  living = 0;
  /** What the readers were told, in order. */
  readonly commands: ToPcsc[] = [];
  /** Until its first word. */
  startMs = 100;
  /** Lives, and says nothing. */
  isSilent = false;
  /** What the reader answers a command; hex. */
  answerCommand: (command: ToPcsc) => string = () => "";
  /** Why a command does not reach the reader; empty where it does. */
  refusal = "";
  readonly #clock: Clock;
  /** By name, with the UID of the card that lies there. */
  readonly #readers = new Map<string, string | null>();
  #isRunning = true;
  #life: Life | null = null;

  constructor(clock: Clock, readers: string[]) {
    this.#clock = clock;
    for (const reader of readers) this.#readers.set(reader, null);
  }

  readonly open: OpenPcsc = async (events) => {
    if (!this.#isRunning) throw new Error("pcscd is not running: sudo systemctl enable --now pcscd.socket");
    const life = new Life(events);
    this.#life = life;
    this.starts += 1;
    this.living += 1;
    const heard = toPcscReader();
    this.#clock.after(this.startMs, () => {
      this.#beat(life);
      for (const reader of this.#readers.keys()) this.#appear(reader);
    });
    this.#clock.after(this.startMs + READY_MS, () => life.say(this.isSilent ? null : { kind: "ready" }));
    return {
      write: async (bytes) => {
        await Promise.resolve();
        for (const command of heard.take(bytes).messages) this.#command(life, command);
      },
      close: async () => {
        if (life.end()) this.living -= 1;
      },
    };
  };

  plug(reader: string): void {
    this.#readers.set(reader, null);
    this.#appear(reader);
  }

  unplug(reader: string): void {
    this.#readers.delete(reader);
    this.say({ kind: "gone", reader });
  }

  /** pcscd ends, and the process with it. */
  stop(): void {
    this.#isRunning = false;
    this.crash("pcscd has ended (simulated): sudo systemctl restart pcscd.socket pcscd");
  }

  run(): void {
    this.#isRunning = true;
  }

  crash(why: string): void {
    const life = this.#life;
    life?.say({ kind: "fault", why });
    if (life?.end() === true) {
      this.living -= 1;
      life.events.closed("the PC/SC process has ended");
    }
  }

  /** A card that is left lying; nobody hears of it while there is no reader or no process. */
  lay(reader: string, uid: string, atr = STORAGE_ATR): void {
    if (!this.#readers.has(reader)) return;
    this.#readers.set(reader, uid);
    this.say({ kind: "card", reader, atr });
    this.say({ kind: "asked", reader, bytes: "FFCA000000" });
    this.say({ kind: "answer", reader, bytes: `${uid}9000` });
  }

  take(reader: string): void {
    this.#readers.set(reader, null);
    this.say({ kind: "left", reader });
  }

  present(reader: string, uid: string): void {
    this.lay(reader, uid);
    this.take(reader);
  }

  say(message: FromPcsc): void {
    if (!this.isSilent) this.#life?.say(message);
  }

  babble(bytes: Uint8Array): void {
    this.#life?.events.data(bytes);
  }

  #appear(reader: string): void {
    this.say({ kind: "reader", reader });
    const lying = this.#readers.get(reader);
    if (typeof lying === "string") this.lay(reader, lying);
    else this.say({ kind: "left", reader });
  }

  #beat(life: Life): void {
    if (life.isOver) return;
    life.say(this.isSilent ? null : { kind: "beat" });
    this.#clock.after(BEAT_MS, () => this.#beat(life));
  }

  #command(life: Life, command: ToPcsc): void {
    this.commands.push(command);
    const { reader, id } = command;
    life.say({ kind: "done", reader, id, bytes: this.answerCommand(command), why: this.refusal });
  }
}

class Life {
  readonly events: ChannelEvents;
  isOver = false;

  constructor(events: ChannelEvents) {
    this.events = events;
  }

  say(message: FromPcsc | null): void {
    if (message !== null && !this.isOver) this.events.data(encodeMessage(message));
  }

  end(): boolean {
    const isFirst = !this.isOver;
    this.isOver = true;
    return isFirst;
  }
}

/** A UID of its own for each number. */
export function uidOf(number: number): string {
  return hexOf(Uint8Array.of(4, number >> 24, number >> 16, number >> 8, number, 1, 2));
}
