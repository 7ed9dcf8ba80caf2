/** Events that the journal could not write: sent from memory, and again under their id once it has. */
import { describe, expect, test } from "vitest";
import { Desk, entry, ids, record, SESSION } from "./outbox-desk.ts";

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
