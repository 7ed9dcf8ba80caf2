/**
 * All PC/SC readers of a gateway: one process speaks for them, and each is a part of a name. Keeps the process running,
 * finds whose reader is whose, and hands on what happens at each. All use of PC/SC goes through one `PcscHub`.
 */
import { type Feedback, feedbackOf, type PcscCommand } from "./codec/pcsc-feedback.ts";
import { type FromPcsc, hexOf } from "./codec/pcsc-messages.ts";
import { findReader } from "./codec/pcsc-names.ts";
import type { DriverWorld, Stamp } from "./driver.ts";
import { PcscLink } from "./pcsc-link.ts";
import type { OpenPcsc } from "./pcsc-process.ts";
import type { Timer } from "./ports.ts";
import { type Device, SILENT, Supervisor } from "./supervise.ts";

/**
 * Readers come and go, and one of ours is missing: within this it is told of, or the native layer has missed it, as it does where two
 * come at about the same time. Then the process starts anew; and later each time that this was of no use.
 */
const MISSING_MS_MIN = 2_000;
const MISSING_MS_MAX = 60_000;

const AFRESH = "a PC/SC reader has gone: starting afresh";

/** A card on each of 16 readers while the process starts is a fraction of it. */
const EARLY_MAX = 256;

/** What happens at one reader, from the process. */
export type AtReader = Extract<FromPcsc, { kind: "card" | "asked" | "answer" | "failed" | "left" | "done" }>;

/** `reader`: the whole name. `down` again while it is down: for another reason. */
export interface PcscListener {
  up(reader: string): void;
  down(why: string): void;
  happened(what: AtReader, stamp: Stamp): void;
}

/** One reader of the configuration's hold on PC/SC. */
export interface PcscHold {
  /** Of the reader that was told up; null while it is down and where it has none that is known. */
  readonly feedback: Feedback | null;
  /** Answered by `done` with the id this gives. Goes nowhere while the reader is down. */
  command(command: PcscCommand): number;
  /** Resolves when nothing is left of it. Safe at any time and more than once. */
  release(): Promise<void>;
}

interface Seat {
  name: string;
  listener: PcscListener;
  /** The whole name of the reader that is told up. */
  reader: string | null;
  /** Why it was told down; null before anything was told and while it is up. */
  why: string | null;
}

export class PcscHub {
  readonly #world: DriverWorld;
  readonly #openPcsc: OpenPcsc;
  readonly #seats = new Set<Seat>();
  /** What the process has told of in this life. */
  readonly #readers = new Set<string>();
  #supervisor: Supervisor<Device> | null = null;
  #ending: Promise<void> = Promise.resolve();
  #link: PcscLink | null = null;
  #isUp = false;
  /** Why the process is not there; null while it is, and before that is known. */
  #why: string | null = null;
  #commands = 0;
  /** What happened at readers before the process was ready, to be told once they are up. */
  readonly #early: [AtReader, Stamp][] = [];
  #lose: (why: string) => void = () => {};
  #missing: Timer | null = null;
  #missingMs = MISSING_MS_MIN;

  constructor(world: DriverWorld, openPcsc: OpenPcsc) {
    this.#world = world;
    this.#openPcsc = openPcsc;
  }

