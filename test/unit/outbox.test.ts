import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Outbox, type OutboxSource } from "../../daemon/broker/outbox.ts";
import type { Batch } from "../../daemon/journal/journal-reader.ts";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import { type CloudEvent, GENESIS, type Line } from "../../daemon/journal/record.ts";
import { createFiles } from "../../drivers/files.ts";
import type { BrokerSession, PublishOutcome } from "../../drivers/ports.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";

const CURSOR = "/data/outbox.json";
const SESSION: BrokerSession = {
  url: "mqtt://broker",
  protocol: "5.0",
  receiveMaximum: 20,
  maximumPacketSizeBytes: 1e6,
};

function entry(seq: number): Entry {
  const line: Line = {
    seq,
    prev: GENESIS,
    batch: seq,
    type: "grindvakt.tap.v1",
    subject: "in",
    time: "2026-11-22T06:58:12.345Z",
    data: { n: seq },
  };
  return { line, chain: GENESIS };
}

/** A journal of numbers: up to `headSeq`, without those that are `damaged`. Reads are answered when they are let. */
class Source implements OutboxSource {
  headSeq = 0;
  isWriting = false;
  damaged = new Set<number>();
  acknowledged = 0;
  reads: { fromSeq: number; countMax: number }[] = [];
  readsAtOnce = 0;
  readsAtOnceMax = 0;
  /** Awaited before each answer. */
  gate: Promise<void> = Promise.resolve();
  fails = false;

  async entriesFrom(fromSeq: number, countMax: number): Promise<Batch> {
    // As a journal does: what is read is bounded by what was there when it was asked.
    const headSeq = this.headSeq;
    this.reads.push({ fromSeq, countMax });
    this.readsAtOnce += 1;
    this.readsAtOnceMax = Math.max(this.readsAtOnceMax, this.readsAtOnce);
    await this.gate;
    this.readsAtOnce -= 1;
    if (this.fails) throw new Error("EIO");
    const entries: Entry[] = [];
    let seq = fromSeq;
    for (; seq <= headSeq && entries.length < countMax; seq++)
      if (!this.damaged.has(seq)) entries.push(entry(seq));
    return { entries, throughSeq: seq - 1 };
  }

  acknowledge(seq: number): void {
    this.acknowledged = seq;
  }
}

interface Publication {
  event: CloudEvent;
  answer(outcome: PublishOutcome): void;
}

const ACKNOWLEDGED: PublishOutcome = { kind: "acknowledged" };

const record = (n: number) => ({
  id: `gate-07/boot/${n}`,
  draft: {
    type: "grindvakt.tap.v1" as const,
    subject: "in",
    time: "2026-11-22T06:58:12.345Z",
    data: { n },
  },
});

/** An outbox, and a broker that answers when the test says so, or at once. */
class Desk {
  readonly clock = new SimClock();
  readonly log = new SimLog();
  readonly disk: SimDisk;
  readonly source = new Source();
  readonly outbox: Outbox;
  readonly published: Publication[] = [];
  /** Answers by itself, unless null. */
  answer: ((event: CloudEvent) => PublishOutcome) | null = () => ACKNOWLEDGED;

  constructor(disk = new SimDisk()) {
    this.disk = disk;
    disk.put("/data/made-by-the-house", "");
    this.outbox = new Outbox(
      { cursorPath: CURSOR, sender: { gateway: "gate-07", site: "slussen" } },
      {
        clock: this.clock,
        random: new SimRandom(1),
        files: createFiles(disk, new SimRandom(2)),
        log: this.log,
        publish: (event) => this.#publish(event),
      },
      () => undefined,
    );
  }

  async open(headSeq: number): Promise<number> {
    const acknowledgedSeq = await this.outbox.load();
    this.source.headSeq = headSeq;
    this.outbox.start(this.source);
    return acknowledgedSeq;
  }

  get ids(): string[] {
    return this.published.map(({ event }) => event.id);
  }

  cursor(): unknown {
    const bytes = this.disk.durable(CURSOR);
    return bytes === null ? null : JSON.parse(Buffer.from(bytes).toString()).acknowledged;
  }

