import { describe, expect, test } from "vitest";
import { LINE_BYTES_MAX } from "../../daemon/journal/record.ts";
import type { CardAnswer } from "../../sync/card.ts";
import {
  BOOT,
  cardOf,
  credential,
  GatewayBench,
  listOf,
  listOfAll,
  misread,
  NUMBER,
  openGate,
  TOKEN,
} from "./gateway-bench.ts";

const OTHER = "BB-1234-567891";
const READER = "north-in-1";
const GATE = "north-in";
const PULSE_MS = 800;
const UNKNOWN: CardAnswer = { kind: "unknown" };

/** The pulse as the relay tells of it. */
async function runPulse(bench: GatewayBench, accessPoint = GATE): Promise<void> {
  const relay = bench.gateway.relayEvents(accessPoint);
  relay.energised();
  await bench.clock.advance(PULSE_MS);
  relay.released();
}

describe("a tap", () => {
  test("is one event, with everything a centre asks for", async () => {
    const bench = openGate();
    await bench.clock.advance(1_234);
    bench.presentNumber(READER);
    await bench.settle();
    const tap = bench.drafts.at(-1);
    expect(tap).toEqual({
      type: "grindvakt.tap.v1",
      subject: GATE,
      time: "2026-11-23T06:00:01.234Z",
      data: {
        workplaceId: "8112345678",
        accessPoint: GATE,
        direction: "entry",
        reader: READER,
        card: NUMBER,
        credential: { kind: "number", assurance: "number" },
        granted: true,
        reason: "granted",
        list: { revision: 120, ageSeconds: 35, freshness: "fresh" },
        clock: { trusted: true, boot: BOOT, uptimeMs: 1_234 },
      },
    });
    expect(bench.taps.map(({ decision }) => decision.reason)).toEqual(["granted"]);
    expect(bench.gateway.readerStates()[READER]).toMatchObject({ taps: 1, misreads: 0, dropped: 0 });
  });

  test("by chip shows the card and a keyed hash, and never the chip's number", async () => {
    const bench = openGate();
    bench.useList(listOf({ kind: "card", card: cardOf(NUMBER) }));
    bench.present(READER, credential({ kind: "token", uid: TOKEN, part: "whole" }, "uid"));
    await bench.settle();
    expect(bench.dataOf("tap")[0]).toMatchObject({
      card: NUMBER,
      credential: { kind: "token", assurance: "uid", hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(JSON.stringify(bench.drafts)).not.toContain(TOKEN);
  });

  test("of an unknown chip has no card", async () => {
    const bench = openGate();
    bench.useList(listOf(UNKNOWN));
    bench.present(READER, credential({ kind: "token", uid: TOKEN, part: "whole" }, "uid"));
    await bench.settle();
    expect(bench.dataOf("tap")[0]).toMatchObject({ card: null, granted: false, reason: "unknown" });
  });

  test("at an exit says so", async () => {
    const bench = openGate({ accessPoints: [{ id: "north-out", direction: "exit" }] });
    bench.presentNumber("north-out-1");
    await bench.settle();
    expect(bench.dataOf("tap")[0]).toMatchObject({
      accessPoint: "north-out",
      direction: "exit",
      reader: "north-out-1",
    });
  });

  test("that gave nothing says how far it got", async () => {
    const bench = openGate();
    bench.present(READER, misread("removed-early", "the chip answered, then was gone"));
    await bench.settle();
    expect(bench.dataOf("tap")[0]).toMatchObject({
      card: null,
      credential: null,
      step: "the chip answered, then was gone",
      reason: "removed-early",
    });
    expect(bench.gateway.readerStates()[READER]).toMatchObject({ taps: 0, misreads: 0, earlyRemovals: 1 });
  });

  test("by a clock nobody has set says so, and which day the gate goes by", async () => {
    const bench = new GatewayBench({ clock: { wallMs: 60_000, trustedAfterMs: 5_000 } });
    bench.scribe.raiseFloor(Date.parse("2026-11-22T07:00:00Z"));
    bench.presentNumber(READER);
    await bench.settle();
    expect(bench.drafts).toMatchObject([
      {
        time: "1970-01-01T00:01:00.000Z",
        data: { clock: { trusted: false, floor: "2026-11-22T07:00:00.000Z" } },
      },
    ]);
    await bench.clock.advance(5_000);
    bench.presentNumber(READER);
    await bench.settle();
    expect(bench.dataOf("tap").at(-1)!.clock).toEqual({ trusted: true, boot: BOOT, uptimeMs: 5_000 });
  });

  test("by a clock that is not believed goes by the latest time that was", async () => {
    const bench = openGate();
    const by = (time: string, trusted: boolean): void => {
      const reading = credential({ kind: "number", number: NUMBER }, "number");
      const stamp = { monotonicMs: bench.clock.monotonicMs(), wallMs: Date.parse(time), trusted };
      bench.gateway.readerEvents(READER).reading(reading, stamp);
    };
    for (const [time, trusted] of [
      ["2026-11-22T07:00:00Z", true],
      ["2026-11-21T07:00:00Z", true],
      ["2038-01-19T03:14:07Z", false],
    ] as const) {
      by(time, trusted);
      await bench.clock.advance(2_000);
    }
    expect(bench.dataOf("tap").at(-1)!.clock).toMatchObject({ floor: "2026-11-22T07:00:00.000Z" });
  });

  test("is decided on the list of its moment, and without one refused", async () => {
    const bench = new GatewayBench();
    bench.presentNumber(READER);
    await bench.settle();
    bench.useList(listOf(UNKNOWN, 1));
    bench.presentNumber(READER, OTHER);
    await bench.settle();
    bench.useList(listOfAll(2));
    bench.presentNumber(READER, "BB-1234-567892");
    await bench.settle();
    expect(bench.dataOf("tap")).toMatchObject([
      { reason: "list-missing", list: null },
      { reason: "unknown", list: { revision: 1 } },
      { reason: "granted", list: { revision: 2 } },
    ]);
  });

  test("of a reader nobody has configured is none", async () => {
    const bench = openGate();
    bench.presentNumber("no-such-reader");
    await bench.settle();
    expect(bench.dataOf("tap")).toEqual([]);
  });
});

describe("words from outside", () => {
  /** What devices, disks and feeds nobody has signed yet may give us for an explanation: megabytes, or the worst to write. */
  const endless = ["x".repeat(2 ** 20), "\u0000".repeat(100_000), "👷".repeat(100_000)];

  // A line that was too long for its reader once cost the journal everything after it.
  test.each(endless)("are cut, so that any event fits in a line of the journal (case %#)", async (words) => {
    const bench = openGate();
    const { gateway } = bench;
    gateway.listEvents.refused({ name: words, why: words });
    gateway.readerEvents(READER).up({ model: words });
    gateway.readerEvents(READER).down(words);
    gateway.relayEvents(GATE).down(words);
    gateway.note("journal-failed", { why: words });
    bench.present(READER, misread("malformed", words));
    bench.presentNumber(READER);
    await bench.settle();
    gateway.relayEvents(GATE).failed(words);
    await bench.settle();
    expect(bench.drafts.length).toBe(1 + 8);
    for (const draft of bench.drafts)
      expect(Buffer.byteLength(JSON.stringify(draft))).toBeLessThan(LINE_BYTES_MAX / 4);
    expect(bench.dataOf("passage")[0]!.why).toBe(`${words.slice(0, 500)}…`);
  });

  test("of 500 characters are left as they are, and no longer ones", () => {
    const bench = new GatewayBench();
    const why = "y".repeat(500);
    bench.gateway.note("journal-failed", { why });
    bench.gateway.note("journal-failed", { why: `${why}z` });
    expect(bench.dataOf("gateway")).toMatchObject([{ why }, { why: `${why}…` }]);
  });
});

describe("the same card again", () => {
  test("is one tap within the time, at whichever reader of the gate, and another after it", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE, readers: ["a", "b"] }, { id: "south-in" }] });
    bench.presentNumber("a");
    await bench.clock.advance(1_000);
    bench.presentNumber("b");
    await bench.clock.advance(1_900);
    bench.presentNumber("a");
    await bench.settle();
    expect(bench.dataOf("tap").length).toBe(1);
    bench.presentNumber("south-in-1");
    bench.presentNumber("a", OTHER);
    await bench.settle();
    expect(bench.dataOf("tap").length).toBe(3);
    await bench.clock.advance(2_000);
    bench.presentNumber("a");
    await bench.settle();
    expect(bench.dataOf("tap").map(({ reader }) => reader)).toEqual(["a", "south-in-1", "a", "a"]);
    expect(bench.gateway.readerStates()).toMatchObject({ a: { taps: 3 }, b: { taps: 0 } });
  });

  test("is told from another by a chip's number, too, and by which part of it was read", async () => {
    const bench = openGate();
    const chip = (uid: string, part: "whole" | "first" | "last") =>
      bench.present(READER, credential({ kind: "token", uid, part }, part === "whole" ? "uid" : "uid-cut"));
    chip(TOKEN, "whole");
    chip("04A1B2C3D4E5F7", "whole");
    chip("04A1B2C3", "first");
    chip("04A1B2C3", "last");
    chip(TOKEN, "whole");
    await bench.settle();
    expect(bench.dataOf("tap").length).toBe(4);
  });

  test("is a tap each time where the site says so", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE, repeatSeconds: 0 }] });
    bench.presentNumber(READER);
    bench.presentNumber(READER);
    await bench.settle();
    expect(bench.dataOf("tap")).toMatchObject([
      { reason: "granted" },
      { reason: "granted", pulse: "running" },
    ]);
  });
});

