/** What a technician is shown of the exchanges with one PD: each command and what came back, without the quiet polls. */
import { FRAME_BYTES_MAX } from "./codec/osdp.ts";
import type { Observer, Stamp } from "./driver.ts";

/** A reply, and as much noise again, says enough of what is wrong with a line. */
const HEARD_BYTES_MAX = 2 * FRAME_BYTES_MAX;

export class ExchangeSight {
  readonly #observer: Observer;
  readonly #sent: Uint8Array;
  readonly #sentAt: Stamp;
  #heard: Uint8Array[] = [];
  #heardBytes = 0;
  #heardAt: Stamp | null = null;

  constructor(observer: Observer, sent: Uint8Array, sentAt: Stamp) {
    this.#observer = observer;
    this.#sent = sent;
    this.#sentAt = sentAt;
  }

  hear(bytes: Uint8Array, at: Stamp): void {
    this.#heardAt ??= at;
    const kept = bytes.slice(0, HEARD_BYTES_MAX - this.#heardBytes);
    if (kept.length === 0) return;
    this.#heard.push(kept);
    this.#heardBytes += kept.length;
  }

  /** The exchange is over. */
  tell(): void {
    this.#observer({ kind: "bytes", direction: "out", bytes: this.#sent }, this.#sentAt);
    if (this.#heardAt === null) return;
    const bytes = new Uint8Array(Buffer.concat(this.#heard));
    this.#observer({ kind: "bytes", direction: "in", bytes }, this.#heardAt);
  }
}
