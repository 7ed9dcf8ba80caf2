/** What the contacts of a turnstile make of grants: who passed, who did not, who had no grant, and who wants out. */
import { describe, expect, test } from "vitest";
import type { AccessPointSettings } from "../../daemon/gate/gateway.ts";
import { type GatewayBench, listOfAll, openGate } from "./gateway-bench.ts";

const GATE = "north-in";
const READER = "north-in-1";
const OTHERS = ["BB-2401-000001", "BB-2401-000002"];

async function gate(more: Partial<AccessPointSettings> = {}): Promise<GatewayBench> {
  const inputs = { passage: { passageSeconds: 5 }, "request-to-exit": {}, tamper: {} };
  const bench = openGate({ accessPoints: [{ id: GATE, inputs, ...more }] });
  const wired = more.inputs ?? inputs;
  for (const use of ["passage", "request-to-exit"] as const)
    if (wired[use] !== undefined) bench.gateway.inputEvents(GATE, use).up({});
  // What closes at once counts as found closed.
  await bench.clock.advance(100);
  return bench;
}

/** A tap whose relay has moved and is released again. */
async function letIn(bench: GatewayBench, number?: string): Promise<void> {
  bench.presentNumber(READER, number);
  await bench.settle();
  const relay = bench.gateway.relayEvents(GATE);
  relay.energised();
  await bench.clock.advance(800);
  relay.released();
}

const told = (bench: GatewayBench) =>
  bench.dataOf("passage").map(({ event, tap, request }) => `${event} ${tap ?? request ?? "-"}`);
const warnings = (bench: GatewayBench) => bench.log.lines.filter(({ level }) => level === "warn");

describe("after a grant", () => {
  test("who goes through has passed", async () => {
    const bench = await gate();
    await letIn(bench);
    await bench.clock.advance(1_000);
    bench.touch(GATE, "passage");
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual(["opened gate-07/2", "passed gate-07/2"]);
  });

  test("who does not within the time has not, and may try again where passback denies", async () => {
    const bench = await gate({ passback: { mode: "deny", resetMinutes: 720 }, repeatSeconds: 0 });
    await letIn(bench);
    bench.presentNumber(READER);
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual(["opened gate-07/2", "not-passed gate-07/2"]);
    bench.presentNumber(READER);
    await bench.settle();
    expect(bench.dataOf("tap").map(({ reason }) => reason)).toEqual(["granted", "passback", "granted"]);
  });

  test("a contact that closed in time counts, though it is told of a little late", async () => {
    const bench = await gate();
    await letIn(bench);
    await bench.clock.advance(4_190);
    const stamp = bench.stamp();
    await bench.clock.advance(100);
    bench.touch(GATE, "passage", stamp);
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual(["opened gate-07/2", "passed gate-07/2"]);
  });

  test("those who ride along in one pulse pass one by one, and the last one did not", async () => {
    const bench = await gate();
    for (const number of OTHERS) bench.presentNumber(READER, number);
    bench.presentNumber(READER);
    await bench.settle();
    const relay = bench.gateway.relayEvents(GATE);
    relay.energised();
    bench.touch(GATE, "passage");
    await bench.clock.advance(800);
    relay.released();
    bench.touch(GATE, "passage");
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual([
      "passed gate-07/2",
      "opened gate-07/2",
      "passed gate-07/3",
      "not-passed gate-07/4",
    ]);
    expect(bench.pulses).toHaveLength(1);
  });

  test("whose relay failed there is nothing to await, but for those who rode along", async () => {
    const bench = await gate();
    bench.presentNumber(READER);
    bench.presentNumber(READER, OTHERS[0]);
    await bench.settle();
    bench.gateway.relayEvents(GATE).failed("the cable is gone");
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual(["not-passed gate-07/3", "failed gate-07/2"]);
  });

  test("a pulse longer than the time to pass is awaited to its end", async () => {
    const bench = await gate({ pulseMs: 10_000 });
    bench.presentNumber(READER);
    await bench.settle();
    bench.gateway.relayEvents(GATE).energised();
    await bench.clock.advance(9_000);
    bench.touch(GATE, "passage");
    expect(told(bench)).toEqual(["passed gate-07/2"]);
  });

  test("whose disk is late the passage is told of once the tap has its number", async () => {
    const bench = await gate();
    bench.disk = "held";
    bench.presentNumber(READER);
    await bench.settle();
    let named: (id: string) => void = () => {};
    bench.pending[0]?.settle({ kind: "late", id: new Promise((name) => (named = name)) });
    await bench.settle();
    bench.gateway.relayEvents(GATE).energised();
    bench.touch(GATE, "passage");
    await bench.settle();
    expect(told(bench)).toEqual([]);
    named("gate-07/2");
    await bench.settle();
    expect(told(bench)).toEqual(["passed gate-07/2"]);
  });

  test("at a gate without a relay of ours it is awaited all the same", async () => {
    const bench = await gate({ pulseMs: null, inputs: { passage: { passageSeconds: 5 } } });
    bench.presentNumber(READER);
    bench.presentNumber(READER, OTHERS[0]);
    await bench.settle();
    bench.touch(GATE, "passage");
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual(["passed gate-07/2", "not-passed gate-07/3"]);
  });

  test("nothing is said of passages while the contact is not there", async () => {
    const bench = await gate();
    const contact = bench.gateway.inputEvents(GATE, "passage");
    contact.down("unplugged");
    await letIn(bench);
    await bench.clock.advance(60_000);
    contact.up({});
    await letIn(bench);
    contact.down("unplugged");
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual(["opened gate-07/3", "opened gate-07/6"]);
  });

  test("nothing is said of passages where no contact is wired", async () => {
    const bench = await gate({ inputs: {} });
    await letIn(bench);
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual(["opened gate-07/2"]);
  });
});

