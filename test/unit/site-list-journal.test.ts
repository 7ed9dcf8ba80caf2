/** How the changes of the site's own list come into the journal, and a list that is lost comes back from there. */
import { describe, expect, it } from "vitest";
import type { Settlement } from "../../daemon/journal/journal.ts";
import { decodeLine, GENESIS, type Line } from "../../daemon/journal/record.ts";
import { SimDisk } from "../sim/disk.ts";
import type { CrashPolicy } from "../sim/disk-nodes.ts";
import { SimRandom } from "../sim/random.ts";
import { asyncApi } from "./asyncapi-document.ts";
import { A, B, deskOn, FILE, HOUR_MS, request } from "./site-list-bench.ts";

/** A journal of which every line that was handed over is known, and which may fail or never answer. */
class Row {
  readonly lines: Record<string, unknown>[] = [];
  kind: "synced" | "failed" = "synced";
  readonly append = (data: Readonly<Record<string, unknown>>): Promise<Settlement> => {
    if (this.kind === "synced") this.lines.push(data);
    return Promise.resolve({ kind: this.kind, id: `gate-07/${this.lines.length}` });
  };
}

describe("the journal", () => {
  it("has each change once, those of a stopped gateway first, with who and when, as documented", async () => {
    const disk = new SimDisk();
    const stopped = await deskOn(disk);
    await stopped.desk.change(request({ until: "2026-12-24", why: "lost" }));
    await stopped.desk.change(request({ event: "site-unblocked" }));

    const row = new Row();
    const { desk } = await deskOn(disk);
    desk.startJournaling(row.append);
    await desk.change(request({ event: "site-allowed", until: "2026-12-24T18:00:00+01:00" }));
    await desk.stop();
    expect(row.lines).toEqual([
      {
        event: "site-blocked",
        card: A,
        until: "2026-12-24",
        why: "lost",
        who: { by: "command", name: "anna" },
        at: "2026-11-23T06:00:00.000Z",
        atTrusted: true,
      },
      expect.objectContaining({ event: "site-unblocked", until: null, why: null }),
      expect.objectContaining({ event: "site-allowed", until: "2026-12-24T17:00:00.000Z" }),
    ]);
    const list = asyncApi.channels.find(({ name }) => name === "list")!.message;
    for (const [index, data] of row.lines.entries()) {
      const clock = { trusted: true, boot: "boot-1", uptimeMs: 5 };
      const event = {
        ...(list.examples[0]!.payload as object),
        data: { seq: index + 1, ...data, clock, durable: true, chain: "a".repeat(64) },
      };
      expect(list.faultsOf(event)).toEqual([]);
      for (const wrong of [
        { card: null },
        { until: "soon" },
        { who: "anna" },
        { why: "" },
        { name: "x" },
        { to: 5 },
      ])
        expect(
          list.faultsOf({ ...event, data: { ...event.data, ...wrong } }),
          JSON.stringify(wrong),
        ).not.toEqual([]);
    }

    const again = new Row();
    const next = await deskOn(disk);
    next.desk.startJournaling(again.append);
    await next.desk.stop();
    expect(again.lines).toEqual([]);
  });

  it("that cannot be written is asked again at the next start", async () => {
    const disk = new SimDisk();
    const row = new Row();
    row.kind = "failed";
    const { desk } = await deskOn(disk);
    desk.startJournaling(row.append);
    expect((await desk.change(request())).kind).toBe("done");
    expect(desk.isBlocked(A)).toBe(true);
    await desk.stop();
    row.kind = "synced";
    const next = await deskOn(disk);
    next.desk.startJournaling(row.append);
    await next.desk.stop();
    expect(row.lines).toMatchObject([{ event: "site-blocked", card: A }]);
  });

  it("takes a long row in parts, and none is left behind", async () => {
    const disk = new SimDisk();
    const stopped = await deskOn(disk);
    const cards = Array.from({ length: 900 }, (_, index) => `BB-2612-${100_000 + index}`);
    await Promise.all(cards.map((card) => stopped.desk.change(request({ card }))));
    const row = new Row();
    const waiting: (() => void)[] = [];
    let together = 0;
    const { desk } = await deskOn(disk);
    desk.startJournaling(async (data) => {
      together = Math.max(together, waiting.length + 1);
      await new Promise<void>((go) => waiting.push(go));
      return row.append(data);
    });
    const stopping = desk.stop();
    while (row.lines.length < cards.length) {
      for (const go of waiting.splice(0)) go();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stopping;
    expect([row.lines.map(({ card }) => card), together]).toEqual([cards, 200]);
  });

  it.each<CrashPolicy>(["lose", "keep", "torn"])(
    "has every change that stands, after a power cut at any call, at least once (%s)",
    async (policy) => {
      for (let cut = 1; ; cut++) {
        const disk = new SimDisk();
        const row = new Row();
        const { desk } = await deskOn(disk);
        desk.startJournaling(row.append);
        disk.cutAt(disk.ios + cut);
        const story = (async () => {
          await desk.change(request({ why: "first" }));
          await desk.change(request({ why: "second" }));
          await desk.stop();
        })();
        const isFinished = await Promise.race([story.then(() => true), cutOff(disk)]);
        const next = await deskOn(disk.crash(policy, { random: new SimRandom(cut) }));
        next.desk.startJournaling(row.append);
        await next.desk.stop();
        const whys = row.lines.map(({ why }) => why);
        const stands = next.desk.standing(A).blocked?.why;
        if (stands !== undefined) expect(whys, `call ${cut}`).toContain(stands);
        if (stands === "second") expect(whys[0], `call ${cut}`).toBe("first");
        if (isFinished) {
          expect(whys).toEqual(["first", "second"]);
          expect(cut).toBeGreaterThan(30);
          return;
        }
      }
    },
  );

  it("restores a list that is lost, with every end as it was, and is not written to again for it", async () => {
    const disk = new SimDisk();
    const row = new Row();
    const { desk } = await deskOn(disk);
    desk.startJournaling(row.append);
    await desk.change(request({ until: "2026-11-23", why: "gone tonight" }));
    await desk.change(request({ card: B, event: "site-allowed" }));
    await desk.change(request({ card: B }));
    await desk.change(request({ card: B, event: "site-unblocked" }));
    await desk.stop();
    const before = desk.all();
    disk.put(FILE, "{");
    disk.put(`${FILE}.copy`, "{");

    const { desk: next, found, clock } = await deskOn(disk);
    expect([found, next.isBlocked(A)]).toEqual(["lost", false]);
    await next.restore(linesOf(row.lines));
    expect(next.all()).toEqual(before);
    expect(next.status).toEqual({
      blocked: 1,
      allowed: 1,
      fault: expect.stringContaining("restored from the journal"),
    });
    await clock.advance(17 * HOUR_MS);
    expect(next.isBlocked(A)).toBe(false);
    const again = new Row();
    next.startJournaling(again.append);
    await next.stop();
    expect(again.lines).toEqual([]);
    const third = await deskOn(disk);
    expect([third.found, third.desk.status.fault]).toEqual(["file", null]);
  });

  it("that breaks off restores what it can, and the fault says so", async () => {
    const disk = new SimDisk();
    disk.put(FILE, "{");
    const { desk, log } = await deskOn(disk);
    await desk.restore(
      (async function* () {
        yield* linesOf([{ ...request(), at: "2026-11-23T06:00:00.000Z", atTrusted: true }]);
        throw new Error("EIO: simulated");
      })(),
    );
    expect(desk.isBlocked(A)).toBe(true);
    expect(desk.status.fault).toMatch(/could not be restored whole .*EIO/);
    expect(log.messages("error")).toHaveLength(2);
  });
});

/** As the journal hands them out, among lines of other kinds. */
async function* linesOf(changes: readonly Record<string, unknown>[]): AsyncGenerator<Line> {
  const others = [
    { type: "grindvakt.list.v1", data: { event: "in-force", to: 5 } },
    { type: "grindvakt.tap.v1", data: { event: "site-blocked", card: B } },
  ];
  for (const { type, data } of [...others, ...changes.map((data) => ({ type: "grindvakt.list.v1", data }))]) {
    const text = {
      seq: 1,
      prev: GENESIS,
      batch: 1,
      type,
      subject: "list",
      time: "2026-11-23T06:00:00.000Z",
      data,
    };
    yield decodeLine(JSON.stringify(text))!;
  }
}

/** Resolves to false once the power is off and every promise has settled that can. */
async function cutOff(disk: SimDisk): Promise<boolean> {
  for (let turn = 0; turn < 1_000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (disk.isOff) return false;
  }
  throw new Error("neither done nor cut");
}
