/** What is asked of the site's own list: how it is judged, and by which clock. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type SiteRequest, siteRequestOf } from "../../daemon/site/site-desk.ts";
import { SimDisk } from "../sim/disk.ts";
import { A, B, deskOn, FILE, HOUR_MS, request } from "./site-list-bench.ts";

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
