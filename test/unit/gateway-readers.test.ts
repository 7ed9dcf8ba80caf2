import { describe, expect, test } from "vitest";
import { ROW_EVENTS_MAX } from "../../daemon/gate/mailbox.ts";
import type { MisreadReason, ReaderNotice } from "../../drivers/driver.ts";
import { type GatewayBench, misread, NUMBER, openGate } from "./gateway-bench.ts";

const OTHER = "BB-1234-567891";
const READER = "north-in-1";
const GATE = "north-in";
/** Readings that are handled before other work gets its turn. */
const SLICE_READINGS = 16;

describe("a noisy reader", () => {
  const MISREADS = 100;

  async function makeNoise(bench: GatewayBench, reader: string, reason: MisreadReason): Promise<void> {
    for (let count = 0; count < MISREADS; count += 1) {
      bench.present(reader, misread(reason));
      await bench.settle();
    }
  }

  test("writes ten misreads a minute; the rest are counted, and one event says how many", async () => {
    const bench = openGate();
    await makeNoise(bench, READER, "malformed");
    await bench.clock.advance(59_999);
    expect(bench.dataOf("tap").length).toBe(10);
    expect(bench.dataOf("reader")).toEqual([]);
    await bench.clock.advance(1);
    expect(bench.dataOf("reader")).toMatchObject([{ event: "misreads", reader: READER, count: 90 }]);
    expect(bench.gateway.readerStates()[READER]).toMatchObject({ misreads: 100 });
  });

  test("is noisy by itself: its neighbour's misreads are events", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE, readers: ["noisy", "calm"] }] });
    await makeNoise(bench, "noisy", "unreadable");
    bench.present("calm", misread("unreadable"));
    await bench.settle();
    expect(bench.dataOf("tap").at(-1)).toMatchObject({ reader: "calm", reason: "unreadable" });
  });

  test("still has its taps, its early removals and its foreign cards told, each of them", async () => {
    const bench = openGate();
    await makeNoise(bench, READER, "malformed");
    bench.presentNumber(READER);
    bench.present(READER, misread("removed-early"));
    bench.present(READER, misread("wrong-type"));
    await bench.settle();
    expect(bench.dataOf("tap").slice(10)).toMatchObject([
      { reason: "granted" },
      { reason: "removed-early" },
      { reason: "wrong-type" },
    ]);
  });

  test("delays a neighbour's tap by no more than one slice", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE }, { id: "south-in" }] });
    let handledBefore = 0;
    bench.clock.after(5, () => {
      for (let count = 0; count < 10_000; count += 1) bench.present(READER, misread("malformed"));
      handledBefore = bench.gateway.readerStates()[READER]!.misreads;
      bench.presentNumber("south-in-1");
    });
    let handledAtDecision = Number.NaN;
    const decided = new Promise<void>((resolve) => {
      const watch = (): void => {
        if (bench.dataOf("tap").some(({ accessPoint }) => accessPoint === "south-in")) {
          handledAtDecision = bench.gateway.readerStates()[READER]!.misreads;
          resolve();
        } else bench.clock.after(0, watch);
      };
      bench.clock.after(5, watch);
    });
    await bench.clock.advance(5);
    await decided;
    expect(handledAtDecision - handledBefore).toBeLessThanOrEqual(SLICE_READINGS);
    await bench.clock.advance(60_000);
    const { misreads, dropped } = bench.gateway.readerStates()[READER]!;
    expect(misreads + dropped).toBe(10_000);
  });
});

