/** One life of the PC/SC process as the gateway sees it: its messages, its heartbeat, and the end of it. */
import { encodeMessage, type FromPcsc, fromPcscReader, type ToPcsc } from "./codec/pcsc-messages.ts";
import type { Stamp } from "./driver.ts";
import type { OpenPcsc } from "./pcsc-process.ts";
import type { Channel, Clock, Timer } from "./ports.ts";
import { afterSilence } from "./silence.ts";
import { stampOf } from "./stamp.ts";

/** To its first word: on a small board Node alone takes a second or two, and much more while the whole board starts. */
const START_MS_MAX = 15_000;
/** Its heart beats from then on, but not while the native layer loads and finds pcscd; it does not come back where that spins. */
const READY_MS_MAX = 4_000;
/** Its heart beats every 500 ms; a silent one spins or hangs. With the new start it is back within 5 s. */
const SILENT_MS_MAX = 2_000;
/** Hundreds of taps a second are no reader's; a process that says more has gone wild. */
const MESSAGES_PER_SECOND_MAX = 1_000;
const SECOND_MS = 1_000;

export class PcscLink {
  readonly #clock: Clock;
  readonly #lost: (why: string) => void;
  readonly #hear: (message: FromPcsc, stamp: Stamp) => void;
  readonly #reader = fromPcscReader();
  #channel: Channel | null = null;
  #watch: Timer | null = null;
  #ready: () => void = () => {};
  #isReady = false;
  #hasSpoken = false;
  #second = { endsMs: Number.NEGATIVE_INFINITY, messages: 0 };
  #ended = false;

  /** `lost` is called once, at any time from `open` on. */
  constructor(clock: Clock, hear: (message: FromPcsc, stamp: Stamp) => void, lost: (why: string) => void) {
    this.#clock = clock;
    this.#hear = hear;
    this.#lost = lost;
  }

  /** Resolves when it has told of the readers there are, or was lost or closed before that. Rejects with words. */
  async open(open: OpenPcsc): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#ready = resolve;
    });
    const channel = await open({ data: (bytes) => this.#take(bytes), closed: (why) => this.#end(why) });
    this.#channel = channel;
    if (this.#ended) return channel.close();
    this.#listen(START_MS_MAX);
    await ready;
  }

  send(message: ToPcsc): void {
    this.#channel?.write(encodeMessage(message)).catch(() => undefined);
  }

  /** Safe at any time; ends an opening under way, too. */
  close(): Promise<void> {
    this.#ended = true;
    this.#watch?.cancel();
    this.#ready();
    return this.#channel?.close() ?? Promise.resolve();
  }

  #take(bytes: Uint8Array): void {
    const stamp = stampOf(this.#clock);
    if (stamp.monotonicMs >= this.#second.endsMs)
      this.#second = { endsMs: stamp.monotonicMs + SECOND_MS, messages: 0 };
    const { messages, refused } = this.#reader.take(bytes);
    for (const message of messages) {
      if (this.#ended) return;
      this.#second.messages += 1;
      if (this.#second.messages > MESSAGES_PER_SECOND_MAX)
        return this.#end("the PC/SC process has gone wild");
      this.#heard(message, stamp);
    }
    if (refused !== null) this.#end(`the PC/SC process has gone wild: ${refused}`);
  }

  #heard(message: FromPcsc, stamp: Stamp): void {
    this.#hasSpoken = true;
    if (message.kind === "fault") return this.#end(message.why);
    if (message.kind === "ready") {
      this.#isReady = true;
      this.#ready();
    }
    this.#listen(this.#isReady ? SILENT_MS_MAX : READY_MS_MAX);
    if (message.kind !== "ready" && message.kind !== "beat") this.#hear(message, stamp);
  }

  #listen(limitMs: number): void {
    this.#watch?.cancel();
    this.#watch = afterSilence(this.#clock, limitMs, () => this.#end(this.#silence()));
  }

  #silence(): string {
    if (this.#isReady) return `the PC/SC process has said nothing for ${SILENT_MS_MAX} ms`;
    return this.#hasSpoken
      ? "pcscd lets nobody in, or does not answer: docs/pcsc.md says how this user may use it"
      : `the PC/SC process has not started within ${START_MS_MAX} ms`;
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.cancel();
    this.#lost(why);
    this.#ready();
  }
}
