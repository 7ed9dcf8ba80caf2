/**
 * A simulated RS-485 line with simulated readers on it: bytes take the time they take at the line's speed, one who
 * speaks while another does is noted, and the cable can be pulled.
 */
import { lineMs } from "../../drivers/bus-osdp-line.ts";
import { OsdpPd, type OsdpPdOptions, type PdTold } from "../../drivers/osdp-pd.ts";
import { OsdpPdLine } from "../../drivers/osdp-pd-line.ts";
import type { ChannelEvents, Clock, OpenChannel } from "../../drivers/ports.ts";
import { SimRandom } from "../sim/random.ts";

/** Between a command and a PD's reply, as readers do it. */
const turnaroundMs = 3;

export interface OsdpSite {
  openChannel: OpenChannel;
  pds: OsdpPd[];
  /** What each was told to do, by address. */
  told: Map<number, PdTold[]>;
  /** Who spoke while another did. */
  collisions: string[];
  /** Every command that went over the line, with its time. */
  sent: { atMs: number; bytes: Uint8Array }[];
  /** Everything that the readers said. */
  replied: Uint8Array[];
  /** The converter is pulled out of the gateway, and put back. */
  vanish(): void;
  comeBack(): void;
  /** Bytes that nobody has sent, as a cable picks them up. */
  disturb(bytes: Uint8Array): void;
}

export function makeSite(clock: Clock, baudRate: number, given: readonly OsdpPdOptions[]): OsdpSite {
  const told = new Map<number, PdTold[]>();
  const random = new SimRandom("osdp");
  const pds = given.map((options) => {
    const heard: PdTold[] = [];
    told.set(options.address, heard);
    return new OsdpPd(options, { clock, random }, (what) => heard.push(what));
  });
  let gateway: ChannelEvents | null = null;
  let isThere = true;
  let busyUntilMs = Number.NEGATIVE_INFINITY;
  const site: OsdpSite = {
    pds,
    told,
    collisions: [],
    sent: [],
    replied: [],
    openChannel: async (_, events) => {
      if (!isThere) throw new Error("/dev/ttyUSB0 is not there: is it plugged in?");
      gateway = events;
      return {
        write: async (bytes) => {
          if (gateway !== events) throw new Error("/dev/ttyUSB0 was unplugged");
          site.sent.push({ atMs: clock.monotonicMs(), bytes });
          speak("the gateway", bytes, () => readers.take(bytes));
        },
        close: async () => {
          if (gateway === events) gateway = null;
        },
      };
    },
    vanish() {
      isThere = false;
      const lost = gateway;
      gateway = null;
      lost?.closed("/dev/ttyUSB0 was unplugged");
    },
    comeBack() {
      isThere = true;
    },
    disturb: (bytes) => gateway?.data(bytes),
  };
  /** Heard whole at its end, as a UART with a buffer gives it. */
  function speak(who: string, bytes: Uint8Array, arrive: () => void): void {
    const nowMs = clock.monotonicMs();
    if (nowMs < busyUntilMs - 1e-6) site.collisions.push(`${who} speaks at ${nowMs} ms into another`);
    busyUntilMs = nowMs + lineMs(bytes.length, baudRate);
    clock.after(lineMs(bytes.length, baudRate), arrive);
  }
  const readers = new OsdpPdLine(pds, clock, {
    turnaroundMs,
    write: (bytes) => {
      site.replied.push(bytes);
      speak("a reader", bytes, () => gateway?.data(bytes));
    },
  });
  return site;
}
