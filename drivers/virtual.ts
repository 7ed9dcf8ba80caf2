/** A reader and a relay without a device: for the demo, the console's `POST /api/taps` and tests. */
import type {
  DriverWorld,
  Observer,
  Reader,
  ReaderEvents,
  ReaderModule,
  Relay,
  RelayEvents,
  RelayModule,
} from "./driver.ts";
import type { Timer } from "./ports.ts";
import { PulseRelay } from "./pulse.ts";
import { readCard } from "./reads.ts";
import { stampOf } from "./stamp.ts";

const MODEL = "virtual";

export interface VirtualReaderOptions {
  id: string;
  /** Accepted card number prefixes. */
  issuers: readonly string[];
}

export const virtualReader: ReaderModule<VirtualReaderOptions> = {
  type: "virtual",
  kind: "reader",
  create: (options, world, events) => new VirtualReader(options, world, events),
};

export class VirtualReader implements Reader {
  readonly #options: VirtualReaderOptions;
  readonly #world: DriverWorld;
  readonly #events: ReaderEvents;
  #state: "new" | "up" | "stopped" = "new";
  #announcement: Timer | null = null;
  #observer: Observer | null = null;

  constructor(options: VirtualReaderOptions, world: DriverWorld, events: ReaderEvents) {
    this.#options = options;
    this.#world = world;
    this.#events = events;
  }

  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "up";
    this.#announcement = this.#world.clock.after(0, () => this.#events.up({ model: MODEL }));
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#announcement?.cancel();
  }

  /**
   * Presents what a card would give: a card number in any spelling, or `uid:04A1B2C3D4E5F6`. Text that is neither
   * is a presentation too, a malformed one. False when the reader is not up.
   */
  present(text: string): boolean {
    if (this.#state !== "up") return false;
    const stamp = stampOf(this.#world.clock);
    this.#observer?.({ kind: "text", text }, stamp);
    this.#events.reading(readCard(text, this.#options.issuers), stamp);
    return true;
  }

  observe(observer: Observer | null): void {
    this.#observer = observer;
  }
}

export interface VirtualRelayOptions {
  id: string;
}

export const virtualRelay: RelayModule<VirtualRelayOptions> = {
  type: "virtual",
  kind: "relay",
  create: (options, world, events) => new VirtualRelay(options, world, events),
};

export class VirtualRelay implements Relay {
  readonly #pulse: PulseRelay;
  #energised = false;
  #releases = 0;

  constructor(options: VirtualRelayOptions, world: DriverWorld, events: RelayEvents) {
    const source = {
      name: `relay of ${options.id}`,
      model: MODEL,
      open: async () => ({
        energise: async () => {
          this.#energised = true;
        },
        release: async () => {
          this.#energised = false;
          this.#releases += 1;
        },
        close: async () => {},
      }),
    };
    this.#pulse = new PulseRelay(source, world, events);
  }

  /** Whether the circuit is closed at this moment. */
  get energised(): boolean {
    return this.#energised;
  }

  /** How often it was told to release. */
  get releases(): number {
    return this.#releases;
  }

  start(): Promise<void> {
    return this.#pulse.start();
  }

  pulse(durationMs: number): void {
    this.#pulse.pulse(durationMs);
  }

  stop(): Promise<void> {
    return this.#pulse.stop();
  }
}
