import { describe, expect, test } from "vitest";
import { REFUSALS } from "../../daemon/broker/command.ts";
import { COMMANDS, PAYLOADS } from "../../daemon/broker/command-schema.ts";
import { ROW_EVENTS_MAX } from "../../daemon/gate/mailbox.ts";
import { REASONS } from "../../daemon/gate/reasons.ts";
import { EVENT_TYPES, eventOfLine, eventOfVolatile, GENESIS, hashLine } from "../../daemon/journal/record.ts";
import { PresenceDesk } from "../../daemon/presence/presence-desk.ts";
import { topicsOf } from "../../daemon/report/report.ts";
import type { ReaderNotice } from "../../drivers/driver.ts";
import type { SimClockOptions } from "../sim/clock.ts";
import { asyncApi } from "./asyncapi-document.ts";
import { credential, GatewayBench, listOf, listOfAll, misread, TOKEN } from "./gateway-bench.ts";

const NAMES = { prefix: "grindvakt", site: "slussen", gateway: "gate-07" };
const SENDER = { gateway: NAMES.gateway, site: NAMES.site };
const TOPICS = topicsOf({ ...NAMES, feed: "id06" });
const PIN = "4711*";
const SINCE = "2026-11-23T06:00:00.000Z";
const WHO = { by: "command", name: "anna" } as const;

// ---------------------------------------------------------------- the document

