/** Several simulated OSDP readers on one line: hears the line, and lets each answer what is meant for it. */
import { MARK, OsdpFramer } from "./codec/osdp.ts";
import type { OsdpPd } from "./osdp-pd.ts";
import type { Clock, Timer } from "./ports.ts";

/** Two bytes further apart than this belong to different frames; a tenth of a reply's time. */
const QUIET_MS = 20;

export interface OsdpPdLineOptions {
  /** Between the end of a command and the beginning of its reply. */
  turnaroundMs: number;
  /** Puts bytes on the line. */
  write(bytes: Uint8Array): void;
}

export class OsdpPdLine {
  readonly #pds: readonly OsdpPd[];
  readonly #clock: Clock;
  readonly #options: OsdpPdLineOptions;
  readonly #framer = new OsdpFramer();
  readonly #replies = new Set<Timer>();
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(pds: readonly OsdpPd[], clock: Clock, options: OsdpPdLineOptions) {
    this.#pds = pds;
    this.#clock = clock;
    this.#options = options;
  }

  take(bytes: Uint8Array): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs > QUIET_MS) this.#framer.idle();
    this.#lastMs = nowMs;
    for (const frame of this.#framer.push(bytes)) {
      for (const pd of this.#pds) {
        const reply = pd.take(frame);
        if (reply !== null) this.#answer(reply, this.#options.turnaroundMs + pd.faults.lateMs);
      }
    }
  }

  stop(): void {
    for (const timer of this.#replies) timer.cancel();
    this.#replies.clear();
    for (const pd of this.#pds) pd.stop();
  }

  #answer(reply: Uint8Array, delayMs: number): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#replies.delete(timer);
      const marked = new Uint8Array(reply.length + 1);
      marked[0] = MARK;
      marked.set(reply, 1);
      this.#options.write(marked);
    });
    this.#replies.add(timer);
  }
}