  /** `name`: a part of the reader's. */
  hold(name: string, listener: PcscListener): PcscHold {
    const seat: Seat = { name, listener, reader: null, why: null };
    this.#seats.add(seat);
    if (this.#supervisor === null) this.#open();
    else if (this.#isUp) this.#settle();
    else if (this.#why !== null) this.#down(seat, this.#why);
    let released: Promise<void> | null = null;
    return {
      get feedback() {
        return seat.reader === null ? null : feedbackOf(seat.reader);
      },
      command: ({ via, bytes }) => {
        const { reader } = seat;
        this.#commands += 1;
        const id = this.#commands;
        if (reader !== null) this.#link?.send({ kind: "command", reader, id, via, bytes: hexOf(bytes) });
        return id;
      },
      release: () => {
        released ??= this.#release(seat);
        return released;
      },
    };
  }

  // ---------------------------------------------------------------- the process

  #open(): void {
    const supervisor = new Supervisor<Device>(
      {
        name: "PC/SC",
        open: (lost) => this.#openLink(lost),
        up: () => {
          this.#isUp = true;
          this.#why = null;
          this.#settle();
          for (const [what, stamp] of this.#early.splice(0)) this.#tell(what, stamp);
        },
        down: (why) => {
          this.#why = why;
          for (const seat of this.#seats) this.#down(seat, why);
        },
      },
      { ...this.#world, log: SILENT },
    );
    this.#supervisor = supervisor;
    // One process at a time: the one before is gone when this one starts.
    void this.#ending.then(() => supervisor.start());
  }

  async #openLink(lost: (why: string) => void): Promise<Device> {
    let failed: string | null = null;
    const link = new PcscLink(
      this.#world.clock,
      (message, stamp) => this.#hear(message, stamp),
      (why) => {
        failed = why;
        this.#leave();
        lost(why);
      },
    );
    this.#readers.clear();
    this.#early.splice(0);
    this.#link = link;
    this.#lose = lost;
    try {
      await link.open(this.#openPcsc);
      if (failed !== null) throw new Error(failed);
    } catch (error) {
      this.#leave();
      await link.close();
      throw error;
    }
    return {
      close: () => {
        this.#leave();
        return link.close();
      },
    };
  }

  #leave(): void {
    this.#link = null;
    this.#isUp = false;
    this.#missing?.cancel();
    this.#missing = null;
  }

  async #release(seat: Seat): Promise<void> {
    this.#seats.delete(seat);
    if (this.#seats.size > 0) return;
    const supervisor = this.#supervisor;
    const link = this.#link;
    this.#supervisor = null;
    this.#why = null;
    this.#leave();
    if (supervisor !== null) this.#ending = Promise.all([supervisor.stop(), link?.close()]).then(() => {});
    await this.#ending;
  }

  // ---------------------------------------------------------------- whose reader is whose

  #hear(message: FromPcsc, stamp: Stamp): void {
    switch (message.kind) {
      case "reader":
        this.#readers.add(message.reader);
        return this.#changed();
      case "gone":
        this.#readers.delete(message.reader);
        return this.#changed();
      case "beat":
      case "ready":
      case "fault":
        return;
      default:
        if (this.#isUp) this.#tell(message, stamp);
        else if (this.#early.length < EARLY_MAX) this.#early.push([message, stamp]);
    }
  }

  #tell(what: AtReader, stamp: Stamp): void {
    for (const { reader, listener } of this.#seats) {
      if (reader === what.reader) listener.happened(what, stamp);
    }
  }

  #changed(): void {
    if (!this.#isUp) return;
    this.#settle();
    if ([...this.#seats].some(({ reader }) => reader === null)) this.#expect();
  }

  #settle(): void {
    for (const seat of this.#seats) {
      const others = [...this.#seats].filter((other) => other !== seat).map(({ name }) => name);
      const match = findReader(seat.name, this.#readers, others);
      if (match.kind === "found" && match.reader === seat.reader) continue;
      if (match.kind === "none") {
        this.#down(seat, match.why);
        continue;
      }
      if (seat.reader !== null) this.#down(seat, `now ${match.reader} is called "${seat.name}"`);
      seat.reader = match.reader;
      seat.why = null;
      seat.listener.up(match.reader);
    }
    if ([...this.#seats].every(({ reader }) => reader !== null)) {
      this.#missing?.cancel();
      this.#missing = null;
      this.#missingMs = MISSING_MS_MIN;
    }
  }

  /** Tells of it unless it is down already, for the same reason. That we start afresh is no reason why one was missing before. */
  #down(seat: Seat, why: string): void {
    if (seat.why === why || (seat.why !== null && why === AFRESH)) return;
    seat.reader = null;
    seat.why = why;
    seat.listener.down(why);
  }

  #expect(): void {
    this.#missing ??= this.#world.clock.after(this.#missingMs, () => {
      this.#missing = null;
      this.#missingMs = Math.min(2 * this.#missingMs, MISSING_MS_MAX);
      this.#leave();
      this.#lose(AFRESH);
    });
  }
}
