/**
 * Keeps a device open: opens it, waits until it is lost, tells why, and opens it again with capped backoff, for ever.
 * Knows nothing of what the device is.
 */
import type { DriverWorld } from "./driver.ts";
import { Outage } from "./outage.ts";
import type { Log } from "./ports.ts";
import { wordsOf } from "./words.ts";

/** The first retry comes about this long after a loss: a hub that resets is back by then. */
const BACKOFF_MS_MIN = 250;
/** The slowest retry: what is plugged in again works within 5 s, the opening included. */
const BACKOFF_MS_MAX = 4_000;
/** A device that was up for this long starts with a short backoff again; one that flaps does not. */
const STEADY_MS = 2_000;

/** For a line or a process that several readers share: each tells of its ups and downs under its own name. */
export const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface Device {
  /** Never rejects. */
  close(): Promise<void>;
}

export interface Supervision<D extends Device> {
  /** For the log: `reader north-in-1`. */
  name: string;
  /** Rejects with words fit to be shown. `lost` may be called at any time from then on, and more than once. */
  open(lost: (why: string) => void): Promise<D>;
  /** The device is open. Never before `start` resolves or after `stop` is called, like `down`. */
  up(device: D): void;
  /** Once an outage, once when the first opening fails, and again when another reason keeps it down. */
  down(why: string): void;
}

export class Supervisor<D extends Device> {
  readonly #what: Supervision<D>;
  readonly #world: Pick<DriverWorld, "clock" | "random" | "log">;
  #running: { tried: Promise<void>; ended: Promise<void> } | null = null;
  #stopping = false;
  readonly #outage: Outage;
  #failures = 0;
  /** Ends whatever the loop is waiting for: the loss of the device, or the time of the next try. */
  #wake: (() => void) | null = null;

  constructor(what: Supervision<D>, world: Pick<DriverWorld, "clock" | "random" | "log">) {
    this.#what = what;
    this.#world = world;
    this.#outage = new Outage(what.name, world.log);
  }

  /** Resolves when the device has been opened or has failed once. */
  start(): Promise<void> {
    if (!this.#running) {
      const tried = deferred<void>();
      this.#running = { tried: tried.promise, ended: this.#keep(tried) };
    }
    return this.#running.tried;
  }

  /** Resolves when nothing is left; an opening under way is awaited (5 s at most) and what it opened is closed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    await this.#running?.ended;
  }

  async #keep(tried: Deferred<void>): Promise<void> {
    while (!this.#stopping) {
      const loss = deferred<string>();
      const { device, failed } = await this.#open(loss.resolve);
      tried.resolve();
      // Whoever awaits `start` goes on before it hears of anything.
      await tried.promise;
      const why = device && !this.#stopping ? await this.#hold(device, loss) : failed;
      if (!this.#stopping && this.#outage.down(why)) this.#what.down(why);
      await device?.close();
      if (!this.#stopping) await this.#pause();
    }
    tried.resolve();
  }

  async #open(lost: (why: string) => void): Promise<{ device: D | null; failed: string }> {
    try {
      return { device: await this.#what.open(lost), failed: "" };
    } catch (error) {
      return { device: null, failed: wordsOf(error) };
    }
  }

  /** From up to lost, or to `stop`. */
  async #hold(device: D, loss: Deferred<string>): Promise<string> {
    const { clock } = this.#world;
    const sinceMs = clock.monotonicMs();
    this.#outage.up();
    this.#what.up(device);
    this.#wake = () => loss.resolve("stopped");
    const why = await loss.promise;
    this.#wake = null;
    if (clock.monotonicMs() - sinceMs >= STEADY_MS) this.#failures = 0;
    return why;
  }

  async #pause(): Promise<void> {
    const backoffMs = Math.min(BACKOFF_MS_MIN * 2 ** this.#failures, BACKOFF_MS_MAX);
    this.#failures += 1;
    // Half of it is chance, so that readers that fell together do not come back in step.
    const delayMs = backoffMs * (0.5 + 0.5 * this.#world.random.fraction());
    const rest = deferred<void>();
    const timer = this.#world.clock.after(delayMs, rest.resolve);
    this.#wake = rest.resolve;
    await rest.promise;
    this.#wake = null;
    timer.cancel();
  }
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