describe("readings that come all at once", () => {
  const numbered = (count: number): string => `BB-0000-${String(count).padStart(6, "0")}`;
  /** A burst as a cable gives it whose line was away, or that somebody shorts. */
  function burst(bench: GatewayBench, readings: number): void {
    for (let count = 0; count < readings; count += 1) bench.presentNumber(READER, numbered(count));
  }
  const toldOf = (bench: GatewayBench) => bench.dataOf("reader").map(({ event, count }) => [event, count]);

  test("are decided in order, a slice at a time, and other work has its turn between slices", async () => {
    const bench = openGate();
    const decided: number[] = [0];
    burst(bench, 100);
    const watch = (): void => {
      decided.push(bench.dataOf("tap").length);
      if (decided.at(-1)! < 100) bench.clock.after(0, watch);
    };
    bench.clock.after(0, watch);
    await bench.clock.advance(0);
    expect(decided.at(-1)).toBe(100);
    for (const [turn, count] of decided.entries())
      if (turn > 0) expect(count - decided[turn - 1]!).toBeLessThanOrEqual(SLICE_READINGS);
    const cards = bench.dataOf("tap").map(({ card }) => card);
    expect(cards).toEqual(Array.from({ length: 100 }, (_, count) => numbered(count)));
  });

  test("are taken from each reader in turn", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE }, { id: "south-in" }] });
    burst(bench, 100);
    bench.presentNumber("south-in-1", OTHER);
    await bench.settle();
    expect(bench.dataOf("tap").findIndex(({ accessPoint }) => accessPoint === "south-in")).toBe(1);
    expect(bench.dataOf("tap").length).toBe(100 + 1);
  });

  // Few were once not told of at all, and many as misreads.
  test.each([5, 36])(
    "wait up to a bound; %i that do not fit are counted, and told of as such",
    async (tooMany) => {
      const bench = openGate();
      burst(bench, ROW_EVENTS_MAX + tooMany);
      await bench.settle();
      const cards = bench.dataOf("tap").map(({ card }) => card);
      expect(cards).toEqual(Array.from({ length: ROW_EVENTS_MAX }, (_, count) => numbered(count)));
      const counts = { dropped: tooMany, taps: ROW_EVENTS_MAX, misreads: 0 };
      expect(bench.gateway.readerStates()[READER]).toMatchObject(counts);
      expect(toldOf(bench)).toEqual([]);
      await bench.clock.advance(10 * 60_000);
      expect(toldOf(bench)).toEqual([["dropped", tooMany]]);
      expect(bench.dataOf("reader")).toMatchObject([{ reader: READER }]);
    },
  );

  test("show their number in the state at once, even where nothing else happens", () => {
    const bench = openGate();
    burst(bench, ROW_EVENTS_MAX);
    const { changes } = bench;
    bench.presentNumber(READER);
    expect(bench.gateway.readerStates()[READER]).toMatchObject({ dropped: 1 });
    expect(bench.changes).toBe(changes + 1);
  });

  test("and were only counted are told of when the gateway stops, before it says so, and not again", async () => {
    const bench = openGate();
    for (let count = 0; count < ROW_EVENTS_MAX + 5; count += 1) bench.present(READER, misread("malformed"));
    await bench.settle();
    const before = bench.drafts.length;
    await bench.gateway.stopped();
    const last = bench.drafts.slice(before).map(({ data }) => [data.event, data.count]);
    expect(last).toEqual([
      ["misreads", ROW_EVENTS_MAX - 10],
      ["dropped", 5],
      ["stopped", undefined],
    ]);
    await bench.clock.advance(10 * 60_000);
    expect(bench.drafts.length).toBe(before + 3);
  });
});

