/** What is asked of the site's own list: how it is judged, by which clock, and how it comes into the journal. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Settlement } from "../../daemon/journal/journal.ts";
import { decodeLine, GENESIS, type Line } from "../../daemon/journal/record.ts";
import { SiteDesk, type SiteRequest, siteRequestOf } from "../../daemon/site/site-desk.ts";
import { createSiteTime } from "../../daemon/site/site-time.ts";
import { readUntil } from "../../daemon/site/site-until.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimClock, type SimClockOptions } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import type { CrashPolicy } from "../sim/disk-nodes.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";
import { asyncApi } from "./asyncapi-document.ts";

const FILE = "/data/site-list.json";
const [A, B] = ["BB-2611-000001", "BB-2611-000002"] as const;
const HOUR_MS = 3_600_000;
const STOCKHOLM = createSiteTime("Europe/Stockholm");

function request(more: Partial<SiteRequest> = {}): SiteRequest {
  return {
    event: "site-blocked",
    card: A,
    until: null,
    why: null,
    who: { by: "command", name: "anna" },
    ...more,
  };
}

/** A desk on a disk; the clock shows Monday morning, 2026-11-23T06:00:00Z, unless told. */
async function deskOn(disk: SimDisk, options: SimClockOptions = {}, floorMs = 0) {
  const clock = new SimClock(options);
  const log = new SimLog();
  const files = createFiles(disk, new SimRandom(1));
  await files.makeDirs("/data");
  const desk = new SiteDesk(
    { path: FILE, siteTime: createSiteTime("Europe/Stockholm") },
    { clock, files, log },
  );
  const found = await desk.open(floorMs);
  return { desk, clock, log, found };
}

