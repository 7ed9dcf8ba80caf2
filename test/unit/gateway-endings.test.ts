import { expect, test } from "vitest";
import { type EVENT_TYPES, GENESIS } from "../../daemon/journal/record.ts";
import { resume } from "../../daemon/journal/resume.ts";
import { GatewayBench, openGate } from "./gateway-bench.ts";

const deny = { mode: "deny" as const, resetMinutes: 60 };
const line = (seq: number, type: (typeof EVENT_TYPES)[number], data: object) => ({
  line: {
    seq,
    prev: GENESIS,
    batch: seq,
    type,
    subject: "x",
    time: "2026-11-22T06:58:12.345Z",
    data: data as Record<string, unknown>,
  },
  chain: GENESIS,
});

test("A passback: one card at two neighbouring gates before the disk has answered goes in once", async () => {
  const bench = openGate({
    accessPoints: [
      { id: "in-a", passback: deny },
      { id: "in-b", passback: deny },
    ],
  });
  bench.disk = "held";
  bench.presentNumber("in-a-1");
  await bench.clock.advance(500);
  bench.presentNumber("in-b-1");
  await bench.settle();
  expect(bench.dataOf("tap").map(({ reason }) => reason)).toEqual(["granted", "passback"]);
});

test("B passback: a grant whose relay never was energised is no passage", async () => {
  const bench = openGate({ accessPoints: [{ id: "in", repeatSeconds: 0, passback: deny }] });
  bench.presentNumber("in-1");
  await bench.settle();
  bench.gateway.relayEvents("in").failed("unplugged");
  bench.presentNumber("in-1");
  await bench.settle();
  expect(bench.dataOf("tap").map(({ reason }) => reason)).toEqual(["granted", "granted"]);
});

test("C nothing is decided after `stopped`; what still waited is told of as dropped", async () => {
  const bench = openGate();
  for (let count = 0; count < 100; count += 1)
    bench.presentNumber("north-in-1", `BB-0000-${String(count).padStart(6, "0")}`);
  await bench.gateway.stopped();
  await bench.clock.advance(120_000);
  expect(bench.drafts.at(-1)!.data).toMatchObject({ event: "stopped" });
  const { taps, dropped } = bench.gateway.readerStates()["north-in-1"]!;
  expect(taps + dropped).toBe(100);
});

test("D what is cut is still Unicode: many a parser, and PostgreSQL's jsonb, takes no half of a pair", () => {
  const bench = new GatewayBench();
  bench.gateway.note("journal-failed", { why: `x${"👷".repeat(400)}` });
  bench.gateway.note("journal-failed", { why: "from a feed: \ud800" });
  for (const { data } of bench.drafts) {
    const why = String(data.why);
    expect(Buffer.from(why).toString()).toBe(why);
  }
});

test("E the retained state of a reader is bounded as its event is", () => {
  const bench = new GatewayBench();
  bench.gateway.readerEvents("north-in-1").up({ model: "x".repeat(100_000) });
  bench.gateway.readerEvents("north-in-1").down("x".repeat(100_000));
  expect(JSON.stringify(bench.gateway.readerStates()).length).toBeLessThan(4_096);
});

test("F (5) a late line's passage can be joined to its tap", async () => {
  async function* lines() {
    const data = { accessPoint: "in", clock: { trusted: true } };
    yield line(1, "grindvakt.tap.v1", { ...data, granted: true });
    yield line(2, "grindvakt.passage.v1", { ...data, event: "opened", tap: null });
  }
  expect((await resume(lines(), "g", new Set(["in"]))).unknownOutcomes).toEqual([]);
});
