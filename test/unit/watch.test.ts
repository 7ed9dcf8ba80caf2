/** What watch shows of a gate: on a screen of any size, and as lines. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { liveTap } from "../../daemon/console/live.ts";
import { TapRing } from "../../daemon/console/tap-ring.ts";
import { type Colour, changes, lineOf, type Row, screen, tapRow } from "../../daemon/console/watch.ts";
import type { Status } from "../../daemon/report/status.ts";
import { CARD, tapView, wellStatus } from "../e2e/console-house.ts";
import { anyCharacter } from "./any-character.ts";

const WORDS = { nowMs: Date.parse("2026-11-22T07:00:00.000Z"), timeOf: (time: string) => time.slice(11, 19) };
const bare = (text: string): string => text;
const linesOf = (rows: readonly Row[], width = 200): string[] => rows.map((row) => lineOf(row, width, bare));

/** A gate with everything wrong that can be. */
function ill(): Status {
  const status = wellStatus();
  return {
    ...status,
    clockTrusted: false,
    list: { ...status.list, revision: null, freshness: "stale" },
    outbox: { ...status.outbox, refused: "not authorized" },
    journal: { ...status.journal, state: "failed", warning: true },
    siteList: { ...status.siteList, fault: "the site list is damaged" },
    relays: { "north-in": { state: "down", since: status.since, why: "unplugged" } },
    broker: { state: "down", url: null, protocol: null, why: "nobody answers" },
  };
}

test("the screen tells how the gate is, and below it the last taps", () => {
  const tap = liveTap(tapView());
  expect(linesOf(screen(wellStatus(), [tap, tap], WORDS, 10))).toEqual([
    "gate-07 at slussen, version 0.1.0, since 06:58:12",
    "list    fresh, revision 120, 1000 cards, confirmed 108 s ago",
    "broker  up, 3 unsent, mqtt://127.0.0.1:1883",
    "people  41 on site, and 2 who came in too long ago",
    "",
    "north-in entry, relay up",
    "  north-in-1     up  taps 7, misreads 1, removed early 2",
    "",
    `06:58:12 north-in       ${CARD} granted        Välkommen. / Welcome.`,
    `06:58:12 north-in       ${CARD} granted        Välkommen. / Welcome.`,
  ]);
  const wrong = linesOf(screen(ill(), [], WORDS, 50));
  for (const text of [
    "list    none: every card is refused",
    "broker  down, 3 unsent, nobody answers",
    "!       the journal cannot be written",
    "!       the journal is nearly full",
    "!       the broker refuses an event: not authorized",
    "!       the clock has not been synchronised",
    "!       the site list is damaged",
    "north-in entry, relay down: unplugged",
  ])
    expect(wrong).toContain(text);
});

test("a screen of any size is kept to, and its colours are whole", () => {
  const paint = (text: string, colour: Colour): string => `<${colour}>${text}</>`;
  fc.assert(
    fc.property(fc.nat(60), fc.nat(150), fc.boolean(), (rows, columns, isIll) => {
      const drawn = screen(isIll ? ill() : wellStatus(), [liveTap(tapView())], WORDS, rows);
      expect(drawn.length).toBeLessThanOrEqual(rows);
      for (const row of drawn) {
        expect(lineOf(row, columns, bare).length).toBeLessThanOrEqual(columns);
        const painted = lineOf(row, columns, paint);
        expect(painted.split("</>").length).toBe(painted.split(/<\w+>/).length);
      }
    }),
  );
});

test("what a device or a broker says cannot move the cursor", () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter }), (text) => {
      expect(lineOf([{ text }], 1_000, bare)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});

test("as lines only what changes is told, and everything at first or after a restart", () => {
  const well = wellStatus();
  expect(linesOf(changes(null, well))).toEqual([
    "gate-07 at slussen runs, version 0.1.0",
    "reader north-in-1 is up",
    `reader office is down: no device, last card ${CARD}`,
    "relay of north-in is up",
    "list revision 120 is fresh",
    "broker is up, 3 unsent",
  ]);
  expect(changes(well, { ...well, outbox: { ...well.outbox, unsent: 9 } })).toEqual([]);
  expect(linesOf(changes(well, ill()))).toEqual([
    "relay of north-in is down: unplugged",
    "there is no card list",
    "broker is down: nobody answers, 3 unsent",
    "!       the journal cannot be written",
    "!       the journal is nearly full",
    "!       the broker refuses an event: not authorized",
    "!       the clock has not been synchronised",
    "!       the site list is damaged",
  ]);
  expect(changes(ill(), ill())).toEqual([]);
  expect(linesOf(changes(well, { ...well, boot: "another" }))).toEqual([
    "gate-07 at slussen runs, version 0.1.0",
  ]);
});

test("a refused tap says what the person should do, in both languages", () => {
  const decision = { granted: false, reason: "blocked", card: null, passbackViolated: false } as const;
  const row = tapRow(liveTap({ ...tapView(), decision }), WORDS);
  expect(lineOf(row, 200, (text, colour) => `<${colour}>${text}`)).toBe(
    "06:58:12 north-in       -              <red>blocked        Spärrad: kontakta din arbetsgivare. / Blocked: ask your employer.",
  );
});

test("the ring gives each tap once to who asks in time, and forgets the oldest", () => {
  const ring = new TapRing();
  expect(ring.since(0)).toEqual({ next: 0, taps: [] });
  for (let count = 0; count < 3; count += 1) ring.add(tapView());
  expect(ring.since(0)).toMatchObject({ next: 3, taps: { length: 3 } });
  expect(ring.since(2).taps).toHaveLength(1);
  expect(ring.since(3).taps).toHaveLength(0);
  // Of a run before this one.
  expect(ring.since(1_000).taps).toHaveLength(0);
  for (let count = 0; count < 500; count += 1) ring.add(tapView());
  expect(ring.since(0)).toMatchObject({ next: 503, taps: { length: 200 } });
});