describe("until when", () => {
  it.each([
    ["2026-12-24", "2026-12-24", "2026-12-25T00:00:00+01:00"],
    ["2026-07-01", "2026-07-01", "2026-07-02T00:00:00+02:00"],
    // The days on which the clocks are changed end as others do.
    ["2026-03-29", "2026-03-29", "2026-03-30T00:00:00+02:00"],
    ["2026-10-25", "2026-10-25", "2026-10-26T00:00:00+01:00"],
    ["2028-02-29", "2028-02-29", "2028-03-01T00:00:00+01:00"],
    ["2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00.000Z", "2026-12-24T18:00:00+01:00"],
    ["2026-12-24t17:00:00.5z", "2026-12-24T17:00:00.500Z", "2026-12-24T17:00:00.5Z"],
  ])("%s", (text, until, end) => {
    expect(readUntil(text, STOCKHOLM)).toEqual({ until, untilMs: Date.parse(end) });
  });

  it.each([
    "",
    "tomorrow",
    "2026-02-29",
    "2026-13-01",
    "2026-02-30T10:00:00Z",
    "2026-12-24T18:00",
    "2026-12-24T18:00:00",
    "2026-12-24T25:00:00Z",
    "2026-12-24 18:00:00Z",
    " 2026-12-24",
    "24/12/2026",
    "+020261-12-24",
  ])("is not %j", (text) => {
    expect(readUntil(text, STOCKHOLM)).toBeNull();
  });

  it("a day is over exactly when the site's calendar says so, wherever the site is", () => {
    const zones = [
      "Europe/Stockholm",
      "Pacific/Kiritimati",
      "Etc/GMT+12",
      "Asia/Kathmandu",
      "America/Havana",
    ];
    // From 2000 to 2079: before, some kept time by odd minutes.
    const days = fc.integer({ min: 11_000, max: 40_000 });
    const property = fc.property(fc.constantFrom(...zones), days, (zone, day) => {
      const siteTime = createSiteTime(zone);
      const text = new Date(day * 24 * HOUR_MS).toISOString().slice(0, 10);
      const end = readUntil(text, siteTime)!.untilMs;
      expect([siteTime.dayOf(end - 1) <= day, siteTime.dayOf(end) > day]).toEqual([true, true]);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe("a request", () => {
  it.each([
    [{ until: "tomorrow" }, "the end must be a day like 2026-12-24, or a time with its offset"],
    [{ until: "2026-11-22" }, "2026-11-22 has passed already"],
    [{ until: "2026-11-23T07:00:00+01:00" }, "2026-11-23T07:00:00+01:00 has passed already"],
    [{ event: "site-unblocked", until: "2026-12-24" }, "only a block or an allowance has an end"],
    [{ why: "x".repeat(201) }, "the reason must be one line of at most 200 characters"],
    [{ why: "a\nb" }, "the reason must be one line"],
    [{ why: "\u001b[2J" }, "the reason must be one line"],
    [{ why: "\u202eevil" }, "the reason must be one line"],
    [{ why: "\ud800" }, "the reason must be one line"],
    [{ who: { by: "mqtt", name: "a\u0007" } }, "the name of who asks must be one line"],
    [{ who: { by: "mqtt", name: "x".repeat(101) } }, "the name of who asks must be one line"],
  ] as [Partial<SiteRequest>, string][])("is refused as wrongly asked: %j", async (more, words) => {
    const disk = new SimDisk();
    const { desk } = await deskOn(disk);
    const answer = await desk.change(request(more));
    expect(answer).toMatchObject({ kind: "refused", why: expect.stringContaining(words), isUsage: true });
    expect(disk.seen(FILE)).toBeNull();
  });

  it("is answered with what was made of it; to take off what is not on it is no fault of its form", async () => {
    const { desk, log } = await deskOn(new SimDisk());
    const answer = await desk.change(request({ until: "2026-12-24", why: "  tappat “kortet” \n" }));
    const made = { event: "site-blocked", card: A, until: "2026-12-24", why: "tappat “kortet”" };
    expect(answer).toMatchObject({
      kind: "done",
      change: {
        ...made,
        at: "2026-11-23T06:00:00.000Z",
        atTrusted: true,
        who: { by: "command", name: "anna" },
      },
    });
    expect([desk.isBlocked(A), desk.isAllowed(A), desk.isBlocked(B)]).toEqual([true, false, false]);
    expect(desk.standing(A)).toEqual({
      blocked: expect.objectContaining({ until: "2026-12-24", why: "tappat “kortet”" }),
      allowed: null,
    });
    expect(await desk.change(request({ event: "site-disallowed" }))).toEqual({
      kind: "refused",
      code: "not-on-it",
      why: `${A} is not allowed by this site`,
      isUsage: false,
    });
    expect(await desk.change(request({ event: "site-unblocked", why: " " }))).toMatchObject({
      change: { why: null },
    });
    expect(desk.isBlocked(A)).toBe(false);
    expect(JSON.stringify(log.lines)).not.toContain(A);
  });

  it("over the control socket is that of a command, or none", () => {
    const params = { event: "site-allowed", card: A, until: null, why: "x", name: "root" };
    expect(siteRequestOf(params)).toMatchObject({
      ...request({ event: "site-allowed", why: "x" }),
      who: { by: "command", name: "root" },
    });
    for (const wrong of [
      { event: "constructor" },
      { card: "bb1" },
      { card: 5 },
      { until: 5 },
      { why: {} },
      { name: null },
    ])
      expect(() => siteRequestOf({ ...params, ...wrong }), JSON.stringify(wrong)).toThrow(
        "no change of the site list",
      );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), (junk) => {
        expect(() => siteRequestOf(junk)).toThrow();
      }),
    );
  });
});

describe("the clock", () => {
  it("ends a block and an allowance, by the site's day", async () => {
    const { desk, clock } = await deskOn(new SimDisk());
    await desk.change(request({ until: "2026-11-23" }));
    await desk.change(request({ event: "site-allowed", until: "2026-11-23T12:00:00Z" }));
    await clock.advance(6 * HOUR_MS - 1);
    expect([desk.isBlocked(A), desk.isAllowed(A)]).toEqual([true, true]);
    await clock.advance(1);
    expect([desk.isBlocked(A), desk.isAllowed(A)]).toEqual([true, false]);
    await clock.advance(11 * HOUR_MS - 1);
    expect([desk.isBlocked(A), desk.all().length]).toEqual([true, 1]);
    await clock.advance(1);
    expect([desk.isBlocked(A), desk.all().length, desk.standing(A).blocked]).toEqual([false, 0, null]);
    expect(await desk.change(request({ event: "site-unblocked" }))).toMatchObject({ kind: "refused" });
  });

  it("is not believed before it is synchronised: what had not ended by the latest trusted time goes on", async () => {
    const disk = new SimDisk();
    const first = await deskOn(disk);
    await first.desk.change(request({ until: "2026-11-24" }));
    await first.desk.change(request({ card: B, event: "site-allowed", until: "2026-11-24" }));
    const end = Date.parse("2026-11-25T00:00:00+01:00");
    for (const wallMs of [0, Date.parse("2031-01-01")]) {
      for (const [floorMs, stands] of [
        [0, true],
        [end - 1, true],
        [end, false],
      ] as const) {
        const { desk } = await deskOn(disk, { wallMs, trustedAfterMs: Number.POSITIVE_INFINITY }, floorMs);
        expect([desk.isBlocked(A), desk.isAllowed(B)], `${wallMs} ${floorMs}`).toEqual([stands, stands]);
      }
    }
    const { desk, clock } = await deskOn(disk, { wallMs: end, trustedAfterMs: 1_000 }, end - HOUR_MS);
    expect(desk.isBlocked(A)).toBe(true);
    const late = await desk.change(request({ card: B, until: "2026-11-24" }));
    expect(late).toMatchObject({ change: { atTrusted: false } });
    await clock.advance(1_000);
    expect([desk.isBlocked(A), desk.isBlocked(B), desk.isAllowed(B)]).toEqual([false, false, false]);
  });
});

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
