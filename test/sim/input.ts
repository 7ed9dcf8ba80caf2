import { Debounce } from "../../drivers/debounce.ts";
import type { Input, InputEvents } from "../../drivers/driver.ts";
import { stampOf } from "../../drivers/stamp.ts";
import type { SimClock } from "./clock.ts";

/** From the device being there to it being open. */
const OPEN_MS = 20;
/** How long a contact stays closed when somebody passes, or presses. */
const TOUCH_MS = 150;
/** A contact that closes at once when it is there counts as found closed: nobody here is that quick. */
const QUICK_MS = 100;

/** A contact and what moves it. `attach` gives a gateway life's driver for it. */
export class SimInput {
  readonly id: string;
  readonly #clock: SimClock;
  readonly #trace: (line: string) => void;
  #isPlugged = true;
  #attached: AttachedInput | null = null;
  /** Closings that a driver which is there has had time to tell of. */
  heard = 0;
  /** A driver with a fault: it tells each closing twice. */
  stutters = false;

  constructor(id: string, clock: SimClock, trace: (line: string) => void) {
    this.id = id;
    this.#clock = clock;
    this.#trace = trace;
  }

  attach(clock: SimClock, events: InputEvents): Input {
    this.#attached = new AttachedInput(this, clock, events);
    return this.#attached;
  }

  /** Closes, with a bounce, and opens again. */
  touch(): void {
    const driver = this.#attached;
    if (driver === null || !driver.isOpen || driver.openMs < QUICK_MS) return;
    this.#trace(`input ${this.id} is touched`);
    for (const level of [true, false, true]) driver.take(level);
    this.#clock.after(TOUCH_MS, () => driver.take(false));
  }

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  unplug(): void {
    this.#isPlugged = false;
    this.#trace(`input ${this.id} is unplugged`);
    this.#attached?.lost();
  }

  plug(): void {
    if (this.#isPlugged) return;
    this.#isPlugged = true;
    this.#trace(`input ${this.id} is plugged in`);
    this.#attached?.found();
  }
}

class AttachedInput implements Input {
  readonly #input: SimInput;
  readonly #clock: SimClock;
  readonly #events: InputEvents;
  readonly #debounce: Debounce;
  #state: "new" | "down" | "up" | "stopped" = "new";
  #openedMs = 0;

  constructor(input: SimInput, clock: SimClock, events: InputEvents) {
    this.#input = input;
    this.#clock = clock;
    this.#events = events;
    this.#debounce = new Debounce(clock, (active, stamp) => {
      if (active) input.heard += 1;
      events.changed(active, stamp);
      if (active && input.stutters) events.changed(active, stamp);
    });
  }

  /** For how long it has been there. */
  get openMs(): number {
    return this.#clock.monotonicMs() - this.#openedMs;
  }

  get isOpen(): boolean {
    return this.#state === "up" && !this.#clock.hasEnded;
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(OPEN_MS, () => {
        resolve();
        if (this.#state === "new") this.#clock.after(0, () => this.#open());
      });
    });
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#debounce.stop();
  }

  take(active: boolean): void {
    if (this.isOpen) this.#debounce.take(active, stampOf(this.#clock));
  }

  lost(): void {
    if (!this.isOpen) return;
    this.#debounce.stop();
    this.#state = "down";
    this.#events.down("no such device");
  }

  found(): void {
    if (this.#state === "down" && !this.#clock.hasEnded) this.#open();
  }

  #open(): void {
    if (this.#state === "stopped" || this.#clock.hasEnded) return;
    if (!this.#input.isPlugged) {
      this.#state = "down";
      return this.#events.down("no such device");
    }
    this.#state = "up";
    this.#openedMs = this.#clock.monotonicMs();
    this.#events.up({ model: "simulated contact" });
    // It has opened meanwhile: whoever touched it is gone.
    this.#debounce.take(false, stampOf(this.#clock));
  }
}