  #publish(event: CloudEvent): Promise<PublishOutcome> {
    const outcome = this.answer?.(event);
    return new Promise<PublishOutcome>((resolve) => {
      this.published.push({ event, answer: resolve });
      if (outcome !== undefined) resolve(outcome);
    });
  }
}

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `gate-07/${from + index}`);
}

describe("what is in the journal", () => {
  test("goes in order, and the cursor is written a second later, when the broker has it", async () => {
    const desk = new Desk();
    await desk.open(5);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(500);
    expect(desk.ids).toEqual(ids(1, 5));
    expect(desk.outbox.state).toEqual({ unsent: 0, acknowledgedSeq: 5, refused: null });
    expect([desk.cursor(), desk.source.acknowledged]).toEqual([null, 0]);
    await desk.clock.advance(1_000);
    expect([desk.cursor(), desk.source.acknowledged]).toEqual([5, 5]);
    const ios = desk.disk.ios;
    await desk.clock.advance(60_000);
    expect(desk.disk.ios).toBe(ios);
    await desk.clock.runUntilIdle(0);
    await desk.outbox.stop();
  });

  test("waits for the connection, and asks nothing of the journal until then", async () => {
    const desk = new Desk();
    await desk.open(1_000);
    desk.outbox.synced([entry(1_000)]);
    await desk.clock.advance(3_600_000);
    expect([desk.published.length, desk.source.reads.length]).toEqual([0, 0]);
    expect(desk.outbox.state.unsent).toBe(1_000);
    await desk.outbox.stop();
    await desk.clock.runUntilIdle(0);
  });

  test("is read a little at a time, each line once, however long the backlog", async () => {
    const desk = new Desk();
    await desk.open(100_000);
    desk.outbox.connected({ ...SESSION, receiveMaximum: 65_535 });
    await desk.clock.advance(12_000);
    // Six a millisecond, so that the loop has time for cards; a few were on their way when it was looked at.
    expect(desk.published.length).toBeGreaterThan(71_000);
    expect(desk.published.length).toBeLessThanOrEqual(72_100);
    await desk.clock.advance(6_000);
    expect(desk.ids).toEqual(ids(1, 100_000));
    expect(desk.cursor()).toBe(100_000);
    expect(desk.source.reads.length).toBeLessThanOrEqual(100_000 / 24 + 2);
    expect(Math.max(...desk.source.reads.map(({ countMax }) => countMax))).toBeLessThanOrEqual(24);
    await desk.outbox.stop();
  });

  test("and long gives way to what is being written, though not for ever; what is short does not", async () => {
    const desk = new Desk();
    desk.answer = null;
    await desk.open(1_000);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(20);
    const windowMax = desk.published.length;
    const answerAll = async (): Promise<void> => {
      for (const { answer } of desk.published) answer(ACKNOWLEDGED);
      await desk.clock.advance(20);
    };
    desk.source.isWriting = true;
    await answerAll();
    expect(desk.published.length).toBe(windowMax);
    // A disk that does not answer.
    await desk.clock.advance(100);
    expect(desk.published.length).toBe(2 * windowMax);

    desk.source.isWriting = false;
    desk.outbox.synced([]);
    while (desk.published.length < 1_000 - windowMax) await answerAll();
    desk.source.isWriting = true;
    while (desk.published.length < 1_000) await answerAll();
    expect(desk.ids).toEqual(ids(1, 1_000));
  });

  test("that cannot be read waits, and is asked for once a minute", async () => {
    const desk = new Desk();
    desk.source.fails = true;
    await desk.open(3);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(600_000);
    expect(desk.source.reads.length).toBeLessThanOrEqual(11);
    expect(desk.log.messages("error")[0]).toMatch(/cannot be read/);
    desk.source.fails = false;
    await desk.clock.advance(61_000);
    expect(desk.ids).toEqual(ids(1, 3));
    await desk.outbox.stop();
  });

  test("and damaged is passed over, but never what comes after it or arrives meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 400 })),
        fc.array(fc.nat(150), { maxLength: 6 }),
        async (damaged, arrivals) => {
          const desk = new Desk();
          desk.source.damaged = new Set(damaged);
          await desk.open(200);
          let open = () => undefined as unknown;
          desk.source.gate = new Promise((go) => {
            open = () => go();
          });
          desk.outbox.connected(SESSION);
          await desk.clock.advance(1);
          for (const count of arrivals) {
            // They come while the journal is being read.
            desk.source.headSeq += count;
            desk.outbox.synced([]);
            open();
            await desk.clock.advance(1);
          }
          open();
          await desk.clock.advance(2_000);
          const left = Array.from({ length: desk.source.headSeq }, (_, index) => index + 1);
          expect(desk.ids).toEqual(
            left.filter((seq) => !desk.source.damaged.has(seq)).map((seq) => `gate-07/${seq}`),
          );
          expect(desk.outbox.state.unsent).toBe(0);
          expect(desk.cursor()).toBe(desk.source.headSeq);
          await desk.outbox.stop();
        },
      ),
      { numRuns: 100 },
    );
  });

  test("is never read twice at once, and nothing is passed over, when the connection breaks while it is read", async () => {
    const desk = new Desk();
    await desk.open(300);
    for (let round = 0; round < 20; round++) {
      let open = () => undefined as unknown;
      desk.source.gate = new Promise((go) => {
        open = () => go();
      });
      desk.outbox.connected(SESSION);
      await desk.clock.advance(1);
      desk.outbox.disconnected();
      desk.outbox.connected(SESSION);
      await desk.clock.advance(1);
      if (round % 3 === 0) desk.outbox.disconnected();
      open();
      await desk.clock.advance(1);
    }
    desk.outbox.connected(SESSION);
    await desk.clock.advance(5_000);
    expect(desk.source.readsAtOnceMax).toBe(1);
    expect([...new Set(desk.ids)]).toEqual(ids(1, 300));
    await desk.outbox.stop();
  });
});