describe("the AsyncAPI document", () => {
  const examples = asyncApi.channels.flatMap(({ message, address }) =>
    message.examples.map(({ name, payload }) => ({ address, name, payload, message })),
  );

  test.each(examples)("its own example of $address, $name, is valid", ({ payload, message }) => {
    expect(message.faultsOf(payload)).toEqual([]);
  });

  test.each(asyncApi.channels)("takes nothing that is not written at $address", ({ message }) => {
    expect(message.examples.length).toBeGreaterThan(0);
    for (const { payload } of message.examples)
      expect(message.faultsOf({ ...(payload as object), surprise: 1 })).not.toEqual([]);
    expect(message.faultsOf(null)).not.toEqual([]);
    expect(message.faultsOf({})).not.toEqual([]);
  });

  test("has every type of event, on its own topic, at least once and not retained", () => {
    for (const type of EVENT_TYPES) {
      const channel = asyncApi.channelOf(TOPICS.event(type), NAMES);
      expect(channel?.message.eventType).toBe(type);
      expect(channel).toMatchObject({
        action: "send",
        qos: 1,
        retain: false,
        message: { contentType: "application/cloudevents+json" },
      });
    }
    const types = asyncApi.channels.flatMap(({ message }) => message.eventType ?? []);
    expect(types).toEqual([...EVENT_TYPES]);
  });

  test("has every topic of a gateway, and no other", () => {
    const states = [TOPICS.state, TOPICS.list, TOPICS.reader("north-in-1"), TOPICS.accessPoint("north-in")];
    const commands = COMMANDS.map(TOPICS.command);
    const sent = [...states, ...EVENT_TYPES.map(TOPICS.event), TOPICS.reply];
    const topics = [...sent, ...commands, TOPICS.announcement];
    expect(new Set(topics.map((topic) => asyncApi.channelOf(topic, NAMES)?.name)).size).toBe(topics.length);
    expect(asyncApi.channels.length).toBe(topics.length);
    for (const topic of states)
      expect(asyncApi.channelOf(topic, NAMES)).toMatchObject({ action: "send", retain: true });
    for (const topic of commands)
      expect(asyncApi.channelOf(topic, NAMES)).toMatchObject({ action: "receive", retain: false });
    expect(asyncApi.channelOf(TOPICS.announcement, NAMES)).toMatchObject({ action: "receive", retain: true });
    expect(asyncApi.channelOf(TOPICS.reply, NAMES)).toMatchObject({ action: "send", retain: false });
    for (const topic of ["grindvakt/slussen/gate-07/other", "grindvakt/slussen/gate-08/tap", "tap"])
      expect(asyncApi.channelOf(topic, NAMES)).toBeUndefined();
  });

  test.each(COMMANDS)("has the program's own schema of the command %s", (name) => {
    const documented = asyncApi.channelOf(TOPICS.command(name), NAMES)?.message.name ?? "";
    expect(written(asyncApi.schema(documented))).toEqual(PAYLOADS[name]);
  });

  /** A schema as the program has it: whole, and without words. */
  function written(schema: unknown): unknown {
    if (typeof schema !== "object" || schema === null) return schema;
    if (Array.isArray(schema)) return schema.map(written);
    const { description: _, $ref, ...rest } = schema as Record<string, unknown>;
    if (typeof $ref === "string") return written(asyncApi.schema($ref.slice($ref.lastIndexOf("/") + 1)));
    return Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, written(value)]));
  }

  test("has the program's refusals of commands", () => {
    expect(asyncApi.schema("refusal").enum).toEqual([...REFUSALS]);
  });

  test("has the program's reasons", () => {
    expect(asyncApi.schema("reason").enum).toEqual([...REASONS]);
  });

  test("holds the parts of an event together", () => {
    const tap = asyncApi.channels.find(({ name }) => name === "tap")!.message;
    const granted = tap.examples[0]!.payload as { data: object };
    const withData = (more: object) => ({ ...granted, data: { ...granted.data, ...more } });
    expect(tap.faultsOf(withData({}))).toEqual([]);
    for (const wrong of [
      { durable: false },
      { seq: null },
      { chain: "9f2a" },
      { granted: false },
      { reason: "expired" },
      { card: "BB1234567890" },
      { card: null },
      { credential: null },
      { credential: { kind: "token", assurance: "uid" } },
      { credential: { kind: "number", assurance: "number", uid: TOKEN } },
      { step: "why" },
      { uid: TOKEN },
      { step: "x".repeat(502) },
    ])
      expect(tap.faultsOf(withData(wrong)), JSON.stringify(wrong)).not.toEqual([]);
  });

  test("has a floor where the clock is not trusted, and only there", () => {
    const tap = asyncApi.channels.find(({ name }) => name === "tap")!.message;
    const granted = tap.examples[0]!.payload as { data: object };
    const faultsBy = (more: object) => {
      const clock = { trusted: true, boot: "boot-1", uptimeMs: 1, ...more };
      return tap.faultsOf(JSON.parse(JSON.stringify({ ...granted, data: { ...granted.data, clock } })));
    };
    expect(faultsBy({})).toEqual([]);
    expect(faultsBy({ trusted: false, floor: SINCE })).toEqual([]);
    for (const wrong of [
      { floor: SINCE },
      { trusted: false },
      { trusted: false, floor: null },
      { trusted: false, floor: 0 },
      { trusted: false, floor: "2026-11-23T07:00:00+01:00" },
      { trusted: undefined },
      { boot: undefined },
      { uptimeMs: -1 },
    ])
      expect(faultsBy(wrong), JSON.stringify(wrong)).not.toEqual([]);
  });

  test("has a count where readings were only counted, and only there", () => {
    const { message } = asyncApi.channels.find(({ name }) => name === "reader")!;
    const example = (name: string) =>
      message.examples.find((one) => one.name === name)!.payload as { data: Record<string, unknown> };
    for (const name of ["misreads", "dropped"]) {
      const event = example(name);
      for (const wrong of [{ count: 0 }, { count: null }, { why: "why" }, { model: null }])
        expect(message.faultsOf({ ...event, data: { ...event.data, ...wrong } })).not.toEqual([]);
      const { count: _count, ...uncounted } = event.data;
      expect(message.faultsOf({ ...event, data: uncounted })).not.toEqual([]);
    }
    const down = example("down");
    expect(message.faultsOf({ ...down, data: { ...down.data, count: 1 } })).not.toEqual([]);
  });
});

