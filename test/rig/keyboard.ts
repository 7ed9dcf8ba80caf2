/** A USB reader that types, as QEMU's keyboard is one: 0627:0001, a device on the bus with all its strings. */
import type { Guest } from "./guest.ts";

const KEYS: Readonly<Record<string, string>> = { "\n": "ret", "-": "minus", " ": "spc" };
/** Readers type about as fast. */
const quickMs = 10;

export class Keyboard {
  readonly #guest: Guest;
  readonly #holdMs: number;
  #plugged = false;

  /** `holdMs`: how long each key is held. */
  constructor(guest: Guest, holdMs = quickMs) {
    this.#guest = guest;
    this.#holdMs = holdMs;
  }

  async plug(): Promise<void> {
    await this.#guest.plug("usb-kbd", "keyboard", { bus: "xhci.0", port: "5" });
    this.#plugged = true;
  }

  async unplug(): Promise<void> {
    if (!this.#plugged) return;
    this.#plugged = false;
    await this.#guest.unplug("keyboard");
  }

  /** Small letters, digits, hyphen, space and Enter. */
  async type(text: string): Promise<void> {
    await this.#guest.qmp(async (qmp) => {
      for (const character of text) {
        const keys = [{ type: "qcode", data: KEYS[character] ?? character }];
        await qmp.call("send-key", { keys, "hold-time": this.#holdMs });
        // QEMU lets go by its own clock, and takes a key that comes before that for held together.
        await new Promise((go) => setTimeout(go, this.#holdMs * 3));
      }
    });
  }
}