describe("without a grant", () => {
  test("who passes is an alarm", async () => {
    const bench = await gate();
    bench.touch(GATE, "passage");
    expect(told(bench)).toEqual(["passed-without-grant -"]);
    expect(warnings(bench).map(({ message }) => message)).toEqual(["passed without a grant"]);
  });

  test("a refusal is none", async () => {
    const bench = await gate();
    bench.blocked.add("BB-1234-567890");
    bench.presentNumber(READER);
    await bench.settle();
    bench.touch(GATE, "passage");
    expect(told(bench)).toEqual(["passed-without-grant -"]);
  });

  test("a contact that chatters writes ten lines a minute, and one that says how many more", async () => {
    const bench = await gate();
    for (let move = 0; move < 1_000; move += 1) bench.touch(GATE, "passage");
    await bench.clock.advance(60_000);
    const events = bench.dataOf("passage");
    expect(events).toHaveLength(11);
    expect(events[10]).toMatchObject({ event: "passed-without-grant", count: 990 });
    expect(warnings(bench)).toHaveLength(10);
  });
});

describe("a request to exit", () => {
  test("is written down and then opens", async () => {
    const bench = await gate();
    bench.disk = "held";
    bench.touch(GATE, "request-to-exit");
    await bench.settle();
    expect(told(bench)).toEqual(["request-to-exit -"]);
    expect(bench.pulses).toEqual([]);
    bench.pending[0]?.settle({ kind: "synced", id: "gate-07/2" });
    bench.disk = "synced";
    await bench.settle();
    expect(bench.pulses).toEqual([{ accessPoint: GATE, durationMs: 800 }]);
    const relay = bench.gateway.relayEvents(GATE);
    relay.energised();
    relay.released();
    bench.touch(GATE, "passage");
    expect(told(bench)).toEqual(["request-to-exit -", "opened gate-07/2", "passed gate-07/2"]);
  });

  test("during a pulse starts no second one", async () => {
    const bench = await gate();
    bench.presentNumber(READER);
    await bench.settle();
    bench.touch(GATE, "request-to-exit");
    await bench.settle();
    expect(bench.pulses).toHaveLength(1);
    expect(bench.dataOf("passage")).toMatchObject([{ event: "request-to-exit", pulse: "running" }]);
  });

  test("opens nothing where the journal fails and the site wants the gate shut then", async () => {
    const bench = await gate({ whenJournalFails: "deny" });
    bench.disk = "held";
    bench.touch(GATE, "request-to-exit");
    await bench.settle();
    bench.pending[0]?.settle({ kind: "failed", id: null });
    await bench.settle();
    expect(bench.pulses).toEqual([]);
    expect(told(bench)).toEqual(["request-to-exit -", "withheld -"]);
  });

  test("asks no list", async () => {
    const bench = await gate();
    bench.useList({
      ...listOfAll(),
      index: {
        cards: 0,
        byNumber: () => ({ kind: "unknown" }),
        byToken: () => ({ kind: "unknown" }),
        search: () => null,
        sinceOf: () => null,
      },
    });
    bench.touch(GATE, "request-to-exit");
    await bench.settle();
    expect(bench.pulses).toHaveLength(1);
  });

  test("by a button that chatters is taken sixty times a minute, and the rest is counted", async () => {
    const bench = await gate();
    for (let press = 0; press < 100; press += 1) bench.touch(GATE, "request-to-exit");
    await bench.clock.advance(60_000);
    expect(told(bench).filter((event) => event === "request-to-exit -")).toHaveLength(60);
    expect(bench.dataOf("passage").at(-1)).toMatchObject({ event: "requests-ignored", count: 40 });
  });
});

