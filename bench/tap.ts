/**
 * Our own part of a tap: from the reading to the relay being commanded, in process, the journal synced; beside a bare append
 * and fdatasync of as many bytes in the same folder, in turn, in the same run.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemClock } from "../drivers/system.ts";
import { openBareAppend } from "./bare-append.ts";
import { type Figure, percentile } from "./figures.ts";
import { publishOneCard, startBenchHouse, tapOnce } from "./house.ts";

/** As long as a tap's line in the journal. */
const LINE_BYTES = 620;
const TAPS = 2_000;
const WARM_UP_TAPS = 200;
/** CONTRACT 9. */
const RATIO_MAX = 1.5;
const EXTRA_MS_MAX = 1;

export async function benchTap(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  try {
    return await measure(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string): Promise<Figure[]> {
  const clock = createSystemClock();
  await clock.start();
  const feed = join(folder, "feed");
  await publishOneCard(feed, clock);
  const { house, hands } = await startBenchHouse(join(folder, "data"), feed, clock);
  const bare = await openBareAppend(join(folder, "bare"), LINE_BYTES);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let tap = 0; tap < TAPS + WARM_UP_TAPS; tap += 1) {
    const oursMs = await tapOnce(hands, clock);
    // The outcome's own line is written before the next measurement begins.
    await new Promise((go) => setTimeout(go, 2));
    const bareMs = await bare.measure();
    if (tap < WARM_UP_TAPS) continue;
    ours.push(oursMs);
    theirs.push(bareMs);
  }
  await bare.close();
  await house.stop();
  clock.stop();
  const bareP99 = percentile(theirs, 0.99);
  return [
    {
      what: `bare append and fdatasync of ${LINE_BYTES} bytes, p50`,
      value: percentile(theirs, 0.5),
      unit: "ms",
    },
    { what: `bare append and fdatasync of ${LINE_BYTES} bytes, p99`, value: bareP99, unit: "ms" },
    { what: "tap read to relay commanded, journal synced, p50", value: percentile(ours, 0.5), unit: "ms" },
    {
      what: "tap read to relay commanded, journal synced, p99",
      value: percentile(ours, 0.99),
      unit: "ms",
      bound: bareP99 * RATIO_MAX + EXTRA_MS_MAX,
    },
    { what: "ratio of the medians", value: percentile(ours, 0.5) / percentile(theirs, 0.5), unit: "" },
  ];
}
