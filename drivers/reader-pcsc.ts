/** A reader of contactless cards that PC/SC shows: chip UIDs from it, light and beep to it where it is known how. */
import { readAnswer, readFailure } from "./codec/pcsc-answer.ts";
import type {
  DriverWorld,
  Observer,
  Reader,
  ReaderEvents,
  ReaderModule,
  Reading,
  Sight,
  Signal,
  Stamp,
} from "./driver.ts";
import { FirstNews } from "./first-news.ts";
import { Outage } from "./outage.ts";
import type { AtReader, PcscHold, PcscHub } from "./pcsc-hub.ts";
import type { Timer } from "./ports.ts";

/** A reader that will not be silenced is asked with the first cards, and then left as it is. */
const QUIET_TRIES_MAX = 3;

/** What pcscd answers for an escape command that libccid does not let through (SCARD_E_NOT_TRANSACTED), or the reader refuses. */
const NOT_TRANSACTED = /0x80100016/i;

/** `name`: a part of the name PC/SC shows. `hub`: of the gateway. */
export interface PcscReaderOptions {
  id: string;
  name: string;
  hub: PcscHub;
}

export const pcscReader: ReaderModule<PcscReaderOptions> = {
  type: "pcsc",
  kind: "reader",
  create: (options, world, events) => new PcscReader(options, world, events),
};

type News =
  | { kind: "up"; reader: string }
  | { kind: "down"; why: string }
  | { kind: "at"; what: AtReader; stamp: Stamp };

class PcscReader implements Reader {
  readonly #options: PcscReaderOptions;
  readonly #world: DriverWorld;
  readonly #events: ReaderEvents;
  #hold: PcscHold | null = null;
  readonly #news: FirstNews<News>;
  /** The presentation under way. */
  #card: { atr: string; stamp: Stamp } | null = null;
  /** The UID of the card that lies there, kept while the reader is down. */
  #lying: string | null = null;
  readonly #outage: Outage;
  #quietTries = 0;
  /** The command whose answer is awaited. */
  #quieting: number | null = null;
  #hasWarned = false;
  #lights: Timer[] = [];
  #observer: Observer | null = null;

  constructor(options: PcscReaderOptions, world: DriverWorld, events: ReaderEvents) {
    this.#options = options;
    this.#world = world;
    this.#events = events;
    this.#outage = new Outage(`reader ${options.id}`, world.log);
    this.#news = new FirstNews(world.clock, (news) => this.#tell(news));
  }

  start(): Promise<void> {
    return this.#news.start(() => this.#join());
  }

  async stop(): Promise<void> {
    this.#news.stop();
    this.#darken();
    await this.#hold?.release();
  }

  signal(signal: Signal): void {
    if (this.#news.stopping) return;
    // A light that is due for the person before is no longer.
    this.#darken();
    for (const { afterMs, ...command } of this.#hold?.feedback?.signals[signal] ?? []) {
      if (afterMs === 0) this.#hold?.command(command);
      else this.#lights.push(this.#world.clock.after(afterMs, () => this.#hold?.command(command)));
    }
  }

  observe(observer: Observer | null): void {
    this.#observer = observer;
  }

  #darken(): void {
    for (const timer of this.#lights.splice(0)) timer.cancel();
  }

  #join(): void {
    const { hub, name } = this.#options;
    this.#hold = hub.hold(name, {
      up: (reader) => this.#news.hear({ kind: "up", reader }),
      down: (why) => this.#news.hear({ kind: "down", why }),
      happened: (what, stamp) => this.#news.hear({ kind: "at", what, stamp }),
    });
  }

  #tell(news: News): void {
    switch (news.kind) {
      case "up":
        this.#quietTries = 0;
        this.#outage.up();
        this.#events.up({ model: news.reader });
        return this.#quiet();
      case "down":
        this.#card = null;
        this.#darken();
        return this.#outage.down(news.why) ? this.#events.down(news.why) : undefined;
      case "at":
        return this.#happened(news.what, news.stamp);
    }
  }

  // ---------------------------------------------------------------- cards

  #happened(what: AtReader, stamp: Stamp): void {
    switch (what.kind) {
      case "card":
        this.#card = { atr: what.atr, stamp };
        return this.#see({ kind: "text", text: `ATR ${what.atr || "none"}` }, stamp);
      case "asked":
        return this.#see({ kind: "bytes", direction: "out", bytes: Buffer.from(what.bytes, "hex") }, stamp);
      case "answer": {
        const answer = Buffer.from(what.bytes, "hex");
        this.#see({ kind: "bytes", direction: "in", bytes: answer }, stamp);
        this.#read(readAnswer(answer, this.#card?.atr ?? ""), stamp);
        return this.#quiet();
      }
      case "failed":
        return this.#read(readFailure(what.step, what.why), stamp);
      case "left":
        this.#card = null;
        this.#lying = null;
        return;
      case "done":
        return what.id === this.#quieting
          ? this.#quieted(Buffer.from(what.bytes, "hex"), what.why)
          : undefined;
    }
  }

  #read(reading: Reading, stamp: Stamp): void {
    if (reading.kind === "credential" && reading.credential.kind === "token") {
      const { uid } = reading.credential;
      this.#see({ kind: "uid", bytes: Buffer.from(uid, "hex") }, stamp);
      // PC/SC finds a card that lies on a reader anew when the reader, pcscd or our process comes back. Nobody has
      // presented it again, and nobody may be standing there.
      if (uid === this.#lying) return;
      this.#lying = uid;
    }
    this.#events.reading(reading, this.#card?.stamp ?? stamp);
  }

  #see(sight: Sight, stamp: Stamp): void {
    this.#observer?.(sight, stamp);
  }

  // ---------------------------------------------------------------- the reader's own beep

  /** Some readers take it only through a card: what failed is tried again with the next. */
  #quiet(): void {
    const quiet = this.#hold?.feedback?.quiet;
    if (quiet === undefined || this.#quietTries >= QUIET_TRIES_MAX) return;
    this.#quietTries += 1;
    this.#quieting = this.#hold?.command(quiet) ?? null;
  }

  #quieted(answer: Uint8Array, why: string): void {
    this.#quieting = null;
    if (NOT_TRANSACTED.test(why)) this.#warn();
    const heard = this.#hold?.feedback?.hearQuiet(answer) ?? "unheard";
    if (heard === "unheard") return;
    // Asked for once: a setting that does not take is not written again and again into the reader's memory.
    this.#quietTries = QUIET_TRIES_MAX;
    if (heard !== "quiet") this.#hold?.command(heard);
  }

  /** Once, and not at every re-plug: it stays so until somebody changes it. */
  #warn(): void {
    const { feedback } = this.#hold ?? {};
    if (this.#hasWarned || !feedback) return;
    this.#hasWarned = true;
    const why = "libccid lets no escape command through: docs/pcsc.md, Light and beep, says how it does";
    this.#world.log.warn(`reader ${this.#options.id} ${feedback.withoutEscape}`, { why });
  }
}
