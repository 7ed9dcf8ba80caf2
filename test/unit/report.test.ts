import { describe, expect, test } from "vitest";
import { newReaderState } from "../../daemon/gate/reader-state.ts";
import { eventOfVolatile } from "../../daemon/journal/record.ts";
import {
  createReport,
  eventMessage,
  offlineMessage,
  type Report,
  stateMessages,
  topicsOf,
} from "../../daemon/report/report.ts";
import { ailment, listStatus, type Status } from "../../daemon/report/status.ts";
import type { Message, PublishOutcome } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";
import { asyncApi } from "./asyncapi-document.ts";
import { listOfAll } from "./gateway-bench.ts";

const NAMES = { prefix: "grindvakt", site: "slussen", gateway: "gate-07" };
const TOPICS = topicsOf({ ...NAMES, feed: "id06" });
const SINCE = "2026-11-23T06:00:00.000Z";

function statusOf(more: Partial<Status> = {}): Status {
  return {
    gateway: NAMES.gateway,
    site: NAMES.site,
    version: "0.1.0",
    boot: "boot-1",
    since: SINCE,
    clockTrusted: true,
    siteList: { blocked: 0, allowed: 0, fault: null },
    presence: { onSite: 0, overdue: 0, complete: true },
    relays: { "north-in": { state: "up", since: SINCE, why: null } },
    inputs: {},
    commands: {},
    list: listStatus(listOfAll(), { freshness: "fresh", ageSeconds: 35, refreshedAtMs: Date.parse(SINCE) }),
    readers: { "north-in-1": { ...newReaderState(SINCE), state: "up" } },
    accessPoints: [{ id: "north-in", direction: "entry", readers: ["north-in-1"] }],
    outbox: { unsent: 0, acknowledgedSeq: 0, refused: null },
    journal: { state: "well", headSeq: 0, bytes: 0, maxBytes: 2 ** 31, warning: false },
    broker: { state: "up", url: "mqtt://localhost", protocol: "5.0", why: null },
    ...more,
  };
}

class ReportBench {
  readonly clock = new SimClock();
  readonly published: { atMs: number; message: Message }[] = [];
  status = statusOf();
  outcome: PublishOutcome = { kind: "acknowledged" };
  /** What the broker takes to answer. */
  answerMs = 0;
  readonly report: Report;

  constructor() {
    const publish = async (message: Message): Promise<PublishOutcome> => {
      this.published.push({ atMs: this.clock.monotonicMs(), message });
      if (this.answerMs > 0) await new Promise<void>((done) => this.clock.after(this.answerMs, done));
      return this.outcome;
    };
    this.report = createReport({ clock: this.clock, publish }, () => stateMessages(TOPICS, this.status));
  }

  /** What was published since the last look. */
  take(): string[] {
    return this.published.splice(0).map(({ message }) => message.topic);
  }

  tap(): void {
    const reader = this.status.readers["north-in-1"]!;
    const taps = reader.taps + 1;
    this.status = { ...this.status, readers: { "north-in-1": { ...reader, taps } } };
    this.report.changed();
  }
}

const EVERYTHING = [TOPICS.state, TOPICS.list, TOPICS.reader("north-in-1")];

