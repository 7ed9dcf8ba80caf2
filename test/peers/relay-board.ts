/** A 4-byte relay board's own side of the wire: what its relays do with what it was sent. */
export class RelayBoard {
  readonly states = new Map<number, boolean>();
  releases = 0;
  faults: string[] = [];
  #seenBytes = 0;

  /** `received`: everything the board got since it was plugged in, growing. */
  take(received: Uint8Array): void {
    for (; received.length - this.#seenBytes >= 4; this.#seenBytes += 4) {
      const [start, channel = 0, state, sum] = received.subarray(this.#seenBytes, this.#seenBytes + 4);
      if (start !== 0xa0 || sum !== ((0xa0 + channel + (state ?? 0)) & 0xff))
        this.faults.push("a bad command");
      if (state === 0) this.releases += 1;
      this.states.set(channel, state === 1);
    }
  }

  /** The wire was unplugged; the board has its own power and stays as it is. */
  unplugged(): void {
    this.#seenBytes = 0;
    this.releases = 0;
  }
}
