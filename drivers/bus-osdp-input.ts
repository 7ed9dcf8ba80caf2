/**
 * An input of an OSDP reader as a contact. The reader leaves bounces out and tells of changes at its polls; how the
 * contact stands is asked whenever the reader has come up.
 */
import type { OsdpBus, PdHold } from "./bus-osdp.ts";
import type { DriverWorld, Input, InputEvents, InputModule, Stamp } from "./driver.ts";
import { FirstNews } from "./first-news.ts";
import { Outage } from "./outage.ts";
import type { Timer } from "./ports.ts";

const ASK_MS_MAX = 2_000;
/** A reader that is busy with itself, or has refused, is asked again after this: who waits at a button must not wait for a restart. */
const ASK_AGAIN_MS = 5_000;

/** `address`, `scbk` and `bus` as its reader has them. `input`: from 0. */
export interface OsdpInputOptions {
  id: string;
  address: number;
  scbk: Uint8Array | null;
  input: number;
  bus: OsdpBus;
}

export const osdpInput: InputModule<OsdpInputOptions> = {
  type: "osdp-input",
  kind: "input",
  create: (options, world, events) => new OsdpInput(options, world, events),
};

/** `inputs`: how all of the reader's stand. */
type News = { kind: "inputs"; active: readonly boolean[]; stamp: Stamp } | { kind: "down"; why: string };

class OsdpInput implements Input {
  readonly #options: OsdpInputOptions;
  readonly #world: DriverWorld;
  readonly #events: InputEvents;
  readonly #outage: Outage;
  readonly #news: FirstNews<News>;
  #hold: PdHold | null = null;
  #isUp = false;
  #isActive = false;
  #again: Timer | null = null;

  constructor(options: OsdpInputOptions, world: DriverWorld, events: InputEvents) {
    this.#options = options;
    this.#world = world;
    this.#events = events;
    this.#outage = new Outage(`OSDP input ${options.input} of ${options.id}`, world.log);
    this.#news = new FirstNews(world.clock, (news) => this.#take(news));
  }

  start(): Promise<void> {
    return this.#news.start(() => this.#join());
  }

  async stop(): Promise<void> {
    this.#news.stop();
    this.#again?.cancel();
    await this.#hold?.release();
  }

  #join(): void {
    const { bus, address, scbk } = this.#options;
    const settings = { address, key: scbk, takesCards: false };
    this.#hold = bus.hold(settings, (news, stamp) => {
      if (news.kind === "up") this.#ask();
      if (news.kind === "down" || news.kind === "note") this.#news.hear({ kind: "down", why: news.why });
      if (news.kind === "inputs") this.#news.hear({ ...news, stamp });
    });
    const { standing, why } = this.#hold;
    if (standing === "up") this.#ask();
    if (standing === "down") this.#news.hear({ kind: "down", why: why ?? "it has not been reached yet" });
  }

  /** The answer is heard like a change. */
  #ask(): void {
    this.#again?.cancel();
    this.#hold?.request({ name: "inputStatus" }, ASK_MS_MAX).catch((error: Error) => {
      // Of a reader that is down itself its going was told, and its coming back asks.
      if (this.#news.stopping || this.#hold?.standing !== "up") return;
      this.#again = this.#world.clock.after(ASK_AGAIN_MS, () => this.#ask());
      this.#news.hear({ kind: "down", why: `how it stands is not told: ${error.message}` });
    });
  }

  #take(news: News): void {
    if (news.kind === "down") return this.#down(news.why);
    const isActive = news.active[this.#options.input];
    if (isActive === undefined) return this.#down(`the reader has ${news.active.length} inputs, from 0`);
    if (!this.#isUp) {
      this.#isUp = true;
      this.#outage.up();
      this.#events.up({});
    }
    if (isActive === this.#isActive) return;
    this.#isActive = isActive;
    this.#events.changed(isActive, news.stamp);
  }

  #down(why: string): void {
    this.#isUp = false;
    if (this.#outage.down(why)) this.#events.down(why);
  }
}