describe("answers", () => {
  test("in any order move the cursor only past what was taken, all of it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 1 }), async (order) => {
        const desk = new Desk();
        desk.answer = null;
        await desk.open(8);
        desk.outbox.connected(SESSION);
        await desk.clock.advance(1);
        expect(desk.ids).toEqual(ids(1, 8));
        for (const index of order) desk.published[index]?.answer(ACKNOWLEDGED);
        await desk.clock.advance(5_000);
        let passed = 0;
        while (order.includes(passed)) passed += 1;
        expect(desk.outbox.state.acknowledgedSeq).toBe(passed);
        expect(desk.cursor()).toBe(passed === 0 ? null : passed);
        await desk.outbox.stop();
      }),
      { numRuns: 60 },
    );
  });

  test("that do not come: no more is sent than the broker takes at once, less one for the states", async () => {
    for (const [receiveMaximum, most] of [
      [1, 1],
      [2, 1],
      [20, 19],
      [65_535, 128],
    ] as const) {
      const desk = new Desk();
      desk.answer = null;
      await desk.open(1_000);
      desk.outbox.connected({ ...SESSION, receiveMaximum });
      await desk.clock.advance(60_000);
      expect(desk.published.length).toBe(most);
      await desk.outbox.stop();
    }
  });

  test("`lost` send again from the first that was not taken, after a second", async () => {
    const desk = new Desk();
    desk.answer = null;
    await desk.open(4);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(1);
    desk.published[0]?.answer(ACKNOWLEDGED);
    desk.published[1]?.answer({ kind: "lost", why: "no answer" });
    for (const late of [2, 3]) desk.published[late]?.answer(ACKNOWLEDGED);
    await desk.clock.advance(900);
    expect(desk.published.length).toBe(4);
    desk.answer = () => ACKNOWLEDGED;
    await desk.clock.advance(200);
    expect(desk.ids.slice(4)).toEqual(ids(2, 4));
    await desk.outbox.stop();
  });

  test("of an older round still count against what the broker takes at once", async () => {
    const desk = new Desk();
    desk.answer = null;
    await desk.open(50);
    desk.outbox.connected({ ...SESSION, receiveMaximum: 5 });
    await desk.clock.advance(20);
    desk.published[0]?.answer({ kind: "refused", why: "quota exceeded" });
    await desk.clock.advance(120_000);
    expect(desk.published.length).toBe(4);
    expect(desk.outbox.state.refused).toBe("quota exceeded");
    for (const { answer } of desk.published.slice(1, 4)) answer(ACKNOWLEDGED);
    await desk.clock.advance(120_000);
    expect(desk.ids.slice(4)).toEqual(["gate-07/1"]);
    await desk.outbox.stop();
  });
});

