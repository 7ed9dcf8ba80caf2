/** A contact without a device: for trials and tests. */
import { Debounce } from "./debounce.ts";
import type { DriverWorld, Input, InputEvents, InputModule } from "./driver.ts";
import type { Timer } from "./ports.ts";
import { stampOf } from "./stamp.ts";

const MODEL = "virtual";

export interface VirtualInputOptions {
  id: string;
}

export const virtualInput: InputModule<VirtualInputOptions> = {
  type: "virtual",
  kind: "input",
  create: (_options, world, events) => new VirtualInput(world, events),
};

export class VirtualInput implements Input {
  readonly #world: DriverWorld;
  readonly #events: InputEvents;
  readonly #debounce: Debounce;
  #state: "new" | "up" | "stopped" = "new";
  #active = false;
  #announcement: Timer | null = null;

  constructor(world: DriverWorld, events: InputEvents) {
    this.#world = world;
    this.#events = events;
    this.#debounce = new Debounce(world.clock, (active, stamp) => events.changed(active, stamp));
  }

  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "up";
    this.#announcement = this.#world.clock.after(0, () => {
      this.#events.up({ model: MODEL });
      this.#debounce.take(this.#active, stampOf(this.#world.clock));
    });
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#announcement?.cancel();
    this.#debounce.stop();
  }

  /** Moves the contact, at once and without a bounce; also while nobody listens. */
  set(active: boolean): void {
    this.#active = active;
    if (this.#state === "up") this.#debounce.take(active, stampOf(this.#world.clock));
  }
}