describe("devices", () => {
  test("that come and go are told of, and shown in the state", async () => {
    const bench = openGate();
    expect(bench.gateway.readerStates()[READER]).toMatchObject({ state: "starting", model: null });
    const changesBefore = bench.changes;
    const reader = bench.gateway.readerEvents(READER);
    reader.up({ model: "ACS ACR1252" });
    await bench.clock.advance(5_000);
    reader.down("unplugged");
    expect(bench.gateway.readerStates()[READER]).toMatchObject({
      state: "down",
      since: "2026-11-23T06:00:05.000Z",
      why: "unplugged",
      model: "ACS ACR1252",
    });
    expect(bench.dataOf("reader")).toMatchObject([
      { event: "up", reader: READER, why: null, model: "ACS ACR1252" },
      { event: "down", reader: READER, why: "unplugged", model: "ACS ACR1252" },
    ]);
    expect(bench.changes).toBe(changesBefore + 2);
  });

  test("that are relays raise an alarm when they go, and end it when they are back", () => {
    const bench = openGate();
    const relay = bench.gateway.relayEvents(GATE);
    relay.up({ model: "a board" });
    expect(bench.dataOf("gateway")).toEqual([]);
    relay.down("unplugged");
    relay.up({ model: "a board" });
    relay.up({ model: "a board" });
    expect(bench.dataOf("gateway")).toMatchObject([
      { event: "relay-down", accessPoint: GATE, why: "unplugged" },
      { event: "relay-up", accessPoint: GATE },
    ]);
    expect(bench.dataOf("gateway").length).toBe(2);
    // Its driver logs it.
    expect(bench.log.lines.filter(({ message }) => /up|down/.test(message))).toEqual([]);
  });

  test("show what keeps them down now, since when they are, and write one event of it", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE, inputs: { tamper: {} } }] });
    const { gateway } = bench;
    const devices = [
      { events: gateway.readerEvents(READER), state: () => gateway.readerStates()[READER] },
      { events: gateway.relayEvents(GATE), state: () => gateway.relayStates()[GATE] },
      { events: gateway.inputEvents(GATE, "tamper"), state: () => gateway.inputStates()[GATE]?.tamper },
    ];
    for (const { events, state } of devices) {
      events.down("unplugged");
      const since = state()?.since;
      await bench.clock.advance(1_000);
      events.down("another program has it");
      expect(state()).toMatchObject({ state: "down", why: "another program has it", since });
    }
    const written = [...bench.dataOf("reader"), ...bench.dataOf("gateway")];
    expect(written.map(({ event, why }) => [event, why])).toEqual([
      ["down", "unplugged"],
      ["relay-down", "unplugged"],
      ["input-down", "unplugged"],
    ]);
  });

  test("that are relays raise an alarm of their own", () => {
    const bench = openGate({ accessPoints: [{ id: GATE }, { id: "south-in" }] });
    const [north, south] = [bench.gateway.relayEvents(GATE), bench.gateway.relayEvents("south-in")];
    north.down("unplugged");
    south.up({});
    north.up({});
    expect(bench.dataOf("gateway").map(({ event, accessPoint }) => [event, accessPoint])).toEqual([
      ["relay-down", GATE],
      ["relay-up", GATE],
    ]);
  });
});

