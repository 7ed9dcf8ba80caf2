/** Who is on the site: by passages in memory, by a whole gateway, and by what its journal says afterwards. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Draft, GENESIS, type Line } from "../../daemon/journal/record.ts";
import {
  type Now,
  type Passing,
  Presence,
  REMEMBERED_MS,
  type Whereabouts,
} from "../../daemon/presence/presence.ts";
import { PresenceDesk } from "../../daemon/presence/presence-desk.ts";
import { Replay } from "../../daemon/presence/presence-replay.ts";
import { atOnce } from "../../daemon/slices.ts";
import { type GatewayBench, openGate } from "./gateway-bench.ts";

const RESET_MS = 1_000;
const MINUTE_MS = 60_000;
const WALL_MS = Date.parse("2026-11-23T06:00:00Z");

function at(ms: number, more: Partial<Now> = {}): Now {
  const wallMs = WALL_MS + ms;
  return { monotonicMs: ms, wallMs, trusted: true, judgedMs: wallMs, ...more };
}

function passing(
  card: string,
  direction: "entry" | "exit",
  ms: number,
  more: Partial<Passing> = {},
): Passing {
  const { monotonicMs, wallMs, trusted } = at(ms);
  return { card, direction, accessPoint: "north", monotonicMs, wallMs, trusted, byHand: null, ...more };
}

const never = () => false;
const cards = (presence: Presence, now: Now) => atOnce(presence.people(now, never)).map(({ card }) => card);

// ---------------------------------------------------------------- in memory

test("a card is where it last went, until the time is up", () => {
  const step = fc.record({
    card: fc.constantFrom("a", "b", "c"),
    direction: fc.constantFrom("entry" as const, "exit" as const),
    passedMs: fc.nat(600),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(1_500), (steps, laterMs) => {
      const presence = new Presence();
      const expected = new Map<string, { where: Whereabouts; atMs: number }>();
      let nowMs = 0;
      for (const { card, direction, passedMs } of steps) {
        nowMs += passedMs;
        presence.passed(passing(card, direction, nowMs));
        expected.set(card, { where: direction === "entry" ? "inside" : "outside", atMs: nowMs });
      }
      nowMs += laterMs;
      for (const card of ["a", "b", "c", "never seen"]) {
        const last = expected.get(card);
        const known = last !== undefined && nowMs - last.atMs < RESET_MS;
        expect(presence.whereabouts(card, at(nowMs), RESET_MS)).toBe(known ? last.where : "unknown");
      }
      const inside = [...expected].filter(([, { where }]) => where === "inside").map(([card]) => card);
      expect(cards(presence, at(nowMs)).sort()).toEqual(inside.sort());
      expect(presence.count(at(nowMs), never)).toEqual({ onSite: inside.length, overdue: 0 });
    }),
  );
});

test("the time is up to the millisecond, and so is the week", () => {
  const presence = new Presence();
  presence.passed(passing("a", "entry", 5));
  expect(presence.whereabouts("a", at(5 + RESET_MS - 1), RESET_MS)).toBe("inside");
  expect(presence.whereabouts("a", at(5 + RESET_MS), RESET_MS)).toBe("unknown");
  expect(cards(presence, at(5 + REMEMBERED_MS - 1))).toEqual(["a"]);
  expect(cards(presence, at(5 + REMEMBERED_MS))).toEqual([]);
});

test("of more cards than it can hold, it forgets those not seen for the longest", () => {
  const presence = new Presence();
  const most = 100_000;
  for (let card = 0; card < most; card += 1) presence.passed(passing(`card ${card}`, "entry", card));
  presence.passed(passing("card 0", "exit", most));
  presence.passed(passing("one more", "entry", most));
  const where = (card: string) => presence.whereabouts(card, at(most), Number.POSITIVE_INFINITY);
  expect([where("card 0"), where("card 1"), where("card 2"), where("one more")]).toEqual([
    "outside",
    "unknown",
    "inside",
    "inside",
  ]);
});

test("who did not go through is where they were before, in whatever order that becomes known", () => {
  const presence = new Presence();
  presence.passed(passing("a", "entry", 0));
  const out = presence.passed(passing("a", "exit", 1));
  const outAgain = presence.passed(passing("a", "exit", 2));
  expect(cards(presence, at(3))).toEqual([]);
  presence.takeBack(out);
  expect(cards(presence, at(3))).toEqual([]);
  presence.takeBack(outAgain);
  expect(cards(presence, at(3))).toEqual(["a"]);
});

test("who tries in vain again and again is where they were before", () => {
  const presence = new Presence();
  presence.passed(passing("a", "entry", 0));
  for (let tries = 1; tries < 20; tries += 1) presence.takeBack(presence.passed(passing("a", "exit", tries)));
  expect(cards(presence, at(20))).toEqual(["a"]);
});

test("how long ago it was is not claimed to be known by a clock that was not set", () => {
  const before = passing("a", "entry", 0, { monotonicMs: null });
  const presence = new Presence();
  presence.passed(before);
  const unset = { trusted: false, wallMs: 0, judgedMs: WALL_MS };
  expect(presence.whereabouts("a", at(10), RESET_MS)).toBe("inside");
  expect(presence.whereabouts("a", at(10, unset), RESET_MS)).toBe("unknown");
  // For the roll call it is better to have one too many.
  expect(cards(presence, at(10, unset))).toEqual(["a"]);
  presence.passed(passing("b", "entry", 20, { trusted: false, wallMs: 20 }));
  const [, b] = atOnce(presence.people(at(30), never));
  expect(b).toMatchObject({ card: "b", since: new Date(WALL_MS + 20).toISOString(), sinceTrusted: true });
});

test("what was before this run is put under what this run has seen", () => {
  const earlier = new Presence();
  for (const card of ["a", "b", "c"]) earlier.passed(passing(card, "entry", 0, { monotonicMs: null }));
  const presence = new Presence();
  presence.passed(passing("a", "exit", 10));
  const lost = presence.passed(passing("b", "exit", 11));
  presence.passed(passing("d", "entry", 12));
  presence.restore(earlier);
  expect(cards(presence, at(20))).toEqual(["c", "d"]);
  presence.takeBack(lost);
  expect(cards(presence, at(20)).sort()).toEqual(["b", "c", "d"]);
});

// ---------------------------------------------------------------- by hand

const WHO = { by: "command", name: "anna" } as const;

function deskOf(bench: GatewayBench): PresenceDesk {
  const passback = { mode: "off", resetMinutes: 60 } as const;
  return new PresenceDesk(
    {
      gateway: "gate-07",
      workplaceId: "8112345678",
      accessPoints: [
        { id: "in", direction: "entry", passback },
        { id: "out-1", direction: "exit", passback },
        { id: "out-2", direction: "exit", passback },
      ],
    },
    { presence: bench.presence, scribe: bench.scribe, changed: () => undefined },
  );
}

const CARD = "BB-2401-000001";
const SAY = { card: CARD, accessPoint: null, when: null, why: "forgot", who: WHO };

describe("the count", () => {
  test("is anew with each passage, and where nobody moves, within ten seconds of the time's being up", async () => {
    const bench = openGate();
    const desk = deskOf(bench);
    await desk.say({ ...SAY, event: "entered" });
    expect(desk.status).toMatchObject({ onSite: 1, overdue: 0 });
    await bench.clock.advance(60 * MINUTE_MS - 1);
    expect(desk.status).toMatchObject({ onSite: 1, overdue: 0 });
    await bench.clock.advance(10_000);
    expect(desk.status).toMatchObject({ onSite: 0, overdue: 1 });
    const step = bench.presence.passed({ ...passing("BB-2401-000002", "entry", 0), ...bench.scribe.stamp() });
    expect(desk.status).toMatchObject({ onSite: 1, overdue: 1 });
    bench.presence.takeBack(step);
    expect(desk.status).toMatchObject({ onSite: 0, overdue: 1 });
    const earlier = new Presence();
    earlier.passed(
      passing("BB-2401-000003", "entry", 0, { wallMs: bench.clock.wallMs(), monotonicMs: null }),
    );
    desk.restore(earlier, true);
    expect(desk.status).toMatchObject({ onSite: 1, overdue: 1 });
  });
});

test("a roll call lets others have the loop, and is of the moment at which it began", async () => {
  const bench = openGate();
  const desk = deskOf(bench);
  const people = 2_100;
  for (let card = 0; card < people; card += 1) {
    const name = `BB-2401-${String(card).padStart(6, "0")}`;
    bench.presence.passed({ ...passing(name, "entry", 0), ...bench.scribe.stamp() });
  }
  const slices = desk.rollCall(null);
  expect(slices.next().done).toBe(false);
  await desk.say({ ...SAY, card: "BB-2401-000000", event: "left", accessPoint: "out-1" });
  await desk.say({ ...SAY, card: "BB-2401-999999", event: "entered" });
  let count = 1;
  let slice = slices.next();
  for (; slice.done !== true; slice = slices.next()) count += 1;
  expect([count, slice.value.onSite, slice.value.people.length]).toEqual([4, people, people]);
  // So many are counted in three looks.
  expect([1, 2, 3].map(() => desk.status.onSite).at(-1)).toBe(people);
});

describe("what is said by hand", () => {
  test("is journaled as such, and counts", async () => {
    const bench = openGate();
    const desk = deskOf(bench);
    const said = await desk.say({ ...SAY, event: "entered" });
    expect(said).toMatchObject({ kind: "done", word: { accessPoint: "in", isDurable: true, who: WHO } });
    expect(atOnce(desk.rollCall(null))).toMatchObject({
      onSite: 1,
      overdue: 0,
      people: [{ card: CARD, accessPoint: "in", byHand: { who: WHO, why: "forgot" }, overdue: false }],
    });
    await bench.clock.advance(60 * MINUTE_MS);
    expect(desk.status).toMatchObject({ onSite: 0, overdue: 1 });
    expect(atOnce(desk.rollCall(61 * MINUTE_MS))).toMatchObject({ onSite: 1, overdue: 0 });
    const when = new Date(bench.clock.wallMs() - MINUTE_MS).toISOString();
    await desk.say({ ...SAY, event: "left", accessPoint: "out-2", when });
    expect(desk.status).toMatchObject({ onSite: 0, overdue: 0 });
    expect(bench.dataOf("passage").map(({ clock: _, ...data }) => data)).toEqual([
      {
        event: "entered",
        manual: true,
        workplaceId: "8112345678",
        accessPoint: "in",
        direction: "entry",
        pulseMs: null,
        card: CARD,
        when: expect.any(String),
        why: "forgot",
        who: WHO,
      },
      expect.objectContaining({ event: "left", direction: "exit", accessPoint: "out-2", when }),
    ]);
  });

  test("of a time before the last passage changes nothing of that", async () => {
    const bench = openGate();
    const desk = deskOf(bench);
    const when = new Date(bench.clock.wallMs() - MINUTE_MS).toISOString();
    bench.presentNumber("north-in-1", CARD);
    await bench.settle();
    await desk.say({ ...SAY, event: "left", accessPoint: "out-1", when });
    expect(desk.status).toMatchObject({ onSite: 1 });
    expect(bench.dataOf("passage")).toHaveLength(1);
  });

  test("is refused where it cannot be, and nothing is written", async () => {
    const bench = openGate();
    const desk = deskOf(bench);
    const inAnHour = new Date(bench.clock.wallMs() + 60 * MINUTE_MS).toISOString();
    const longAgo = new Date(bench.clock.wallMs() - REMEMBERED_MS).toISOString();
    for (const wrong of [
      { event: "left" },
      { accessPoint: "nowhere" },
      { why: "  " },
      { why: "x".repeat(201) },
      { why: "two\nlines" },
      { who: { by: "command", name: "\u001b[2J" } },
      { when: "yesterday" },
      { when: "2026-02-30T12:00:00Z" },
      { when: inAnHour },
      { when: longAgo },
    ] as const)
      expect(await desk.say({ ...SAY, event: "entered", ...wrong }), JSON.stringify(wrong)).toMatchObject({
        kind: "refused",
        why: expect.stringMatching(/\w/),
        isUsage: true,
      });
    expect(bench.drafts.filter(({ type }) => type === "grindvakt.passage.v1")).toEqual([]);
  });

  test("has no other time than now while the clock is not set", async () => {
    const bench = openGate({ clock: { wallMs: 0, trustedAfterMs: Number.POSITIVE_INFINITY } });
    const desk = deskOf(bench);
    const earlier = new Date(0).toISOString();
    await bench.clock.advance(1_000);
    expect(await desk.say({ ...SAY, event: "entered", when: earlier })).toMatchObject({ kind: "refused" });
    expect(await desk.say({ ...SAY, event: "entered" })).toMatchObject({ kind: "done" });
    expect(desk.status.onSite).toBe(1);
  });
});

// ---------------------------------------------------------------- from the journal

/** `ids`: of those that were sent before they were on the disk. */
const linesOf = (drafts: readonly Draft[], ids: ReadonlyMap<Draft, string>): Line[] =>
  drafts.map((draft, index) => {
    const id = ids.get(draft);
    const line = { ...draft, seq: index + 1, prev: GENESIS, batch: 1 };
    return id === undefined ? line : { ...line, id };
  });

