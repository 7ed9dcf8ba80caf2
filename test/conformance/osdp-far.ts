/** Simulated OSDP readers at the far end of a pseudo-terminal or a TCP connection: the gateway's real channel is between. */
import { OsdpPd, type OsdpPdOptions, type PdTold } from "../../drivers/osdp-pd.ts";
import { OsdpPdLine } from "../../drivers/osdp-pd-line.ts";
import type { Clock } from "../../drivers/ports.ts";
import { SimRandom } from "../sim/random.ts";

/** How often the device is looked at for bytes from the gateway. */
const lookMs = 2;

/** `received`: everything since it was last plugged in, growing. */
interface FarEnd {
  received: Buffer;
  send(bytes: Uint8Array): Promise<void>;
  /** Of a TCP device: how many are connected. */
  connections?: number;
}

export class OsdpFar {
  readonly pds: OsdpPd[];
  readonly told: PdTold[] = [];
  readonly #end: FarEnd;
  readonly #line: OsdpPdLine;
  readonly #look: NodeJS.Timeout;
  #seen: Buffer = Buffer.alloc(0);

  constructor(end: FarEnd, clock: Clock, given: readonly OsdpPdOptions[]) {
    this.#end = end;
    const world = { clock, random: new SimRandom(2) };
    this.pds = given.map((options) => new OsdpPd(options, world, (what) => this.told.push(what)));
    this.#line = new OsdpPdLine(this.pds, clock, {
      turnaroundMs: 0,
      write: (bytes) => {
        // Pulled out in the middle of a word, the rest of it is lost, as on a cable.
        if (end.connections !== 0) void end.send(bytes).catch(() => undefined);
      },
    });
    this.#look = setInterval(() => this.#take(), lookMs);
  }

  stop(): void {
    clearInterval(this.#look);
    this.#line.stop();
  }

  #take(): void {
    const { received } = this.#end;
    if (received === this.#seen) return;
    // Shorter than before: it was pulled out and put back.
    const fresh = received.subarray(received.length < this.#seen.length ? 0 : this.#seen.length);
    this.#seen = received;
    if (fresh.length > 0) this.#line.take(fresh);
  }
}
