/** What the centre asks for again: beside what is new, and never in its place. */
import { describe, expect, test } from "vitest";
import { ACKNOWLEDGED, Desk, entry, ids, record, SESSION } from "./outbox-desk.ts";

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
    desk.source.failsFrom = 1;
    const unread = desk.outbox.resend(1, 2);
    await desk.clock.advance(100);
    expect(await unread).toEqual({ sent: 0, why: "the journal cannot be read: EIO" });
    desk.source.failsFrom = Number.POSITIVE_INFINITY;
    desk.source.headSeq = 101;
    desk.outbox.synced([entry(101)]);
    await desk.clock.advance(100);
    expect(desk.outbox.state).toEqual({ unsent: 0, acknowledgedSeq: 101, refused: null });
    await desk.outbox.stop();
  });
});
