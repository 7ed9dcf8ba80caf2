/** The last day in figures, over hours, restarts and a journal that cannot be read. */
import { expect, test } from "vitest";
import { History } from "../../daemon/answers/history.ts";
import { GENESIS, type Line } from "../../daemon/journal/record.ts";
import { tapView } from "../e2e/console-house.ts";
import { SimClock } from "../sim/clock.ts";

const NOON = Date.parse("2026-11-22T12:00:00.000Z");
const HOUR_MS = 3_600_000;

function makeHistory() {
  const clock = new SimClock({ wallMs: NOON });
  const world = { unsent: 0 };
  return { clock, world, history: new History(clock, () => world.unsent) };
}

async function* none(): AsyncGenerator<Line> {}

function line(time: string, granted: boolean, type: Line["type"] = "grindvakt.tap.v1"): Line {
  return { seq: 1, prev: GENESIS, batch: 1, type, subject: "in", time, data: { granted } };
}

test("taps are counted by the hour, and the hours of a day kept", async () => {
  const { clock, history } = makeHistory();
  history.tapped(tapView());
  const refused = tapView(null);
  history.tapped({ ...refused, decision: { ...refused.decision, granted: false, reason: "blocked" } });
  await clock.advance(HOUR_MS);
  history.tapped(tapView());
  const { hours } = await history.show(none);
  expect(hours).toEqual([
    { at: "2026-11-22T12:00:00.000Z", granted: 1, refused: 1 },
    { at: "2026-11-22T13:00:00.000Z", granted: 1, refused: 0 },
  ]);
  for (let hour = 0; hour < 60; hour += 1) {
    await clock.advance(HOUR_MS);
    history.tapped(tapView());
  }
  expect((await history.show(none)).hours).toHaveLength(25);
});

test("what was before this run is read from the journal once, taps of the last day only", async () => {
  const { history } = makeHistory();
  const asked: number[][] = [];
  async function* before(fromMs: number, toMs: number): AsyncGenerator<Line> {
    asked.push([fromMs, toMs]);
    yield line("2026-11-21T11:59:00.000Z", true);
    yield line("2026-11-22T09:10:00.000Z", true);
    yield line("2026-11-22T09:20:00.000Z", false);
    yield line("2026-11-22T09:30:00.000Z", true, "grindvakt.passage.v1");
    yield line("2026-11-22T12:00:00.000Z", true);
  }
  history.tapped(tapView());
  const expected = [
    { at: "2026-11-22T09:00:00.000Z", granted: 1, refused: 1 },
    { at: "2026-11-22T12:00:00.000Z", granted: 1, refused: 0 },
  ];
  expect((await history.show(before)).hours).toEqual(expected);
  expect((await history.show(before)).hours).toEqual(expected);
  expect(asked).toEqual([[NOON - 24 * HOUR_MS, NOON]]);
});

test("a journal that cannot be read leaves what this run has seen", async () => {
  const { history } = makeHistory();
  history.tapped(tapView());
  async function* broken(): AsyncGenerator<Line> {
    yield line("2026-11-22T09:10:00.000Z", true);
    throw new Error("EIO");
  }
  expect((await history.show(broken)).hours).toHaveLength(2);
});

test("the most that was unsent in ten minutes is kept, for a day", async () => {
  const { clock, world, history } = makeHistory();
  history.start();
  world.unsent = 40;
  await clock.advance(60_000);
  world.unsent = 2;
  await clock.advance(10 * 60_000);
  history.stop();
  expect((await history.show(none)).unsent).toEqual([
    { at: "2026-11-22T12:00:00.000Z", count: 40 },
    { at: "2026-11-22T12:10:00.000Z", count: 2 },
  ]);
  history.start();
  await clock.advance(30 * HOUR_MS);
  expect((await history.show(none)).unsent).toHaveLength(144);
  history.stop();
  await clock.runUntilIdle();
});

test("the last 200 ways from card to relay are kept", async () => {
  const { history } = makeHistory();
  for (let ms = 1; ms <= 1_000; ms += 1) history.measured(ms);
  const { latenciesMs } = await history.show(none);
  expect([latenciesMs.length, latenciesMs.at(0), latenciesMs.at(-1)]).toEqual([200, 801, 1_000]);
});