describe("what is not on disk", () => {
  test("goes after all that is, one at a time, and again under its id once it has been written", async () => {
    const desk = new Desk();
    await desk.open(3);
    for (const n of [1, 2]) desk.outbox.volatile(record(n));
    expect(desk.outbox.state.unsent).toBe(5);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(10);
    expect(desk.ids).toEqual([...ids(1, 3), "gate-07/boot/1", "gate-07/boot/2"]);
    expect(desk.published.at(-1)?.event.data).toMatchObject({ seq: null, durable: false });
    const { line, chain } = entry(4);
    desk.source.headSeq = 4;
    desk.source.entriesFrom = async () => ({
      entries: [{ line: { ...line, id: "gate-07/boot/1" }, chain }],
      throughSeq: 4,
    });
    desk.outbox.synced([]);
    await desk.clock.advance(10);
    expect(desk.published.at(-1)?.event).toMatchObject({
      id: "gate-07/boot/1",
      data: { seq: 4, durable: true },
    });
    await desk.outbox.stop();
  });

  test("and was written before it could be sent goes once, the way of the journal", async () => {
    const desk = new Desk();
    await desk.open(0);
    desk.outbox.volatile(record(1));
    desk.outbox.volatile(record(2));
    const { line, chain } = entry(1);
    desk.outbox.synced([{ line: { ...line, id: record(1).id }, chain }]);
    expect(desk.outbox.state.unsent).toBe(1);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(10);
    expect(desk.ids).toEqual([record(2).id]);
    await desk.outbox.stop();
  });

  test("is bounded: the oldest go first", async () => {
    const desk = new Desk();
    await desk.open(0);
    for (let n = 1; n <= 20_010; n++) desk.outbox.volatile(record(n));
    expect(desk.outbox.state.unsent).toBe(20_000);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(10);
    expect(desk.ids.length).toBe(20_000);
    expect(desk.ids[0]).toBe("gate-07/boot/11");
    await desk.outbox.stop();
  });

  test("and is refused stays first, too", async () => {
    const desk = new Desk();
    desk.answer = () => ({ kind: "refused", why: "not authorized" });
    await desk.open(0);
    for (const n of [1, 2]) desk.outbox.volatile(record(n));
    desk.outbox.connected(SESSION);
    await desk.clock.advance(60_000);
    expect(new Set(desk.ids)).toEqual(new Set(["gate-07/boot/1"]));
    expect(desk.ids.length).toBeLessThan(10);
    expect(desk.outbox.state).toMatchObject({ unsent: 2, refused: "not authorized" });
    await desk.outbox.stop();
  });
});