describe("retained states", () => {
  test("are as documented", async () => {
    const bench = new ReportBench();
    const statuses = [
      statusOf(),
      statusOf({
        list: listStatus(null, { freshness: "stale", ageSeconds: null, refreshedAtMs: null }),
        readers: {
          "north-in-1": { ...newReaderState(SINCE), state: "down", why: "unplugged", model: "a reader" },
          "north-in-2": newReaderState(SINCE),
        },
        outbox: { unsent: 7, acknowledgedSeq: 3, refused: "not authorised" },
        journal: { state: "failed", headSeq: 10, bytes: 10, maxBytes: 11, warning: true },
        clockTrusted: false,
      }),
    ];
    for (const status of statuses) {
      bench.status = status;
      bench.report.connected();
      await bench.clock.advance(1_000);
    }
    const messages = bench.published.map(({ message }) => message);
    expect(messages.length).toBe(3 + 4);
    for (const message of [...messages, offlineMessage(TOPICS, "0.1.0", "boot-1")])
      expect(asyncApi.faultsOfMessage(message, NAMES)).toEqual([]);
  });

  test("say what is so, each on its topic, retained; and the will who has gone", () => {
    const down = { state: "down", since: SINCE, why: "unplugged", model: "a reader" } as const;
    const status = statusOf({
      readers: {
        "north-in-1": { ...newReaderState(SINCE), ...down, taps: 5, misreads: 4, earlyRemovals: 3 },
        office: { ...newReaderState(SINCE), state: "up" },
      },
      list: {
        revision: 120,
        cards: 7,
        publishedAt: "2026-11-23T05:00:00.000Z",
        refreshedAt: SINCE,
        freshness: "late",
      },
      siteList: { blocked: 2, allowed: 1, fault: null },
      presence: { onSite: 41, overdue: 2, complete: false },
      inputs: { "north-in": { passage: { state: "open", since: SINCE, why: null } } },
      commands: { open: { state: "taken", why: null } },
      outbox: { unsent: 7, acknowledgedSeq: 3, refused: "not authorised" },
      journal: { state: "failed", headSeq: 10, bytes: 9, maxBytes: 11, warning: true },
      clockTrusted: false,
    });
    const told = (messages: readonly Message[]) =>
      messages.map(({ topic, payload, ...rest }) => ({ topic, payload: JSON.parse(payload), ...rest }));
    const how = { retain: true, contentType: "application/json" };
    const { list, siteList, presence, journal } = status;
    const whose = { version: "0.1.0", boot: "boot-1" };
    const base = "grindvakt/slussen/gate-07/state";
    const state = {
      state: "online",
      ...whose,
      since: SINCE,
      unsent: 7,
      refused: "not authorised",
      list,
      siteList,
    };
    const rooms = {
      presence,
      journal,
      clockTrusted: false,
      readers: { "north-in-1": "down", office: "up" },
      relays: { "north-in": "up" },
      inputs: { "north-in": { passage: "open" } },
      commands: { open: "taken" },
    };
    const counts = { taps: 5, misreads: 4, earlyRemovals: 3 };
    expect(told(stateMessages(TOPICS, status))).toEqual([
      { topic: base, payload: { ...state, ...rooms }, ...how },
      { topic: `${base}/list`, payload: list, ...how },
      {
        topic: `${base}/readers/north-in-1`,
        payload: { ...newReaderState(SINCE), ...down, ...counts },
        ...how,
      },
      { topic: `${base}/readers/office`, payload: { ...newReaderState(SINCE), state: "up" }, ...how },
    ]);
    expect(told([offlineMessage(TOPICS, "0.1.0", "boot-1")])).toEqual([
      { topic: base, payload: { state: "offline", ...whose }, ...how },
    ]);
  });

  test("come at each connection, all of them, changed or not", async () => {
    const bench = new ReportBench();
    for (let times = 0; times < 2; times += 1) {
      bench.report.connected();
      await bench.clock.advance(1_000);
      expect(bench.take()).toEqual(EVERYTHING);
      bench.report.disconnected();
    }
  });

  test("come when they change, and only those that did", async () => {
    const bench = new ReportBench();
    bench.report.connected();
    await bench.clock.advance(5_000);
    bench.take();
    bench.report.changed();
    await bench.clock.advance(1_000);
    expect(bench.take()).toEqual([]);
    bench.tap();
    await bench.clock.advance(0);
    expect(bench.take()).toEqual([TOPICS.reader("north-in-1")]);
  });

  test("come at most once a second, and the last change is never left out", async () => {
    const bench = new ReportBench();
    bench.report.connected();
    for (let tick = 0; tick < 500; tick += 1) {
      bench.tap();
      await bench.clock.advance(10);
    }
    await bench.clock.advance(1_000);
    const times = bench.published
      .filter(({ message }) => message.topic === TOPICS.reader("north-in-1"))
      .map(({ atMs }) => atMs);
    for (const [index, atMs] of times.entries())
      if (index > 0) expect(atMs - times[index - 1]!).toBeGreaterThanOrEqual(1_000);
    expect(times.length).toBeGreaterThanOrEqual(5);
    expect(JSON.parse(bench.published.at(-1)!.message.payload)).toMatchObject({ taps: 500 });
  });

  test("that change while a slow broker answers come soon after", async () => {
    const bench = new ReportBench();
    bench.answerMs = 2_000;
    bench.report.connected();
    await bench.clock.advance(5_000);
    bench.tap();
    await bench.clock.advance(2_000);
    expect(JSON.parse(bench.published.at(-1)!.message.payload)).toMatchObject({ taps: 1 });
  });

  test("notice by themselves that the list has grown old", async () => {
    const bench = new ReportBench();
    bench.report.connected();
    await bench.clock.advance(1_000);
    bench.take();
    bench.status = statusOf({ list: { ...bench.status.list, freshness: "late" } });
    await bench.clock.advance(10_000);
    expect(bench.take()).toEqual([TOPICS.state, TOPICS.list]);
  });

  test("are published again where the broker did not take them", async () => {
    const bench = new ReportBench();
    bench.outcome = { kind: "refused", why: "not authorised" };
    bench.report.connected();
    await bench.clock.advance(1_000);
    expect(bench.take()).toEqual(EVERYTHING);
    bench.outcome = { kind: "acknowledged" };
    await bench.clock.advance(10_000);
    expect(bench.take()).toEqual(EVERYTHING);
    await bench.clock.advance(60_000);
    expect(bench.take()).toEqual([]);
  });

  // Nobody knows which of the two the broker keeps then: a state that had gone back to what it was stood wrong for ever.
  test("are published again where it was never heard whether the broker took them, even as they were before", async () => {
    const bench = new ReportBench();
    bench.report.connected();
    await bench.clock.advance(2_000);
    bench.take();
    bench.outcome = { kind: "lost", why: "no answer in 10 s" };
    bench.status = statusOf({ outbox: { unsent: 1, acknowledgedSeq: 0, refused: null } });
    bench.report.changed();
    await bench.clock.advance(2_000);
    expect(bench.take()).toEqual([TOPICS.state]);
    bench.outcome = { kind: "acknowledged" };
    bench.status = statusOf();
    bench.report.changed();
    await bench.clock.advance(2_000);
    const messages = bench.published.map(({ message }) => message);
    expect(messages.map(({ topic }) => topic)).toEqual([TOPICS.state]);
    expect(JSON.parse(messages[0]!.payload)).toMatchObject({ unsent: 0 });
    await bench.clock.advance(60_000);
    expect(bench.published.length).toBe(1);
  });

  // A broker that comes up while the gateway stops must not hear "online" after the last word, "offline".
  test("are not published after the end, whoever connects", async () => {
    const bench = new ReportBench();
    bench.report.stop();
    bench.report.connected();
    bench.report.changed();
    await bench.clock.advance(20_000);
    expect(bench.take()).toEqual([]);
  });

  test("are not published while disconnected or after the end", async () => {
    const bench = new ReportBench();
    bench.tap();
    await bench.clock.advance(20_000);
    bench.report.connected();
    bench.report.disconnected();
    bench.tap();
    await bench.clock.advance(20_000);
    bench.report.connected();
    bench.report.stop();
    bench.tap();
    await bench.clock.advance(20_000);
    expect(bench.take()).toEqual([]);
  });
});