describe("the journal comes before the relay", () => {
  test("a refusal is shown at once, whatever the disk does", async () => {
    const bench = openGate();
    bench.useList(listOf(UNKNOWN));
    bench.disk = "held";
    bench.presentNumber(READER);
    await bench.settle();
    expect(bench.signals).toEqual([{ reader: READER, signal: "denied" }]);
    expect(bench.pending.length).toBe(1);
  });

  test("a grant is shown and acted on only when its line is synced", async () => {
    const bench = openGate();
    bench.disk = "held";
    bench.presentNumber(READER);
    await bench.clock.advance(900);
    expect([bench.signals, bench.pulses]).toEqual([[], []]);
    await bench.settle();
    bench.pending[0]!.settle({ kind: "synced", id: "gate-07/1" });
    await bench.settle();
    expect(bench.signals).toEqual([{ reader: READER, signal: "granted" }]);
    expect(bench.pulses).toEqual([{ accessPoint: GATE, durationMs: PULSE_MS }]);
  });

  test.each([{ id: "gate-07/boot-1/1" }, { id: null }])(
    "a line that failed (id $id) opens where whenJournalFails is grant",
    async ({ id }) => {
      const bench = openGate();
      bench.disk = "held";
      bench.presentNumber(READER);
      await bench.settle();
      bench.pending[0]!.settle({ kind: "failed", id });
      await bench.settle();
      expect(bench.signals).toEqual([{ reader: READER, signal: "granted" }]);
      expect(bench.pulses.length).toBe(1);
      await runPulse(bench);
      expect(bench.dataOf("passage")).toMatchObject([{ event: "opened", tap: id }]);
    },
  );

  test.each([{ id: "gate-07/boot-1/1" }, { id: null }])(
    "a line that failed (id $id) keeps the gate shut where whenJournalFails is deny",
    async ({ id }) => {
      const bench = openGate({ accessPoints: [{ id: GATE, whenJournalFails: "deny" }] });
      bench.disk = "held";
      bench.presentNumber(READER);
      await bench.settle();
      bench.pending[0]!.settle({ kind: "failed", id });
      await bench.settle();
      expect(bench.signals).toEqual([{ reader: READER, signal: "denied" }]);
      expect(bench.pulses).toEqual([]);
      expect(bench.dataOf("passage")).toMatchObject([
        { event: "withheld", tap: id, why: expect.stringContaining("journal") },
      ]);
    },
  );

  test.each([
    { whenJournalFails: "grant", pulses: 1 },
    { whenJournalFails: "deny", pulses: 0 },
  ] as const)(
    "a line that is late counts as failed where whenJournalFails is $whenJournalFails",
    async ({ whenJournalFails, pulses }) => {
      const bench = openGate({ accessPoints: [{ id: GATE, whenJournalFails }] });
      bench.disk = "held";
      bench.presentNumber(READER);
      await bench.settle();
      bench.pending[0]!.settle({ kind: "late", id: new Promise(() => undefined) });
      await bench.settle();
      expect(bench.pulses.length).toBe(pulses);
      expect(bench.signals).toEqual([{ reader: READER, signal: pulses === 1 ? "granted" : "denied" }]);
    },
  );

  test("a grant that was not honoured is told of where no relay is wired, too", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE, pulseMs: null, whenJournalFails: "deny" }] });
    bench.disk = "held";
    bench.presentNumber(READER);
    await bench.settle();
    bench.pending[0]!.settle({ kind: "failed", id: "gate-07/boot-1/1" });
    await bench.settle();
    expect(bench.signals).toEqual([{ reader: READER, signal: "denied" }]);
    expect(bench.dataOf("passage")).toMatchObject([
      { event: "withheld", tap: "gate-07/boot-1/1", pulseMs: null },
    ]);
  });

  test("where it is deny, the next whose line is synced opens, once", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE, whenJournalFails: "deny" }] });
    bench.disk = "held";
    for (const card of [NUMBER, OTHER, "BB-1234-567892"]) bench.presentNumber(READER, card);
    await bench.settle();
    const [first, second, third] = bench.pending;
    first!.settle({ kind: "failed", id: "gate-07/boot-1/1" });
    second!.settle({ kind: "synced", id: "gate-07/2" });
    third!.settle({ kind: "synced", id: "gate-07/3" });
    await bench.settle();
    expect(bench.pulses.length).toBe(1);
    await runPulse(bench);
    expect(bench.dataOf("passage")).toMatchObject([
      { event: "withheld", tap: "gate-07/boot-1/1" },
      { event: "opened", tap: "gate-07/2" },
    ]);
  });
});

