/** A whole gate on a bad wire to a real broker, by seed: everything journaled arrives, in order, the same however often. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { publishOneCard, startBenchHouse, tapOnce } from "../../bench/house.ts";
import { pathsOf } from "../../daemon/data-paths.ts";
import { readEntries } from "../../daemon/journal/journal-reader.ts";
import { createBroker } from "../../drivers/broker.ts";
import { createFiles } from "../../drivers/files.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../../drivers/system.ts";
import { FAULTS, type Fault, startFaultProxy } from "../peers/fault-proxy.ts";
import {
  type Heard,
  type Mosquitto,
  type Subscriber,
  startMosquitto,
  startSubscriber,
} from "../peers/mosquitto.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";
import { HurriedClock } from "../unit/broker-watch.ts";
import { type Event, firstArrivals } from "./ear.ts";
import { until } from "./site.ts";

const TAPS = 110;
/** People come so fast that some taps are decided while the wire is broken, some while it is caught up. */
const TAP_MS_MAX = 16;
const STRIKES: Readonly<Record<Fault, number>> = {
  "lost-answer": 5,
  "half-packet": 5,
  // The gateway gives these up after ten seconds each.
  silent: 4,
  frozen: 4,
  stalled: 4,
  quota: 4,
  pieces: 0,
  slow: 0,
};
/** The broker's connection lives so much faster than the gate, or ten seconds would be. */
const HURRY = 10;
const PATIENCE_MS = 60_000;

const clock = createSystemClock();
let folder: string;
let mosquitto: Mosquitto;
beforeAll(async () => {
  await clock.start();
  folder = await mkdtemp(join(tmpdir(), "grindvakt-faults-"));
  await publishOneCard(join(folder, "feed"), clock);
  mosquitto = await startMosquitto();
});
afterAll(async () => {
  await mosquitto?.dispose();
  clock.stop();
  await rm(folder, { recursive: true, force: true });
});

describe(`on a wire that is bad, ${TAPS} taps arrive, and all that is in the journal`, () => {
  test.each(FAULTS.map((fault, index) => [fault, index + 1] as const))("%s, seed %i", async (fault, seed) => {
    const random = new SimRandom(seed);
    const proxy = await startFaultProxy(mosquitto.port, fault, STRIKES[fault], random);
    onTestFinished(() => proxy.stop());
    const centre = await startSubscriber(mosquitto.url, "grindvakt/#");
    onTestFinished(() => centre.stop());
    const dataDir = join(folder, fault);
    const { house, hands } = await startBenchHouse(
      dataDir,
      join(folder, "feed"),
      clock,
      (will, subscriptions) =>
        createBroker(
          { urls: [`mqtt://127.0.0.1:${proxy.port}`], clientId: "grindvakt-bench", will, subscriptions },
          { clock: new HurriedClock(HURRY), random, log: new SimLog() },
        ),
    );
    onTestFinished(() => house.stop());

    for (let tap = 0; tap < TAPS; tap += 1) {
      await tapOnce(hands, clock);
      await new Promise((resolve) => setTimeout(resolve, random.fraction() * TAP_MS_MAX));
    }
    const sent = (): string =>
      JSON.stringify([house.status().outbox, house.status().broker, proxy.strikes()]);
    await until(sent, () => (house.status().outbox.unsent === 0 ? true : null), PATIENCE_MS);
    expect(proxy.strikes()).toBeGreaterThanOrEqual(Math.max(1, STRIKES[fault]));

    const journal: { id: string; chain: string }[] = [];
    const files = createFiles(createSystemDisk(), systemRandom);
    const { headSeq } = house.status().journal;
    for await (const { line, chain } of readEntries(files, pathsOf(dataDir).journal, 1, headSeq))
      journal.push({ id: `bench/${line.seq}`, chain });
    expect(journal.length).toBeGreaterThan(2 * TAPS);
    const events = await until("the last event is heard", () => {
      // Around an event that was refused others are under way; from it on all come again, in order.
      const all = fault === "quota" ? lastArrivals(eventsIn(centre)) : firstArrivals(eventsIn(centre));
      // What became of the last tap may have been written down since.
      return all.length >= journal.length ? all.slice(0, journal.length) : null;
    });
    expect(events.map(({ id, data }) => ({ id, chain: data.chain }))).toEqual(journal);
    // What was lost on the way back came twice.
    if (fault === "lost-answer") expect(eventsIn(centre).length).toBeGreaterThan(journal.length);
    expect(events.filter(({ type }) => type === "grindvakt.tap.v1").length).toBe(TAPS);
  });
});

function lastArrivals(heard: readonly Heard[]): Event[] {
  return firstArrivals(heard.toReversed()).reverse();
}

function eventsIn({ heard }: Subscriber): Heard[] {
  return heard.filter(({ topic }) => !/\/state(\/|$)/.test(topic));
}
