/** A relay board of the `16c0:05df` make: what it answers is in `drivers/hid-boards.ts`. */
import type { SimFeatures } from "./hid.ts";

export const BOARD_IDS = { vendorId: 0x16c0, productId: 0x05df };

export class SimHidBoard implements SimFeatures {
  readonly serial: string;
  state = 0;
  /** How often each relay was told to release. */
  readonly releases = new Map<number, number>();
  readonly faults: string[] = [];
  /** Its relays do not move any more. */
  isStuck = false;

  constructor(serial: string) {
    this.serial = serial;
  }

  isOn(channel: number): boolean {
    return ((this.state >> (channel - 1)) & 1) === 1;
  }

  set(report: Uint8Array): void {
    const [command, channel = 0, ...rest] = report;
    if (report.length !== 8 || channel < 1 || channel > 8 || rest.some((byte) => byte !== 0)) {
      this.faults.push(`was sent ${Buffer.from(report).toString("hex")}`);
    }
    if (command === 0xfd) this.releases.set(channel, (this.releases.get(channel) ?? 0) + 1);
    if (this.isStuck) return;
    const bit = 1 << (channel - 1);
    if (command === 0xff) this.state |= bit;
    else if (command === 0xfd) this.state &= ~bit;
    else this.faults.push(`was sent the command ${command}`);
  }

  get(): Uint8Array {
    return Uint8Array.of(...Buffer.from(this.serial.padEnd(5, "\0")), 0, 0, this.state);
  }
}