describe("read back from the journal", () => {
  const CARDS = ["BB-2401-000001", "BB-2401-000002", "BB-2401-000003"];
  const inputs = { passage: { passageSeconds: 5 } };
  const accessPoints = [
    { id: "in", inputs, repeatSeconds: 0 },
    { id: "out", inputs, repeatSeconds: 0, direction: "exit" as const, whenJournalFails: "deny" as const },
    { id: "bare", repeatSeconds: 0, direction: "exit" as const },
  ];
  const deed = fc.record({
    card: fc.constantFrom(...CARDS),
    gate: fc.constantFrom("in", "out", "bare"),
    relay: fc.constantFrom("opens", "opens", "fails"),
    passes: fc.boolean(),
    disk: fc.constantFrom("well", "well", "full"),
    by: fc.constantFrom("tap", "tap", "hand"),
  });

  test("the same people are on site as the run that wrote it had", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 12 }), async (deeds) => {
        const bench = openGate({ accessPoints });
        for (const { id } of accessPoints.slice(0, 2)) bench.gateway.inputEvents(id, "passage").up({});
        const desk = new PresenceDesk(
          {
            gateway: "gate-07",
            workplaceId: null,
            accessPoints: accessPoints.map(({ id, direction = "entry" as const }) => ({
              id,
              direction,
              passback: { resetMinutes: 720 },
            })),
          },
          { presence: bench.presence, scribe: bench.scribe, changed: () => undefined },
        );
        const ids = new Map<Draft, string>();
        await bench.clock.advance(100);
        for (const { card, gate, relay, passes, disk, by } of deeds) {
          await bench.clock.advance(10_000);
          if (by === "hand") {
            const event = gate === "in" ? "entered" : "left";
            await desk.say({ ...SAY, card, event, accessPoint: gate });
            continue;
          }
          bench.disk = "held";
          bench.presentNumber(`${gate}-1`, card);
          await bench.settle();
          bench.disk = "synced";
          const number = bench.drafts.length;
          for (const { settle, draft } of bench.pending.splice(0)) {
            const id = disk === "well" ? `gate-07/${number}` : `gate-07/boot-1/${number}`;
            if (disk === "full") ids.set(draft, id);
            settle({ kind: disk === "well" ? "synced" : "failed", id });
          }
          await bench.settle();
          if (disk === "full" && gate === "out") continue;
          const events = bench.gateway.relayEvents(gate);
          if (relay === "fails") events.failed("stuck");
          else {
            events.energised();
            await bench.clock.advance(800);
            events.released();
            if (passes && gate !== "bare") bench.touch(gate, "passage");
          }
        }
        await bench.clock.advance(60_000);
        const replay = new Replay("gate-07");
        for (const line of linesOf(bench.drafts, ids)) replay.add(line);
        const stamp = bench.stamp();
        const now = { ...stamp, judgedMs: stamp.wallMs };
        expect(atOnce(replay.presence.people(now, never))).toEqual(atOnce(bench.presence.people(now, never)));
        for (const card of CARDS)
          expect(replay.presence.whereabouts(card, now, 10 * MINUTE_MS)).toBe(
            bench.presence.whereabouts(card, now, 10 * MINUTE_MS),
          );
      }),
    );
  });

  test("lines that say nothing a passage could be made of are passed over", () => {
    const replay = new Replay("gate-07");
    const line = { seq: 1, prev: GENESIS, batch: 1, subject: "in", time: at(0).wallMs.toString() };
    const time = new Date(WALL_MS).toISOString();
    for (const [type, data] of [
      ["grindvakt.tap.v1", {}],
      ["grindvakt.tap.v1", { granted: true, card: 7, accessPoint: "in", direction: "entry" }],
      ["grindvakt.tap.v1", { granted: true, card: CARD, accessPoint: "in", direction: "up" }],
      ["grindvakt.tap.v1", { granted: false, card: CARD, accessPoint: "in", direction: "entry" }],
      [
        "grindvakt.passage.v1",
        { manual: true, card: "<script>", accessPoint: "in", direction: "entry", when: time },
      ],
      [
        "grindvakt.passage.v1",
        { manual: true, card: CARD, accessPoint: "in", direction: "entry", when: "then" },
      ],
      ["grindvakt.passage.v1", { event: "not-passed", tap: "gate-07/99" }],
    ] as const)
      replay.add({ ...line, type, time, data });
    expect(atOnce(replay.presence.people(at(1), never))).toEqual([]);
    const said = { manual: true, card: CARD, accessPoint: "in", direction: "entry", when: time, who: 7 };
    replay.add({ ...line, type: "grindvakt.passage.v1", time, data: said });
    expect(atOnce(replay.presence.people(at(1), never))).toMatchObject([{ card: CARD, byHand: { why: "" } }]);
  });
});