describe("the contacts themselves", () => {
  test("found closed open nothing and tell of nobody: only what moves does", async () => {
    const inputs = { passage: { passageSeconds: 5 }, "request-to-exit": {} };
    const bench = openGate({ accessPoints: [{ id: GATE, inputs }] });
    const button = bench.gateway.inputEvents(GATE, "request-to-exit");
    const passage = bench.gateway.inputEvents(GATE, "passage");
    for (const contact of [button, passage]) {
      contact.up({});
      contact.changed(true, bench.stamp());
    }
    await bench.clock.advance(60_000);
    expect(told(bench)).toEqual([]);
    expect(bench.gateway.inputStates()[GATE]).toMatchObject({
      passage: { state: "closed" },
      "request-to-exit": { state: "closed" },
    });
    expect(warnings(bench).map(({ message }) => message)).toEqual([
      "a contact was found closed",
      "a contact was found closed",
    ]);
    // Not after the device was away for a while either; a press is one.
    button.changed(false, bench.stamp());
    button.down("unplugged");
    button.up({});
    button.changed(true, bench.stamp());
    await bench.clock.advance(1_000);
    expect(told(bench)).toEqual([]);
    button.changed(false, bench.stamp());
    button.changed(true, bench.stamp());
    await bench.settle();
    expect(told(bench)).toEqual(["request-to-exit -"]);
  });

  test("tell when a cover is opened, and shut again", async () => {
    const bench = await gate();
    bench.touch(GATE, "tamper");
    expect(bench.dataOf("gateway").filter(({ event }) => event === "tamper")).toMatchObject([
      { accessPoint: GATE, active: true },
      { accessPoint: GATE, active: false },
    ]);
    expect(warnings(bench).map(({ message }) => message)).toEqual(["tamper"]);
  });

  test("that chatter are logged no more often than they are written down", async () => {
    const bench = await gate();
    const tamper = bench.gateway.inputEvents(GATE, "tamper");
    tamper.up({});
    for (let move = 0; move < 1_000; move += 1) tamper.changed(move % 2 === 0, bench.stamp());
    expect(warnings(bench)).toHaveLength(5);
    expect(bench.dataOf("gateway")).toHaveLength(10);
  });

  test("are shown as they stand, and missed when they are gone", async () => {
    const bench = await gate();
    const tamper = bench.gateway.inputEvents(GATE, "tamper");
    const state = () => bench.gateway.inputStates()[GATE]?.tamper?.state;
    expect(state()).toBe("starting");
    tamper.up({ model: "a contact" });
    expect(state()).toBe("open");
    tamper.changed(true, bench.stamp());
    expect(state()).toBe("closed");
    tamper.down("unplugged");
    expect(state()).toBe("down");
    tamper.up({});
    expect(state()).toBe("closed");
    expect(bench.dataOf("gateway").map(({ event, input }) => `${event} ${input ?? ""}`)).toEqual([
      "tamper ",
      "input-down tamper",
      "input-up tamper",
    ]);
    expect(openGate().gateway.inputStates()).toEqual({});
  });

  test("tell what was only counted when the gateway stops", async () => {
    const bench = await gate();
    for (let move = 0; move < 12; move += 1) bench.touch(GATE, "passage");
    await bench.gateway.stopped();
    expect(bench.dataOf("passage").at(-1)).toMatchObject({ count: 2 });
  });
});
