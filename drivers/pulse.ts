/**
 * The one place for what keeps a gate from standing open: every relay driver brings a contact, and this decides
 * when it is energised and released. The contact is released before anything else whenever it has been opened,
 * the release is armed before the command to energise goes out, and is tried until the device has taken it.
 */
import type { DriverWorld, Relay, RelayEvents } from "./driver.ts";
import { type Device, Supervisor } from "./supervise.ts";
import { wordsOf } from "./words.ts";

/** The longest pulse a configuration may ask for. */
const PULSE_MS_MAX = 10_000;
/** A release that was not taken is tried again after this, then twice that, up to the next. */
const RELEASE_RETRY_MS_MIN = 50;
const RELEASE_RETRY_MS_MAX = 500;
/** A release not taken for this long is told of as a relay that may be stuck; it is tried on. */
const STUCK_MS = 2_000;
/** `stop` gives up on a device that is not there or takes no release: the process has to end. */
const STOP_TRIES_MAX = 3;

/** An open device that can close and open a circuit. Both commands settle within a second. */
export interface Contact extends Device {
  /** Resolves when the device has taken the command. `durationMs`: for devices that time the pulse themselves. */
  energise(durationMs: number): Promise<void>;
  /** Resolves when the device has taken the command. Harmless when it is released already. */
  release(): Promise<void>;
}

export interface ContactSource {
  /** For the log: `relay of north-in`. */
  name: string;
  model?: string;
  /** Rejects with words fit to be shown. `lost` may be called at any time from then on. */
  open(lost: (why: string) => void): Promise<Contact>;
}

export class PulseRelay implements Relay {
  readonly #world: DriverWorld;
  readonly #events: RelayEvents;
  readonly #source: ContactSource;
  readonly #supervisor: Supervisor<Contact>;
  #contact: Contact | null = null;
  #downWhy = "it has not been opened yet";
  /** The pulse under way, up to a release that was taken. */
  #running: Promise<void> | null = null;
  #stopping = false;
  /** Ends the wait of the pulse under way, or of its release's next try. */
  #hurry: (() => void) | null = null;

  constructor(source: ContactSource, world: DriverWorld, events: RelayEvents) {
    this.#source = source;
    this.#world = world;
    this.#events = events;
    this.#supervisor = new Supervisor(
      {
        name: source.name,
        open: (lost) => this.#open(lost),
        up: (contact) => this.#up(contact),
        down: (why) => this.#down(why),
      },
      world,
    );
  }

  start(): Promise<void> {
    return this.#supervisor.start();
  }

  pulse(durationMs: number): void {
    const contact = this.#contact;
    if (this.#stopping) return this.#refuse("the relay has been stopped");
    if (this.#running) return this.#refuse("a pulse is running, or its release was not taken yet");
    if (!(durationMs > 0 && durationMs <= PULSE_MS_MAX)) return this.#refuse(`${durationMs} ms is no pulse`);
    if (!contact) return this.#refuse(`the relay is down: ${this.#downWhy}`);
    this.#running = this.#perform(contact, durationMs).then((released) => {
      // First free, then told: whoever hears of the release may pulse again at once.
      this.#running = null;
      if (released) this.#events.released();
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#hurry?.();
    await this.#running;
    if (this.#contact) await settle(this.#contact.release());
    this.#contact = null;
    await this.#supervisor.stop();
  }

  /** Released first: whatever ran before us, or before the cable was pulled, may have left it energised. */
  async #open(lost: (why: string) => void): Promise<Contact> {
    const contact = await this.#source.open(lost);
    const why = await settle(contact.release());
    if (why === null) return contact;
    await contact.close();
    throw new Error(`it opened, but did not take the release: ${why}`);
  }

  #up(contact: Contact): void {
    this.#contact = contact;
    // It has been released: a pulse from before is over, and must not keep the next one waiting.
    this.#hurry?.();
    if (this.#stopping) return;
    this.#events.up(this.#source.model === undefined ? {} : { model: this.#source.model });
  }

  #down(why: string): void {
    this.#contact = null;
    this.#downWhy = why;
    if (!this.#stopping) this.#events.down(why);
  }

  /** In a turn of its own: a listener that throws must not keep a relay from its release. */
  #tell(event: () => void): void {
    queueMicrotask(event);
  }

  #refuse(why: string): void {
    this.#tell(() => this.#events.failed(why));
  }

  /** From the arming of the release to its being taken; whether `released` is the end to tell of. */
  async #perform(contact: Contact, durationMs: number): Promise<boolean> {
    const due = this.#wait(durationMs).then(() => "due" as const);
    const command = settle(contact.energise(durationMs));
    // A device that is slow to take the command: the release goes out at its time all the same, and again below.
    if ((await Promise.race([command, due])) === "due") await settle(contact.release());
    const why = await command;
    if (why === null) {
      this.#tell(() => this.#events.energised());
      await due;
      return this.#release(true);
    }
    // The device may have taken it and the answer got lost: it is released, but has had its outcome.
    this.#hurry?.();
    this.#refuse(why);
    return this.#release(false);
  }

  /** Tries until it is taken, or until `stop` cannot wait longer. True when it is to be told of as taken. */
  async #release(outcomeOpen: boolean): Promise<boolean> {
    const sinceMs = this.#world.clock.monotonicMs();
    let open = outcomeOpen;
    let retryMs = RELEASE_RETRY_MS_MIN;
    for (let stopTries = 0; ; ) {
      const contact = this.#contact;
      const why = contact ? await settle(contact.release()) : `the relay is down: ${this.#downWhy}`;
      if (why === null) return open;
      if (this.#stopping) stopTries += contact ? 1 : STOP_TRIES_MAX;
      const lastTry = stopTries >= STOP_TRIES_MAX;
      if (open && (lastTry || this.#world.clock.monotonicMs() - sinceMs >= STUCK_MS)) {
        open = false;
        this.#world.log.error(`${this.#source.name} may be stuck energised`, { why });
        this.#refuse(`it may be stuck energised, the release was not taken: ${why}`);
      }
      if (lastTry) return false;
      await this.#wait(retryMs);
      retryMs = Math.min(retryMs * 2, RELEASE_RETRY_MS_MAX);
    }
  }

  /** Until the time has come, or `stop` is called. One at a time. */
  #wait(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#world.clock.after(durationMs, resolve);
      this.#hurry = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

/** Null when it was done, else why not. */
function settle(command: Promise<void>): Promise<string | null> {
  return command.then(() => null, wordsOf);
}
