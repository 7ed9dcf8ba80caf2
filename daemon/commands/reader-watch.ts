/** How `trace` and `identify` get to see a reader: through the daemon that has it open, or by opening it themselves. */
import type { Configuration } from "../../config/schema.ts";
import type { Sight, Stamp } from "../../drivers/driver.ts";
import { createLog } from "../../drivers/log.ts";
import type { System } from "../../drivers/system.ts";
import type { LookupDesk } from "../answers/lookup.ts";
import { watchControl } from "../control.ts";
import { pathsOf } from "../data-paths.ts";
import { devicesOf } from "../main-devices.ts";
import { Exit } from "./exit.ts";
import { withStoppedGate } from "./stopped-gate.ts";

export interface Watch<Item> {
  /** The daemon's stream of this name gives what is watched. */
  stream: "trace" | "identify";
  reader: string;
  /** `leftOut`: how many before this one came too fast to be shown. */
  take(item: Item, leftOut: number): void;
  /** The same of what the reader itself shows, where no daemon runs. */
  watcher(desk: LookupDesk): (sight: Sight, stamp: Stamp) => void;
  /** What to do now, once it is watched. */
  prompt?: string;
}

/** Watches until the process is told to stop, or `signal` ends it. */
export async function watchReader<Item>(
  configuration: Configuration,
  system: System,
  watch: Watch<Item>,
  signal: AbortSignal,
): Promise<void> {
  const ids = configuration.readers.map(({ id }) => id);
  if (!ids.includes(watch.reader))
    throw new Exit(2, `there is no reader ${watch.reader}, but: ${ids.join(", ")}`);
  const { control } = pathsOf(configuration.dataDir);
  const events = {
    take: (item: unknown, leftOut: number) => watch.take(item as Item, leftOut),
    watching: () => say(watch.prompt),
  };
  const end = await watchControl(control, watch.stream, { reader: watch.reader }, events, signal);
  if (end.kind === "error") throw new Exit(1, end.why);
  if (end.kind === "none") await watchAlone(configuration, system, watch, signal);
}

async function watchAlone<Item>(
  configuration: Configuration,
  system: System,
  { reader: id, watcher, prompt }: Watch<Item>,
  signal: AbortSignal,
): Promise<void> {
  await withStoppedGate(configuration, system, async (desk) => {
    const devices = await devicesOf(configuration, { ...system, log: createLog("error") });
    const reader = await devices.createReader(id, {
      reading: () => undefined,
      up: ({ model }) => say(`${id} is up${model === undefined ? "" : `: ${model}`}`),
      down: (why) => say(`${id} is down: ${why}`),
    });
    if (reader.observe === undefined) throw new Exit(1, `${id} has a driver that cannot be watched`);
    reader.observe(watcher(desk));
    try {
      say("no gateway runs: looking at the reader itself, nothing is decided or opened");
      say(prompt);
      await reader.start();
      await aborted(signal);
    } finally {
      await reader.stop();
    }
  });
}

/** What is no item goes to standard error. */
function say(words: string | undefined): void {
  if (words !== undefined) process.stderr.write(`${words}\n`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener("abort", () => done(), { once: true });
  });
}

/** Ends at Ctrl-C, at the end of a service, and when whoever reads our words has seen enough. */
export async function untilStopped(act: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  try {
    await act(stop.signal);
  } finally {
    process.removeListener("SIGINT", end);
    process.removeListener("SIGTERM", end);
  }
}