describe("the cursor's file", () => {
  async function savedAt(seq: number): Promise<Desk> {
    const desk = new Desk();
    await desk.open(seq);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(2_000);
    await desk.outbox.stop();
    expect(desk.cursor()).toBe(seq);
    return desk;
  }

  test("that is missing: everything is sent", async () => {
    const desk = new Desk();
    expect(await desk.open(3)).toBe(0);
    expect(desk.log.lines).toEqual([]);
    await desk.outbox.stop();
  });

  test("that is whole: sending goes on after it", async () => {
    const { disk } = await savedAt(40);
    const desk = new Desk(disk);
    expect(await desk.open(42)).toBe(40);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(10);
    expect(desk.ids).toEqual(ids(41, 42));
    await desk.outbox.stop();
  });

  test("with any bit changed counts as none, and that is said", async () => {
    const { disk } = await savedAt(1_234);
    const sizeBytes = disk.seen(CURSOR)?.length ?? 0;
    for (let offset = 0; offset < sizeBytes; offset++) {
      const spoilt = disk.crash("keep");
      spoilt.flipBit(CURSOR, offset);
      const desk = new Desk(spoilt);
      expect(await desk.outbox.load()).toBe(0);
      expect(desk.log.messages("warn")).toEqual([
        "the outbox's cursor cannot be read: events are sent again",
      ]);
    }
  });

  test("of any content, or that cannot be read, counts as none", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (content) => {
        const desk = new Desk();
        desk.disk.put(CURSOR, content);
        expect(await desk.outbox.load()).toBe(0);
      }),
    );
    const desk = new Desk((await savedAt(5)).disk);
    desk.disk.faultOf = () => "EIO";
    expect(await desk.outbox.load()).toBe(0);
  });

  test("ahead of the journal: nothing is sent until the journal has passed it", async () => {
    const { disk } = await savedAt(40);
    const desk = new Desk(disk);
    await desk.open(40);
    desk.source.headSeq = 30;
    desk.outbox.connected(SESSION);
    await desk.clock.advance(1_000);
    expect(desk.outbox.state.unsent).toBe(0);
    desk.source.headSeq = 41;
    desk.outbox.synced([entry(41)]);
    await desk.clock.advance(10);
    expect(desk.ids).toEqual(["gate-07/41"]);
    await desk.outbox.stop();
  });

  test("on a disk that fails: said once, tried again, and the journal hears only of what is written", async () => {
    const desk = new Desk();
    await desk.open(3);
    desk.disk.faultOf = ({ kind }) => (kind === "sync" ? "EIO" : null);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(10_000);
    expect(desk.log.messages("warn").length).toBe(1);
    expect([desk.cursor(), desk.source.acknowledged, desk.outbox.state.acknowledgedSeq]).toEqual([
      null,
      0,
      3,
    ]);
    desk.disk.faultOf = () => null;
    await desk.clock.advance(2_000);
    expect([desk.cursor(), desk.source.acknowledged]).toEqual([3, 3]);
    await desk.outbox.stop();
  });

  test("on a disk that does not answer: a stop ends within two seconds, with no timer left", async () => {
    const clock = new SimClock();
    const disk = new SimDisk({ clock });
    const desk = new Desk(disk);
    await desk.open(3);
    disk.latencyMsOf = () => 3_600_000_000;
    desk.outbox.connected(SESSION);
    await desk.clock.advance(5_000);
    let isStopped = false;
    void desk.outbox.stop().then(() => {
      isStopped = true;
    });
    await desk.clock.advance(2_000);
    expect(isStopped).toBe(true);
    await desk.clock.runUntilIdle(0);
  });
});

test("a broker that comes after the stop is sent nothing, least of all without a pause", async () => {
  const desk = new Desk();
  await desk.open(3);
  await desk.outbox.stop();
  // Over and over it would never come to the third.
  desk.answer = () => {
    if (desk.published.length > 2) desk.answer = null;
    return { kind: "lost", why: "stopped" };
  };
  desk.outbox.connected(SESSION);
  await desk.clock.advance(2_000);
  expect(desk.ids).toEqual([]);
});

