/** The world of a device under test: the real one with its waits made short, or a simulated one. */
import { openChannel } from "../../drivers/channel.ts";
import type { DriverWorld } from "../../drivers/driver.ts";
import type { Clock, Log, OpenChannel } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";
import { SimRandom } from "../sim/random.ts";

export interface TestWorld extends DriverWorld {
  /** Lets a little time pass. */
  pass(): Promise<void>;
  /** What was logged, `level message`. */
  logged: string[];
}

const passesMax = 3_000;

/** Lets time pass until `what` holds. */
export async function until(world: { pass(): Promise<void> }, what: () => boolean): Promise<void> {
  for (let passes = 0; !what(); passes += 1) {
    if (passes > passesMax) throw new Error(`waited in vain for ${what}`);
    await world.pass();
  }
}

/** Real devices and real time, but the waits of a driver take a part of it: an outage need not take seconds. */
export function hurriedWorld(hurry = 10): TestWorld {
  const clock: Clock = {
    monotonicMs: () => performance.now() * hurry,
    wallMs: () => Date.now(),
    trusted: () => true,
    after(delayMs, fire) {
      const timeout = setTimeout(fire, delayMs / hurry);
      return { cancel: () => clearTimeout(timeout) };
    },
  };
  const pass = () => new Promise<void>((resolve) => setTimeout(resolve, 10));
  return { clock, random: new SimRandom(1), openChannel, pass, ...noting() };
}

/** Time that moves only when it is let pass, and no devices but those that `openChannel` brings. */
export function simulatedWorld(
  openChannel: OpenChannel = () => Promise.reject(new Error("there are no devices here")),
): TestWorld & { clock: SimClock } {
  const clock = new SimClock();
  return { clock, random: new SimRandom(1), openChannel, pass: () => clock.advance(10), ...noting() };
}

function noting(): { log: Log; logged: string[] } {
  const logged: string[] = [];
  const note = (level: string) => (message: string) => {
    logged.push(`${level} ${message}`);
  };
  return {
    logged,
    log: { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") },
  };
}
