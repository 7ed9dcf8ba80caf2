/** One reader as nfc-pcsc shows it, inside the PC/SC process: what happens to it, told; what it is told to do, done. */
import type { CardReader, NfcReader } from "nfc-pcsc";
import { GET_UID } from "./codec/pcsc-answer.ts";
import {
  ANSWER_BYTES_MAX,
  cutText,
  type FromPcsc,
  hexOf,
  type PcscStep,
  type PcscVia,
  type ToPcsc,
} from "./codec/pcsc-messages.ts";

/** SCARD_STATE_PRESENT; the upper 16 bits of a state count the cards that came and went (pcsc-lite, winscard_clnt.c). */
const PRESENT = 0x20;
/** Lights of a decision or two; what is asked beyond them is for somebody who has left. */
const COMMANDS_MAX = 8;

export class PcscSlot {
  readonly #reader: NfcReader;
  readonly #say: (message: FromPcsc) => void;
  readonly #fail: (error: unknown) => void;
  readonly #sides: Map<string, CardReader>;
  #commands: Promise<void> = Promise.resolve();
  #waiting = 0;

  /**
   * `fail`: nothing more is to be had from PC/SC as it is. `sides`: a second way to each reader by its name, beside
   * nfc-pcsc's own, which would take a direct connection for one to a card; shared with the slots before and after this
   * one, as the library's destructor for what is given back joins a thread that there never was.
   */
  constructor(
    reader: NfcReader,
    sides: Map<string, CardReader>,
    say: (message: FromPcsc) => void,
    fail: (error: unknown) => void,
  ) {
    this.#reader = reader;
    this.#sides = sides;
    this.#say = say;
    this.#fail = fail;
    // It would ask a card of ISO 14443-4 for an application and give an error where there is a UID.
    reader.autoProcessing = false;
    this.#hearLostErrors();
    reader.on("error", fail);
    reader.on("card", () => void this.#ask());
    // Registered after nfc-pcsc's own: a connection is under way when a card is told of.
    reader.reader.on("status", ({ state, atr }) => this.#look(reader.reader.state, state, atr));
    say({ kind: "reader", reader: reader.name });
  }

  command({ id, via, bytes }: ToPcsc): void {
    if (this.#waiting >= COMMANDS_MAX) return this.#done(id, Buffer.alloc(0), "too many commands wait");
    this.#waiting += 1;
    this.#commands = this.#commands.then(async () => {
      const order = Buffer.from(bytes, "hex");
      try {
        this.#done(id, (await this.#throughCard(via, order)) ?? (await this.#escape(order)), "");
      } catch (error) {
        this.#done(id, Buffer.alloc(0), wordsOf(error));
      }
      this.#waiting -= 1;
    });
  }

  /** Null: there is none, or it has left. */
  async #throughCard(via: PcscVia, order: Buffer): Promise<Buffer | null> {
    const { card, connection } = this.#reader;
    if (via === "escape" || card === null || connection === null) return null;
    return this.#reader.transmit(order, ANSWER_BYTES_MAX).catch(() => null);
  }

  #done(id: number, answer: Buffer, why: string): void {
    this.#say({ kind: "done", reader: this.#reader.name, id, bytes: hexOf(answer), why: cutText(why) });
  }

  // ---------------------------------------------------------------- cards

  /** nfc-pcsc emits what goes wrong while it connects as an event named by the error itself, which nobody can await. */
  #hearLostErrors(): void {
    const emit = this.#reader.emit.bind(this.#reader);
    this.#reader.emit = (event, ...values) => {
      if (!(event instanceof Error)) return emit(event, ...values);
      if (event.name === "ConnectError") this.#failed("connect", event);
      else this.#fail(event);
      return true;
    };
  }

  /** `before` and `now`: states of the reader. nfc-pcsc connects to a card that was not there before, and only to such. */
  #look(before: number | undefined, now: number, atr: Buffer | undefined): void {
    const { name } = this.#reader;
    const isFirst = before === undefined;
    const wasThere = ((before ?? 0) & PRESENT) !== 0;
    const isThere = (now & PRESENT) !== 0;
    const moves = isFirst ? 0 : movesBetween(before >>> 16, now >>> 16);
    if (isFirst ? !isThere : wasThere && (!isThere || moves > 1)) this.#say({ kind: "left", reader: name });
    if (!isThere && moves > (wasThere ? 2 : 1)) {
      this.#say({ kind: "card", reader: name, atr: "" });
      this.#failed("unseen", "");
      this.#say({ kind: "left", reader: name });
    }
    if (!isThere || (wasThere && moves < 2)) return;
    this.#say({ kind: "card", reader: name, atr: hexOf((atr ?? Buffer.alloc(0)).subarray(0, 33)) });
    if (wasThere) void this.#connectAnew(atr);
  }

  /** One card was changed for another before this process looked; what nfc-pcsc holds is of the one before. */
  async #connectAnew(atr: Buffer | undefined): Promise<void> {
    const reader = this.#reader;
    try {
      if (reader.connection !== null) await reader.disconnect();
    } catch (error) {
      return this.#fail(error);
    }
    try {
      reader.card = atr === undefined ? {} : { atr };
      await reader.connect();
    } catch (error) {
      return this.#failed("connect", error);
    }
    await this.#ask();
  }

  /** Once a presentation: a card that is asked again and again while it is waved may lock. */
  async #ask(): Promise<void> {
    const reader = this.#reader;
    this.#say({ kind: "asked", reader: reader.name, bytes: hexOf(GET_UID) });
    try {
      const answer = await reader.transmit(Buffer.from(GET_UID), ANSWER_BYTES_MAX);
      this.#say({ kind: "answer", reader: reader.name, bytes: hexOf(answer) });
    } catch (error) {
      this.#failed("ask", error);
    }
    // It left while it was being connected to, and nfc-pcsc had nothing yet to disconnect from: the next card must find
    // no connection of this one.
    if (reader.card === null && reader.connection !== null) {
      await reader.disconnect().catch((error: unknown) => this.#fail(error));
    }
  }

  #failed(step: PcscStep, error: unknown): void {
    this.#say({ kind: "failed", reader: this.#reader.name, step, why: cutText(wordsOf(error)) });
  }

  // ---------------------------------------------------------------- the reader itself

  async #escape(order: Buffer): Promise<Buffer> {
    const { name, reader } = this.#reader;
    const side = this.#sides.get(name) ?? new (reader.constructor as new (name: string) => CardReader)(name);
    this.#sides.set(name, side);
    const direct = { share_mode: side.SCARD_SHARE_DIRECT, protocol: 0 };
    await settled((done) => side.connect(direct, done));
    try {
      return await new Promise((resolve, reject) => {
        side.control(order, side.IOCTL_CCID_ESCAPE, ANSWER_BYTES_MAX, (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      });
    } finally {
      await settled((done) => side.disconnect(side.SCARD_LEAVE_CARD, done)).catch(() => undefined);
    }
  }
}

function settled(begin: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((error) => (error ? reject(error) : resolve()));
  });
}

/** What the library beneath says; nfc-pcsc's own words only say that something failed. */
function wordsOf(error: unknown): string {
  const { previous } = error as { previous?: unknown };
  if (previous instanceof Error) return previous.message;
  return error instanceof Error ? error.message : String(error);
}

/**
 * Cards that came or went between two counts of 16 bits. A count that went back is one that pcscd began anew: a reader that is
 * plugged in again may first be shown with the count it had before.
 */
function movesBetween(before: number, now: number): number {
  const moves = (now - before) & 0xffff;
  return moves < 0x8000 ? moves : now;
}
