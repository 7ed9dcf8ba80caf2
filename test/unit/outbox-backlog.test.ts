/** Lines of the journal on their way to the broker: read a few at a time, sent in order, none left out. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ACKNOWLEDGED, Desk, entry, ids, SESSION } from "./outbox-desk.ts";

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

  test("and what taps held up is made up for: it goes as fast as without them", async () => {
    const desk = new Desk();
    await desk.open(100_000);
    desk.outbox.connected({ ...SESSION, receiveMaximum: 65_535 });
    for (let round = 0; round < 50; round++)
      for (desk.source.isWriting of [true, false]) await desk.clock.advance(30);
    expect(desk.published.length).toBeGreaterThan(17_400);
    expect(desk.published.length).toBeLessThanOrEqual(18_100);
    await desk.outbox.stop();
  });

  test("and leaves the loop a pause after each slice, also where sending takes longer than it may", async () => {
    const desk = new Desk();
    const { clock } = desk;
    const [now, after] = [clock.monotonicMs.bind(clock), clock.after.bind(clock)];
    let sendingMs = 0;
    const pausesMs: number[] = [];
    clock.monotonicMs = () => now() + sendingMs;
    clock.after = (ms, fire) => {
      if (ms <= 1) pausesMs.push(ms);
      return after(ms, fire);
    };
    desk.answer = () => {
      sendingMs += 0.2;
      return ACKNOWLEDGED;
    };
    await desk.open(2_000);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(200);
    expect(desk.published.length).toBeGreaterThan(1_000);
    // Before the first there was nothing to pause from.
    expect(Math.min(...pausesMs.slice(1))).toBeGreaterThan(0.99);
    await desk.outbox.stop();
  });

  test("that cannot be read waits, and is asked for once a minute", async () => {
    const desk = new Desk();
    desk.source.failsFrom = 1;
    await desk.open(3);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(600_000);
    expect(desk.source.reads.length).toBeLessThanOrEqual(11);
    expect(desk.log.messages("error")[0]).toMatch(/cannot be read/);
    desk.source.failsFrom = Number.POSITIVE_INFINITY;
    await desk.clock.advance(61_000);
    expect(desk.ids).toEqual(ids(1, 3));
    await desk.outbox.stop();
  });

  test("and cannot be read further on keeps nothing from being acknowledged that was read before", async () => {
    const desk = new Desk();
    desk.answer = null;
    desk.source.failsFrom = 25;
    await desk.open(1_000);
    desk.outbox.connected(SESSION);
    for (let ms = 0; ms < 200_000; ms += 10) {
      await desk.clock.advance(10);
      for (const { answer } of desk.published) answer(ACKNOWLEDGED);
    }
    expect(desk.ids).toEqual(ids(1, 24));
    expect(desk.outbox.state.acknowledgedSeq).toBe(24);
    desk.answer = () => ACKNOWLEDGED;
    desk.source.failsFrom = Number.POSITIVE_INFINITY;
    await desk.clock.advance(61_000);
    expect(desk.ids).toEqual(ids(1, 1_000));
    await desk.outbox.stop();
    await desk.clock.runUntilIdle(0);
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

  test("and damaged is not passed over before what waits in front of it", async () => {
    const desk = new Desk();
    desk.answer = null;
    desk.source.damaged = new Set(Array.from({ length: 30 }, (_, index) => 31 + index));
    await desk.open(60);
    desk.outbox.connected(SESSION);
    await desk.clock.advance(100);
    // The end of the journal is read by now; the broker has answered nothing.
    expect(desk.ids).toEqual(ids(1, 19));
    expect(desk.outbox.state.acknowledgedSeq).toBe(0);
    for (const { answer } of desk.published) answer(ACKNOWLEDGED);
    await desk.clock.advance(100);
    expect(desk.ids).toEqual(ids(1, 30));
    expect(desk.outbox.state.acknowledgedSeq).toBe(19);
    for (const { answer } of desk.published) answer(ACKNOWLEDGED);
    await desk.clock.advance(100);
    expect(desk.outbox.state).toEqual({ unsent: 0, acknowledgedSeq: 60, refused: null });
    await desk.outbox.stop();
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
