/**
 * How long the event loop was held up: by the clock, and by the time its thread was really on a processor, which other
 * programs on the machine do not lengthen. What watches must not be what is seen: it leaves hardly any garbage.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";

/**
 * In ms, the longest each. `busyMs`: null where there is no Linux to ask. `collectedMs`: of the garbage collector, which comes when
 * V8 thinks fit and in an idle gate, too; by the clock, with what it waited for its helpers.
 */
export interface Turns {
  delayMs: number;
  busyMs: number | null;
  collectedMs: number;
}

const RESOLUTION_MS = 1;
/** Long enough that the thread really leaves its processor. */
const LEAVE_MS = 0.02;
const SPACE = 32;
const DIGIT_0 = 48;

/** Watches the loop until the promise settles. */
export async function watchTurns<T>(work: () => Promise<T>): Promise<{ result: T; turns: Turns }> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const processor = ThreadTime.open();
  let lastNs = processor?.readNs() ?? 0;
  let busyNs = 0;
  const timer = setInterval(() => {
    if (processor === null) return;
    const nowNs = processor.readNs();
    busyNs = Math.max(busyNs, nowNs - lastNs);
    lastNs = nowNs;
  }, RESOLUTION_MS);
  let collectedMs = 0;
  const hear = (entries: readonly PerformanceEntry[]) => {
    for (const { duration } of entries) collectedMs = Math.max(collectedMs, duration);
  };
  const collector = new PerformanceObserver((list) => hear(list.getEntries()));
  collector.observe({ entryTypes: ["gc"] });
  delay.enable();
  const result = await work();
  delay.disable();
  clearInterval(timer);
  processor?.close();
  hear(collector.takeRecords());
  collector.disconnect();
  const delayMs = delay.max / 1e6 - RESOLUTION_MS;
  return { result, turns: { delayMs, busyMs: processor === null ? null : busyNs / 1e6, collectedMs } };
}

/** How long the thread that opened it has been on a processor. */
export class ThreadTime {
  readonly #file: number;
  readonly #text = new Uint8Array(64);
  readonly #nobody = new Int32Array(new SharedArrayBuffer(4));
  #ns = 0;
  /** How often it was given a processor. */
  #slices = 0;

  constructor(file: number) {
    this.#file = file;
  }

  /** Null where nobody says. */
  static open(): ThreadTime | null {
    try {
      return new ThreadTime(openSync("/proc/thread-self/schedstat", "r"));
    } catch {
      return null;
    }
  }

  readNs(): number {
    // The kernel books a running thread's time at its own ticks, every 4 ms on most; one that leaves is booked at once.
    this.#look();
    const slices = this.#slices;
    for (let waitMs = LEAVE_MS; this.#slices === slices; waitMs *= 2) {
      Atomics.wait(this.#nobody, 0, 0, waitMs);
      this.#look();
    }
    return this.#ns;
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Nanoseconds on a processor, nanoseconds waiting for one, slices. */
  #look(): void {
    readSync(this.#file, this.#text, 0, this.#text.length, 0);
    this.#ns = this.#numberFrom(0);
    const waited = this.#text.indexOf(SPACE) + 1;
    this.#slices = this.#numberFrom(this.#text.indexOf(SPACE, waited) + 1);
  }

  #numberFrom(at: number): number {
    let value = 0;
    for (let i = at; this.#text[i]! >= DIGIT_0; i++) value = value * 10 + this.#text[i]! - DIGIT_0;
    return value;
  }
}
