import type { Relay, RelayEvents } from "../../drivers/driver.ts";
import type { Timer } from "../../drivers/ports.ts";
import type { SimClock } from "./clock.ts";

const OPEN_MS = 20;
/** How often a release that was not taken is tried again. */
const RELEASE_RETRY_MS = 500;

/**
 * `fine`. `gone`: no device. `deaf`: takes no command to energise, but a release. `stuck`: takes every command,
 * but once energised no release works until it is `fine` again.
 */
export type RelayHealth = "fine" | "gone" | "deaf" | "stuck";

/**
 * What the contact did. `releasedMs` is null while it is still energised. Times are the world's. `excused`: the device was
 * not well meanwhile. `orphaned`: the gateway that began it has died meanwhile.
 */
export interface Pulse {
  energisedMs: number;
  askedMs: number;
  releasedMs: number | null;
  excused: boolean;
  orphaned: boolean;
}

/**
 * A relay: the contact, which keeps its state when the gateway dies, and by `attach` a driver for each life of a
 * gateway. `pulses` is what the turnstile saw.
 */
export class SimRelay {
  readonly id: string;
  /** Time from command to contact. */
  delayMs = 5;
  /** The device releases by itself after the pulse it was asked for, also when the gateway has died. */
  hasOwnTimer = false;
  /** A driver with a fault: its `start` releases nothing. */
  forgetsRelease = false;
  #health: RelayHealth = "fine";
  readonly pulses: Pulse[] = [];
  readonly #clock: SimClock;
  readonly #trace: ((line: string) => void) | undefined;
  #attached: AttachedRelay | null = null;

  constructor(id: string, clock: SimClock, trace?: (line: string) => void) {
    this.id = id;
    this.#clock = clock;
    this.#trace = trace;
  }

  attach(clock: SimClock, events: RelayEvents): Relay {
    this.#attached = new AttachedRelay(this, clock, events);
    return this.#attached;
  }

  get health(): RelayHealth {
    return this.#health;
  }

  set health(health: RelayHealth) {
    this.#health = health;
    const last = this.pulses.at(-1);
    if (health !== "fine" && last?.releasedMs === null) last.excused = true;
  }

  /** The gateway has died: whatever is energised stays so. */
  orphan(): void {
    const last = this.pulses.at(-1);
    if (last?.releasedMs === null) last.orphaned = true;
  }

  get isEnergised(): boolean {
    return this.pulses.at(-1)?.releasedMs === null;
  }

  /** Pulls the device out, or brings it back. */
  unplug(why = "unplugged"): void {
    this.health = "gone";
    this.note(`is gone: ${why}`);
    this.#attached?.lost(why);
  }

  plug(): void {
    this.health = "fine";
    this.note("is back");
    this.#attached?.found();
  }

  // ---- for attached drivers

  /** Commands the contact; false when the device did not take it. */
  energise(durationMs: number): boolean {
    if (this.health === "gone" || this.health === "deaf") return false;
    const energisedMs = this.#clock.monotonicMs();
    if (!this.isEnergised) {
      const excused = this.health !== "fine";
      this.pulses.push({ energisedMs, askedMs: durationMs, releasedMs: null, excused, orphaned: false });
    }
    this.note("energised");
    if (this.hasOwnTimer) this.#clock.after(durationMs, () => this.release());
    return true;
  }

  /** The device has no power: the contact falls, whatever its health. */
  losePower(): void {
    this.#fall();
  }

  release(): boolean {
    if (this.health === "gone" || (this.health === "stuck" && this.isEnergised)) return false;
    this.#fall();
    return true;
  }

  #fall(): void {
    const last = this.pulses.at(-1);
    if (last === undefined || last.releasedMs !== null) return;
    last.releasedMs = this.#clock.monotonicMs();
    this.note("released");
  }

  note(text: string): void {
    this.#trace?.(`relay ${this.id} ${text}`);
  }
}

class AttachedRelay implements Relay {
  readonly #relay: SimRelay;
  readonly #clock: SimClock;
  readonly #events: RelayEvents;
  #started = false;
  #isUp = false;
  #stopped = false;
  /** The contact has been commanded for the running pulse, and nobody was told of its end yet. */
  #energised = false;
  /** Armed while a pulse is running: its end, or the next attempt at it. */
  #end: Timer | null = null;

  constructor(relay: SimRelay, clock: SimClock, events: RelayEvents) {
    this.#relay = relay;
    this.#clock = clock;
    this.#events = events;
  }

  start(): Promise<void> {
    this.#started = true;
    return new Promise((resolve) => {
      this.#clock.after(OPEN_MS, () => {
        if (!this.#stopped) this.#open();
        resolve();
      });
    });
  }

  pulse(durationMs: number): void {
    this.#relay.note(`is asked for ${durationMs} ms`);
    if (this.#end !== null) return this.#later(() => this.#events.failed("a pulse is running"));
    if (!this.#isUp || this.#stopped) return this.#later(() => this.#events.failed("the relay is not there"));
    this.#end = this.#clock.after(this.#relay.delayMs + durationMs, () => this.#release());
    this.#clock.after(this.#relay.delayMs, () => {
      if (this.#end === null) return;
      if (this.#relay.energise(durationMs)) {
        this.#energised = true;
        this.#events.energised();
      } else this.#fail("the relay did not take the command");
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#energised) this.#release();
    else if (this.#end !== null) this.#fail("stopped before the pulse");
    this.#end?.cancel();
    this.#end = null;
    if (this.#started) this.#relay.release();
  }

  lost(why: string): void {
    if (!this.#isUp || this.#stopped || this.#clock.hasEnded) return;
    this.#isUp = false;
    this.#events.down(why);
  }

  found(): void {
    if (!this.#started || this.#stopped || this.#isUp) return;
    this.#clock.after(OPEN_MS, () => this.#open());
  }

  /** Nothing was energised: the pulse is over at once. */
  #fail(why: string): void {
    this.#end?.cancel();
    this.#end = null;
    this.#events.failed(why);
  }

  /** The end of a pulse: told once, as released or failed, and tried until it works. */
  #release(): void {
    const tell = this.#energised;
    const done = this.#relay.release();
    this.#energised = false;
    this.#end = done ? null : this.#clock.after(RELEASE_RETRY_MS, () => this.#release());
    if (!tell) return;
    if (done) this.#events.released();
    else this.#events.failed("the relay may be stuck");
  }

  #open(): void {
    if (this.#isUp || this.#stopped) return;
    if (this.#relay.forgetsRelease || this.#relay.release()) {
      this.#isUp = true;
      this.#events.up({ model: "simulated relay" });
    } else if (this.#relay.health === "gone") this.#events.down("no such device");
    else this.#events.down("the relay takes no release");
  }

  #later(tell: () => void): void {
    this.#clock.after(0, tell);
  }
}