describe("passback", () => {
  const twoGates = (mode: "off" | "report" | "deny") => ({
    accessPoints: [
      { id: "in", passback: { mode, resetMinutes: 10 }, repeatSeconds: 0 },
      { id: "out", direction: "exit" as const, passback: { mode, resetMinutes: 10 }, repeatSeconds: 0 },
    ],
  });
  const reasons = (bench: GatewayBench) => bench.dataOf("tap").map(({ reason }) => reason);

  test("denied: in, in again, out, in; and again once the time is up", async () => {
    const bench = openGate(twoGates("deny"));
    for (const reader of ["in-1", "in-1", "out-1", "in-1"]) {
      bench.presentNumber(reader);
      await bench.settle();
    }
    await bench.clock.advance(10 * 60_000);
    bench.presentNumber("in-1");
    await bench.settle();
    expect(reasons(bench)).toEqual(["granted", "passback", "granted", "granted", "granted"]);
    expect(bench.dataOf("tap").map(({ passback }) => passback)).toEqual([
      undefined,
      "violated",
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("reported: granted, and the event says so", async () => {
    const bench = openGate(twoGates("report"));
    for (const reader of ["out-1", "out-1"]) {
      bench.presentNumber(reader);
      await bench.settle();
    }
    expect(bench.dataOf("tap")).toMatchObject([
      { reason: "granted" },
      { reason: "granted", passback: "violated" },
    ]);
  });

  test("a card that was refused went nowhere", async () => {
    const bench = openGate(twoGates("deny"));
    bench.blocked.add(NUMBER);
    bench.presentNumber("in-1");
    await bench.settle();
    bench.blocked.clear();
    bench.presentNumber("in-1");
    await bench.settle();
    expect(reasons(bench)).toEqual(["site-blocked", "granted"]);
  });

  // Shut out by the disk, and then by having been let in.
  test("a card whose grant was withheld went nowhere", async () => {
    const { accessPoints } = twoGates("deny");
    const bench = openGate({
      accessPoints: accessPoints.map((accessPoint) => ({ ...accessPoint, whenJournalFails: "deny" })),
    });
    bench.disk = "held";
    bench.presentNumber("in-1");
    await bench.settle();
    bench.pending[0]!.settle({ kind: "failed", id: "gate-07/boot-1/1" });
    await bench.settle();
    expect(bench.dataOf("passage")).toMatchObject([{ event: "withheld" }]);
    bench.disk = "synced";
    for (const _time of ["opens", "is the second"]) {
      bench.presentNumber("in-1");
      await bench.settle();
    }
    expect(reasons(bench)).toEqual(["granted", "granted", "passback"]);
  });

  test("a card that was let in without a line went in all the same", async () => {
    const bench = openGate(twoGates("deny"));
    bench.disk = "held";
    bench.presentNumber("in-1");
    await bench.settle();
    bench.pending[0]!.settle({ kind: "failed", id: "gate-07/boot-1/1" });
    await bench.settle();
    bench.presentNumber("in-1");
    await bench.settle();
    expect(reasons(bench)).toEqual(["granted", "passback"]);
  });
});

describe("what a reader tells of itself", () => {
  function told(bench: GatewayBench, ...notices: ReaderNotice[]): void {
    for (const notice of notices) bench.gateway.readerEvents(READER).notice?.(notice, bench.stamp());
  }

  test("is written down and stands in its state", async () => {
    const bench = openGate();
    told(
      bench,
      { kind: "tamper", active: true },
      { kind: "power", failed: true },
      { kind: "alarm", why: "it answers in the clear" },
      { kind: "commissioned" },
    );
    expect(bench.dataOf("reader")).toMatchObject([
      { event: "tamper", reader: READER, active: true },
      { event: "power", reader: READER, failed: true },
      { event: "alarm", reader: READER, why: "it answers in the clear" },
      { event: "commissioned", reader: READER },
    ]);
    expect(bench.gateway.readerStates()[READER]).toMatchObject({
      tamper: true,
      powerFailed: true,
      alarm: { at: bench.drafts.at(-1)?.time, why: "it answers in the clear" },
    });
    told(bench, { kind: "tamper", active: false });
    expect(bench.gateway.readerStates()[READER]).toMatchObject({ tamper: false, powerFailed: true });
  });

  test("is told ten times a minute and then counted, and its state is right all the same", async () => {
    const bench = openGate();
    for (let times = 0; times < 50; times += 1)
      told(bench, { kind: "tamper", active: true }, { kind: "tamper", active: false });
    told(bench, { kind: "tamper", active: true });
    await bench.clock.advance(60_000);
    expect(
      bench
        .dataOf("reader")
        .slice(0, 10)
        .every(({ event }) => event === "tamper"),
    ).toBe(true);
    expect(bench.dataOf("reader").slice(10)).toMatchObject([{ event: "notices", count: 91 }]);
    expect(bench.gateway.readerStates()[READER]?.tamper).toBe(true);
  });

  test("of keys is only how many there were, once a minute; of inputs nothing", async () => {
    const bench = openGate();
    told(
      bench,
      { kind: "keys", digits: "47" },
      { kind: "inputs", active: [true] },
      { kind: "keys", digits: "11#" },
    );
    told(bench, { kind: "keys", digits: "" });
    expect(bench.dataOf("reader")).toEqual([]);
    await bench.clock.advance(60_000);
    expect(bench.dataOf("reader")).toMatchObject([{ event: "keys", reader: READER, count: 5 }]);
    expect(JSON.stringify(bench.drafts)).not.toContain("47");
  });
});