describe("what is sent again", () => {
  /** Everything up to `headSeq` is with the broker. */
  async function caughtUp(headSeq: number): Promise<Desk> {
    const desk = new Desk();
    await desk.open(headSeq);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(2_000);
    desk.published.length = 0;
    return desk;
  }

  test("comes in order under its ids, and the cursor knows nothing of it", async () => {
    const desk = await caughtUp(1_000);
    const ios = desk.disk.ios;
    const resent = desk.outbox.resend(100, 400);
    await desk.clock.advance(2_000);
    expect(await resent).toEqual({ sent: 301, why: null });
    expect(desk.ids).toEqual(ids(100, 400));
    expect(desk.outbox.state).toEqual({ unsent: 0, acknowledgedSeq: 1_000, refused: null });
    expect([desk.disk.ios, desk.cursor()]).toEqual([ios, 1_000]);
    await desk.outbox.stop();
  });

  test("waits for what is new, and never takes more of the window than that leaves", async () => {
    const desk = await caughtUp(200);
    desk.answer = null;
    const resent = desk.outbox.resend(1, 100);
    await desk.clock.advance(100);
    expect(desk.ids).toEqual(ids(1, 19));
    desk.source.headSeq = 230;
    desk.outbox.synced([entry(230)]);
    for (const { answer } of desk.published.splice(0)) answer(ACKNOWLEDGED);
    await desk.clock.advance(100);
    expect(desk.ids).toEqual(ids(201, 219));
    desk.answer = () => ACKNOWLEDGED;
    for (const { answer } of desk.published.splice(0)) answer(ACKNOWLEDGED);
    await desk.clock.advance(100);
    expect(desk.ids).toEqual([...ids(220, 230), ...ids(20, 100)]);
    expect(await resent).toEqual({ sent: 100, why: null });
    expect(desk.outbox.state.acknowledgedSeq).toBe(230);
    await desk.outbox.stop();
  });

  test("leaves the broker no message too many where an event that is on no disk comes beside it", async () => {
    const desk = await caughtUp(200);
    desk.answer = null;
    const resent = desk.outbox.resend(1, 20);
    await desk.clock.advance(100);
    desk.outbox.volatile(record(1));
    await desk.clock.advance(100);
    expect(desk.ids).toEqual(ids(1, 19));
    desk.published[0]?.answer(ACKNOWLEDGED);
    await desk.clock.advance(100);
    expect(desk.ids.at(-1)).toBe(record(1).id);
    desk.answer = () => ACKNOWLEDGED;
    for (const { answer } of desk.published.slice(1)) answer(ACKNOWLEDGED);
    await desk.clock.advance(100);
    expect(await resent).toEqual({ sent: 20, why: null });
    await desk.outbox.stop();
  });

  test("is nothing that was not acknowledged, damaged or not there", async () => {
    const desk = await caughtUp(10);
    desk.source.damaged = new Set([3, 4]);
    const resent = desk.outbox.resend(2, 5_000);
    await desk.clock.advance(100);
    expect(await resent).toEqual({ sent: 7, why: null });
    const none = desk.outbox.resend(11, 20);
    await desk.clock.advance(100);
    expect(await none).toEqual({ sent: 0, why: null });
    expect(desk.ids).toEqual([...ids(2, 2), ...ids(5, 10)]);
    await desk.outbox.stop();
  });

  test("ends with the connection, a refusal, or a disk that cannot be read; what is new goes on", async () => {
    const desk = await caughtUp(100);
    desk.answer = null;
    const lost = desk.outbox.resend(1, 50);
    await desk.clock.advance(100);
    expect(await desk.outbox.resend(1, 50)).toMatchObject({
      sent: 0,
      why: expect.stringContaining("under way"),
    });
    desk.outbox.disconnected();
    for (const { answer } of desk.published.splice(0)) answer({ kind: "lost", why: "gone" });
    expect(await lost).toEqual({ sent: 0, why: "the connection to the broker ended" });
    expect(await desk.outbox.resend(1, 2)).toMatchObject({
      sent: 0,
      why: expect.stringContaining("no connection"),
    });
    desk.outbox.connected(SESSION);
    desk.answer = ({ id }) =>
      id === "gate-07/2" ? { kind: "refused", why: "quota exceeded" } : ACKNOWLEDGED;
    const refused = desk.outbox.resend(1, 2);
    await desk.clock.advance(100);
    expect(await refused).toEqual({ sent: 1, why: "quota exceeded" });
    desk.source.fails = true;
    const unread = desk.outbox.resend(1, 2);
    await desk.clock.advance(100);
    expect(await unread).toEqual({ sent: 0, why: "the journal cannot be read: EIO" });
    desk.source.fails = false;
    desk.source.headSeq = 101;
    desk.outbox.synced([entry(101)]);
    await desk.clock.advance(100);
    expect(desk.outbox.state).toEqual({ unsent: 0, acknowledgedSeq: 101, refused: null });
    await desk.outbox.stop();
  });
});
