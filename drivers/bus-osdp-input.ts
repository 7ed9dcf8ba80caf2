/**
 * An input of an OSDP reader as a contact. The reader leaves bounces out and tells of changes at its polls; how the
 * contact stands is asked whenever the reader has come up.
 */
import type { OsdpBus, PdHold } from "./bus-osdp.ts";
import type { PdNews } from "./bus-osdp-pd.ts";
import type { DriverWorld, Input, InputEvents, InputModule, Stamp } from "./driver.ts";
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

class OsdpInput implements Input {
  readonly #options: OsdpInputOptions;
  readonly #world: DriverWorld;
  readonly #events: InputEvents;
  #hold: PdHold | null = null;
  #started: Promise<void> | null = null;
  #resolveStart: () => void = () => {};
  #stopping = false;
  /** What was told last. */
  #standing: "new" | "up" | "down" = "new";
  #isActive = false;
  #again: Timer | null = null;

  constructor(options: OsdpInputOptions, world: DriverWorld, events: InputEvents) {
    this.#options = options;
    this.#world = world;
    this.#events = events;
  }

  start(): Promise<void> {
    this.#started ??= new Promise((resolve) => {
      this.#resolveStart = resolve;
      if (this.#stopping) return resolve();
      const { bus, address, scbk } = this.#options;
      const settings = { address, key: scbk, takesCards: false };
      this.#hold = bus.hold(settings, (news, stamp) => this.#hear(news, stamp));
      if (this.#hold.standing === "up") this.#ask();
      if (this.#hold.standing === "down") this.#down(this.#hold.why ?? "it has not been reached yet");
    });
    return this.#started;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#again?.cancel();
    this.#resolveStart();
    await this.#hold?.release();
  }

  #hear(news: PdNews, stamp: Stamp): void {
    if (news.kind === "up") this.#ask();
    if (news.kind === "down") this.#down(news.why);
    if (news.kind === "inputs") this.#take(news.active, stamp);
  }

  /** The answer is heard like a change. */
  #ask(): void {
    this.#again?.cancel();
    this.#hold?.request({ name: "inputStatus" }, ASK_MS_MAX).catch((error: Error) => {
      if (this.#stopping) return;
      // Of a reader that is down itself its coming back tells.
      if (this.#hold?.standing === "up")
        this.#again = this.#world.clock.after(ASK_AGAIN_MS, () => this.#ask());
      this.#down(`how it stands is not told: ${error.message}`);
    });
  }

  #take(active: readonly boolean[], stamp: Stamp): void {
    const { input } = this.#options;
    const isActive = active[input];
    if (isActive === undefined) return this.#down(`the reader has ${active.length} inputs, from 0`);
    this.#stand("up", () => this.#events.up({}));
    if (isActive === this.#isActive) return;
    this.#isActive = isActive;
    this.#tell(() => this.#events.changed(isActive, stamp));
  }

  #down(why: string): void {
    this.#stand("down", () => {
      this.#world.log.warn(`input ${this.#options.input} of a reader, at ${this.#options.id}, is down`, {
        why,
      });
      this.#events.down(why);
    });
  }

  #stand(standing: "up" | "down", tell: () => void): void {
    this.#resolveStart();
    if (this.#standing === standing) return;
    this.#standing = standing;
    this.#tell(tell);
  }

  /** In a turn of its own: whoever awaits `start` goes on before it hears of anything. */
  #tell(event: () => void): void {
    this.#world.clock.after(0, () => {
      if (!this.#stopping) event();
    });
  }
}
