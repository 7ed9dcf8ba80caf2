/** How far the broker has acknowledged, on disk: after a start, and when its file or its disk is not well. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { CURSOR, Desk, entry, ids, SESSION } from "./outbox-desk.ts";

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