test.each([
  ["tap", "grindvakt.tap.v1"],
  ["passage", "grindvakt.passage.v1"],
  ["reader", "grindvakt.reader.v1"],
  ["list", "grindvakt.list.v1"],
  ["gateway", "grindvakt.gateway.v1"],
] as const)(
  "on %s goes each event of its type, as CloudEvents have it, and is not retained",
  (name, type) => {
    const draft = { type, subject: "north-in", time: SINCE, data: {} };
    const event = eventOfVolatile("gate-07/boot-1/1", draft, NAMES);
    expect(eventMessage(TOPICS, event)).toEqual({
      topic: `grindvakt/slussen/gate-07/${name}`,
      payload: JSON.stringify(event),
      retain: false,
      contentType: "application/cloudevents+json",
    });
  },
);

test("a list's state tells when it was published and when it was last refreshed, or that there is none", () => {
  const at = (minute: number) => Date.parse(SINCE) + minute * 60_000;
  const list = { ...listOfAll(121), publishedAtMs: at(1) };
  expect(listStatus(list, { freshness: "late", ageSeconds: 900, refreshedAtMs: at(2) })).toEqual({
    revision: 121,
    cards: 1_000,
    publishedAt: "2026-11-23T06:01:00.000Z",
    refreshedAt: "2026-11-23T06:02:00.000Z",
    freshness: "late",
  });
  expect(listStatus(null, { freshness: "stale", ageSeconds: null, refreshedAtMs: null })).toEqual({
    revision: null,
    cards: 0,
    publishedAt: null,
    refreshedAt: null,
    freshness: "stale",
  });
});

describe("why the gate cannot do its work", () => {
  const reader = newReaderState(SINCE);
  const up = { ...reader, state: "up" as const };
  const down = { ...reader, state: "down" as const };
  const twoGates = [
    { id: "in", direction: "entry" as const, readers: ["a", "b"] },
    { id: "out", direction: "exit" as const, readers: ["c"] },
  ];
  const none = listStatus(null, { freshness: "stale", ageSeconds: null, refreshedAtMs: null });

  test.each([
    ["all is well", statusOf(), null],
    ["no list", statusOf({ list: none }), "no verified card list is in force"],
    ["a reader is being opened", statusOf({ readers: { "north-in-1": reader } }), "readers are being opened"],
    [
      "one of three is being opened",
      statusOf({ readers: { a: up, b: up, c: reader }, accessPoints: twoGates }),
      "readers are being opened",
    ],
    [
      "one of two at a gate works",
      statusOf({ readers: { a: down, b: up, c: down }, accessPoints: twoGates }),
      null,
    ],
    ["one of three works", statusOf({ readers: { a: down, b: down, c: up }, accessPoints: twoGates }), null],
    [
      "none works",
      statusOf({ readers: { a: down, b: down, c: down }, accessPoints: twoGates }),
      "no access point has a reader that is up",
    ],
  ])("%s", (_name, status, why) => {
    expect(ailment(status)).toBe(why);
  });
});