// ---------------------------------------------------------------- what the program sends

describe("events", () => {
  /** Everything that a gateway may have to say, for one reason or another. */
  async function eventfulDay(clock: SimClockOptions = {}): Promise<GatewayBench> {
    const bench = new GatewayBench({
      clock,
      accessPoints: [
        {
          id: "north-in",
          readers: ["in-1", "in-2"],
          passback: { mode: "report", resetMinutes: 60 },
          repeatSeconds: 0,
        },
        { id: "wired", inputs: { passage: { passageSeconds: 5 }, "request-to-exit": {}, tamper: {} } },
        { id: "no-relay", pulseMs: null, whenJournalFails: "deny" },
        { id: "strict", whenJournalFails: "deny" },
      ],
    });
    const { gateway } = bench;
    const relay = gateway.relayEvents("north-in");
    gateway.readerEvents("in-1").up({ model: "a reader" });
    gateway.readerEvents("in-2").up({});
    gateway.readerEvents("in-2").down("unplugged");
    for (let plug = 0; plug < 20; plug += 1) {
      gateway.readerEvents("strict-1").up({});
      gateway.readerEvents("strict-1").down("x".repeat(10_000));
    }
    const notices: ReaderNotice[] = [
      { kind: "tamper", active: true },
      { kind: "power", failed: true },
      { kind: "alarm", why: "x".repeat(10_000) },
      { kind: "commissioned" },
      { kind: "keys", digits: PIN },
      { kind: "inputs", active: [true] },
      ...Array.from({ length: 20 }, (): ReaderNotice => ({ kind: "tamper", active: false })),
    ];
    for (const notice of notices) gateway.readerEvents("in-1").notice?.(notice, bench.stamp());
    relay.up({});
    relay.down("unplugged");
    relay.up({});
    gateway.resume([{ accessPoint: "north-in", kind: "tap", id: "gate-07/1" }]);
    bench.presentNumber("in-1");
    await bench.settle();
    bench.useList(listOfAll());
    gateway.inputEvents("wired", "passage").down("unplugged");
    gateway.inputEvents("wired", "passage").up({});
    gateway.inputEvents("wired", "request-to-exit").up({});
    await bench.clock.advance(100);
    for (let press = 0; press < 70; press += 1) bench.touch("wired", "request-to-exit");
    await bench.settle();
    const wired = gateway.relayEvents("wired");
    wired.energised();
    for (let person = 0; person < 75; person += 1) bench.touch("wired", "passage");
    wired.released();
    for (let move = 0; move < 10; move += 1) bench.touch("wired", "tamper");
    bench.presentNumber("wired-1");
    await bench.settle();
    wired.energised();
    wired.released();
    gateway.listEvents.refused({ name: "unreachable", why: "nobody answers" });
    bench.presentNumber("in-1");
    await bench.settle();
    bench.presentNumber("in-2");
    await bench.settle();
    relay.energised();
    await bench.clock.advance(800);
    relay.released();
    bench.presentNumber("in-1");
    await bench.settle();
    relay.failed("it is stuck");
    bench.presentNumber("no-relay-1");
    for (const reason of ["removed-early", "unreadable", "wrong-type", "malformed"] as const)
      bench.present("in-1", misread(reason));
    for (let count = 0; count < ROW_EVENTS_MAX; count += 1) bench.present("in-1", misread("unreadable"));
    await bench.settle();
    gateway.readerEvents("in-2").down("x".repeat(10_000));
    bench.useList(listOf({ kind: "ambiguous" }, 121));
    bench.present("in-1", credential({ kind: "token", uid: TOKEN.slice(0, 6), part: "last" }, "uid-cut"));
    await bench.settle();
    bench.useList(listOfAll(122));
    bench.age = { freshness: "late", ageSeconds: null, refreshedAtMs: null };
    const passback = { mode: "off", resetMinutes: 720 } as const;
    const wiredGate = { id: "wired", direction: "entry", passback } as const;
    const place = { gateway: NAMES.gateway, workplaceId: "8112345678", accessPoints: [wiredGate] };
    const desk = new PresenceDesk(place, { ...bench, changed: () => undefined });
    const said = { card: "BB-1234-567890", accessPoint: "wired", when: null, why: "forgot", who: WHO };
    await desk.say({ ...said, event: "entered" });
    await desk.say({ ...said, event: "left" });
    bench.disk = "held";
    bench.presentNumber("strict-1");
    bench.presentNumber("no-relay-1", "BB-1234-567891");
    await bench.settle();
    for (const { settle } of bench.pending) settle({ kind: "failed", id: null });
    await bench.clock.advance(60_000);
    void gateway.stopped();
    return bench;
  }

  test.each([
    { by: "a clock that is trusted", clock: {} },
    { by: "a clock that never is", clock: { wallMs: 0, trustedAfterMs: Number.POSITIVE_INFINITY } },
  ])("by $by are as documented, whatever has happened, on disk or not", async ({ clock }) => {
    const { drafts } = await eventfulDay(clock);
    const told = new Set(drafts.map(({ type, data }) => `${type} ${data.event ?? data.reason}`));
    for (const what of [
      "grindvakt.tap.v1 list-missing",
      "grindvakt.tap.v1 granted",
      "grindvakt.passage.v1 opened",
      "grindvakt.passage.v1 failed",
      "grindvakt.passage.v1 withheld",
      "grindvakt.passage.v1 unknown",
      "grindvakt.passage.v1 passed",
      "grindvakt.passage.v1 not-passed",
      "grindvakt.passage.v1 passed-without-grant",
      "grindvakt.passage.v1 request-to-exit",
      "grindvakt.passage.v1 requests-ignored",
      "grindvakt.passage.v1 entered",
      "grindvakt.passage.v1 left",
      "grindvakt.gateway.v1 input-down",
      "grindvakt.gateway.v1 tamper",
      "grindvakt.gateway.v1 tamper-changes",
      "grindvakt.reader.v1 up",
      "grindvakt.reader.v1 down",
      "grindvakt.reader.v1 flapping",
      "grindvakt.reader.v1 misreads",
      "grindvakt.reader.v1 dropped",
      ...["tamper", "power", "alarm", "commissioned", "keys", "notices"].map(
        (event) => `grindvakt.reader.v1 ${event}`,
      ),
      "grindvakt.list.v1 in-force",
      "grindvakt.list.v1 refused",
      "grindvakt.gateway.v1 relay-down",
      "grindvakt.gateway.v1 relay-up",
      "grindvakt.gateway.v1 stopped",
    ])
      expect(told).toContain(what);
    expect(drafts.filter(({ data }) => data.pulse === "running").length).toBeGreaterThan(0);
    expect(drafts.filter(({ data }) => data.passback === "violated").length).toBeGreaterThan(0);
    expect(drafts.filter(({ data }) => data.event === "withheld" && data.pulseMs === null).length).toBe(1);
    for (const [index, draft] of drafts.entries()) {
      const line = { ...draft, seq: index + 1, prev: GENESIS, batch: 1 };
      const volatileId = `gate-07/boot-1/${index + 1}`;
      const events = [
        eventOfLine(line, hashLine("its line"), SENDER),
        eventOfLine({ ...line, id: volatileId }, hashLine("its line"), SENDER),
        eventOfVolatile(volatileId, draft, SENDER),
      ];
      for (const event of events) {
        const message = { topic: TOPICS.event(event.type), payload: JSON.stringify(event), retain: false };
        expect(asyncApi.faultsOfMessage(message, NAMES)).toEqual([]);
      }
    }
  });

  test("hold no token, and no key that was pressed", async () => {
    const { drafts } = await eventfulDay();
    expect(JSON.stringify(drafts)).not.toContain(TOKEN.slice(0, 6));
    expect(JSON.stringify(drafts)).not.toContain(PIN);
  });
});
