import type { Clock } from "../../drivers/ports.ts";
import { createSystemClock } from "../../drivers/system.ts";
import { SimClock } from "../sim/clock.ts";
import { clockConformance } from "./clock.ts";

clockConformance("simulated", () => {
  const clock = new SimClock();
  return { clock, pass: (ms) => clock.advance(ms) };
});

clockConformance("a booted machine's", () => {
  const time = new SimClock();
  return { clock: time.boot(), pass: (ms) => time.advance(ms) };
});

clockConformance("the system's", () => {
  const clock = createSystemClock();
  return { clock, pass: (ms) => waitInSteps(clock, ms) };
});

/** In ten steps, so that a machine that stands still for a while cannot let one deadline overtake many short ones. */
async function waitInSteps(clock: Clock, ms: number): Promise<void> {
  for (let step = 0; step < 10; step++) await new Promise<void>((resolve) => clock.after(ms / 10, resolve));
}