describe("a pulse", () => {
  test("is told of when it ends: whose it was, and how long the relay was held", async () => {
    const bench = openGate();
    bench.presentNumber(READER);
    await bench.settle();
    await bench.clock.advance(30);
    await runPulse(bench);
    expect(bench.drafts.at(-1)).toMatchObject({
      type: "grindvakt.passage.v1",
      subject: GATE,
      time: "2026-11-23T06:00:00.830Z",
      data: {
        event: "opened",
        accessPoint: GATE,
        direction: "entry",
        pulseMs: PULSE_MS,
        tap: "gate-07/2",
        heldMs: PULSE_MS,
      },
    });
  });

  test("carries whoever comes meanwhile: granted, with a light, and no second pulse", async () => {
    const bench = openGate();
    bench.presentNumber(READER);
    await bench.settle();
    bench.gateway.relayEvents(GATE).energised();
    bench.presentNumber(READER, OTHER);
    await bench.settle();
    expect(bench.dataOf("tap")).toMatchObject([
      { card: NUMBER, granted: true },
      { card: OTHER, granted: true, pulse: "running" },
    ]);
    expect(bench.dataOf("tap")[0]).not.toHaveProperty("pulse");
    expect(bench.pulses.length).toBe(1);
    expect(bench.signals.map(({ signal }) => signal)).toEqual(["granted", "granted"]);
    bench.gateway.relayEvents(GATE).released();
    expect(bench.dataOf("passage").length).toBe(1);
    bench.presentNumber(READER, "BB-1234-567892");
    await bench.settle();
    expect(bench.pulses.length).toBe(2);
    expect(bench.dataOf("tap")[2]).not.toHaveProperty("pulse");
  });

  test("does not keep anybody from being refused", async () => {
    const bench = openGate();
    bench.presentNumber(READER);
    await bench.settle();
    bench.blocked.add(OTHER);
    bench.presentNumber(READER, OTHER);
    await bench.settle();
    expect(bench.dataOf("tap")[1]).toMatchObject({ granted: false, reason: "site-blocked" });
    expect(bench.dataOf("tap")[1]).not.toHaveProperty("pulse");
  });

  test("that fails is told of, and the next grant has one of its own", async () => {
    const bench = openGate();
    bench.presentNumber(READER);
    await bench.settle();
    bench.gateway.relayEvents(GATE).failed("the relay is down: unplugged");
    expect(bench.dataOf("passage")).toMatchObject([
      { event: "failed", tap: "gate-07/2", heldMs: 0, why: "the relay is down: unplugged" },
    ]);
    expect(bench.log.messages("error").length).toBe(1);
    bench.presentNumber(READER, OTHER);
    await bench.settle();
    expect(bench.pulses.length).toBe(2);
  });

  test("of one gate is no pulse of another", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE }, { id: "south-in" }] });
    bench.presentNumber(READER);
    bench.presentNumber("south-in-1", OTHER);
    await bench.settle();
    expect(bench.pulses.map(({ accessPoint }) => accessPoint)).toEqual([GATE, "south-in"]);
    await runPulse(bench, "south-in");
    expect(bench.dataOf("passage").map(({ accessPoint }) => accessPoint)).toEqual(["south-in"]);
  });

  test("is not made where no relay is wired; the tap is decided and shown all the same", async () => {
    const bench = openGate({ accessPoints: [{ id: GATE, pulseMs: null, repeatSeconds: 0 }] });
    bench.presentNumber(READER);
    bench.presentNumber(READER);
    await bench.settle();
    expect([bench.pulses, bench.dataOf("passage")]).toEqual([[], []]);
    expect(bench.dataOf("tap").map(({ pulse }) => pulse)).toEqual([undefined, undefined]);
    expect(bench.signals.map(({ signal }) => signal)).toEqual(["granted", "granted"]);
  });

  test("that a relay tells of by itself is nobody's", async () => {
    const bench = openGate();
    const relay = bench.gateway.relayEvents(GATE);
    relay.energised();
    relay.released();
    relay.failed("why");
    expect(bench.dataOf("passage")).toEqual([]);
  });

  test("of the run before, whose end nobody saw, is told of as unknown and never made again", async () => {
    const bench = openGate();
    bench.gateway.resume([{ accessPoint: GATE, kind: "tap", id: "gate-07/99" }]);
    await bench.clock.advance(10_000);
    expect(bench.dataOf("passage")).toMatchObject([
      { event: "unknown", accessPoint: GATE, tap: "gate-07/99" },
    ]);
    expect(bench.pulses).toEqual([]);
  });
});
