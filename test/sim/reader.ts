import type { MisreadReason, Reader, ReaderEvents, Reading, Signal } from "../../drivers/driver.ts";
import type { SimClock } from "./clock.ts";

/** From the device being there to it being open. */
const OPEN_MS = 50;

/** A reader and the hands that hold cards against it. `attach` gives a gateway life's driver for it. */
export class SimReader {
  readonly id: string;
  readonly signals: { signal: Signal; atMs: number }[] = [];
  readonly #clock: SimClock;
  readonly #trace: ((line: string) => void) | undefined;
  #isPlugged = true;
  #attached: AttachedReader | null = null;

  constructor(id: string, clock: SimClock, trace?: (line: string) => void) {
    this.id = id;
    this.#clock = clock;
    this.#trace = trace;
  }

  attach(clock: SimClock, events: ReaderEvents): Reader {
    this.#attached = new AttachedReader(this, clock, events);
    return this.#attached;
  }

  /** Hands on a reading; false when nobody could have noticed it. */
  present(reading: Reading): boolean {
    const heard = this.#attached?.hand(reading) ?? false;
    this.note(`${heard ? "reads" : "misses"} ${JSON.stringify(reading)}`);
    return heard;
  }

  presentNumber(number: string): boolean {
    return this.present({
      kind: "credential",
      credential: { kind: "number", number },
      assurance: "number",
    });
  }

  presentToken(uid: string, part: "whole" | "first" | "last" = "whole"): boolean {
    const assurance = part === "whole" ? "uid" : "uid-cut";
    return this.present({ kind: "credential", credential: { kind: "token", uid, part }, assurance });
  }

  presentMisread(reason: MisreadReason, step = "simulated"): boolean {
    return this.present({ kind: "misread", reason, step });
  }

  unplug(why = "unplugged"): void {
    if (!this.#isPlugged) return;
    this.#isPlugged = false;
    this.note(`is unplugged: ${why}`);
    this.#attached?.lost(why);
  }

  plug(): void {
    if (this.#isPlugged) return;
    this.#isPlugged = true;
    this.note("is plugged in");
    this.#attached?.reopen();
  }

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  /** For `attach`ed drivers. */
  signalled(signal: Signal): void {
    this.signals.push({ signal, atMs: this.#clock.monotonicMs() });
    this.note(`signals ${signal}`);
  }

  note(text: string): void {
    this.#trace?.(`reader ${this.id} ${text}`);
  }
}

class AttachedReader implements Reader {
  readonly #reader: SimReader;
  readonly #clock: SimClock;
  readonly #events: ReaderEvents;
  #state: "new" | "closed" | "open" | "stopped" = "new";

  constructor(reader: SimReader, clock: SimClock, events: ReaderEvents) {
    this.#reader = reader;
    this.#clock = clock;
    this.#events = events;
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(OPEN_MS, () => {
        if (this.#state === "new") {
          this.#state = "closed";
          if (this.#reader.isPlugged) this.#opened();
          else this.#events.down("no such device");
        }
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
  }

  signal(signal: Signal): void {
    if (this.#state === "open") this.#reader.signalled(signal);
  }

  hand(reading: Reading): boolean {
    if (this.#state !== "open" || this.#clock.hasEnded) return false;
    this.#events.reading(reading, {
      monotonicMs: this.#clock.monotonicMs(),
      wallMs: this.#clock.wallMs(),
      trusted: this.#clock.trusted(),
    });
    return true;
  }

  lost(why: string): void {
    if (this.#state !== "open" || this.#clock.hasEnded) return;
    this.#state = "closed";
    this.#events.down(why);
  }

  reopen(): void {
    this.#clock.after(OPEN_MS, () => {
      if (this.#state === "closed" && this.#reader.isPlugged) this.#opened();
    });
  }

  #opened(): void {
    this.#state = "open";
    this.#events.up({ model: "simulated reader" });
  }
}
