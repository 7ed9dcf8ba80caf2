/** Taps are found again by what somebody remembers of them, and a card's story is what they tell. */
import { expect, test } from "vitest";
import { tellStory } from "../../daemon/answers/card-story.ts";
import { type JournalPlace, searchTaps, type TapQuery } from "../../daemon/answers/tap-search.ts";
import type { Reason } from "../../daemon/gate/reasons.ts";
import { segmentPath } from "../../daemon/journal/journal-segments.ts";
import { type CloudEvent, encodeLine, GENESIS, type Line } from "../../daemon/journal/record.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimRandom } from "../sim/random.ts";

const ANY: TapQuery = {
  cardEnd: null,
  reason: null,
  accessPoint: null,
  reader: null,
  fromMs: null,
  toMs: null,
};
const CARD = "BB-1234-567890";
const OTHER = "BB-1111-222222";
const SENDER = { gateway: "g", site: "s" };

interface Tap {
  card?: string | null;
  reason?: Reason;
  reader?: string;
  accessPoint?: string;
  revision?: number;
}

function tapLine(seq: number, time: string, tap: Tap): Line {
  const { card = CARD, reason = "granted", reader = "in-1", accessPoint = "in", revision = 1 } = tap;
  const data = { accessPoint, reader, card, granted: reason === "granted", reason, list: { revision } };
  return { seq, prev: GENESIS, batch: seq, type: "grindvakt.tap.v1", subject: accessPoint, time, data };
}

/** A journal of days, a segment each: taps a minute apart from 06:00 on. */
async function journalOf(days: Record<string, Tap[]>): Promise<JournalPlace & { opened: string[] }> {
  const files = createFiles(new SimDisk(), new SimRandom(1));
  await files.makeDirs("/journal");
  let seq = 1;
  for (const [day, taps] of Object.entries(days)) {
    const first = seq;
    const lines = taps.map((tap, minute) => {
      const time = `${day}T06:${String(minute).padStart(2, "0")}:00.000Z`;
      const line = encodeLine(tapLine(seq, time, tap));
      seq += 1;
      return `${line}\n`;
    });
    await files.replace(segmentPath("/journal", first), new TextEncoder().encode(lines.join("")));
  }
  const opened: string[] = [];
  const open: typeof files.open = (path, mode) => {
    opened.push(path);
    return files.open(path, mode);
  };
  return { files: { ...files, open }, dir: "/journal", sender: SENDER, opened };
}

const seqsOf = (taps: readonly CloudEvent[]) => taps.map(({ data }) => data.seq);
const END = Number.MAX_SAFE_INTEGER;

const PLACE = await journalOf({
  "2026-11-20": [{}, { card: OTHER, reason: "blocked" }, { card: null, reason: "removed-early" }],
  "2026-11-21": [{ reader: "out-1", accessPoint: "out" }, { reason: "expired" }, { card: OTHER }],
  "2026-11-22": [{}, { card: "LL-1234-567890" }, { reason: "blocked" }],
});

test.each<[string, Partial<TapQuery>, number[]]>([
  ["nothing", {}, [9, 8, 7, 6, 5, 4, 3, 2, 1]],
  ["a card's end", { cardEnd: "2222" }, [6, 2]],
  ["a whole number, which two issuers may have given", { cardEnd: "1234567890" }, [9, 8, 7, 5, 4, 1]],
  ["a card's end or no card", { cardEnd: "22", orUnread: true }, [6, 3, 2]],
  ["a reason", { reason: "blocked" }, [9, 2]],
  ["an access point", { accessPoint: "out" }, [4]],
  ["a reader", { reader: "out-1" }, [4]],
  [
    "a time",
    { fromMs: Date.parse("2026-11-20T06:02:00Z"), toMs: Date.parse("2026-11-21T06:00:00Z") },
    [4, 3],
  ],
  ["all of it", { cardEnd: "90", reason: "blocked", fromMs: Date.parse("2026-11-22T00:00:00Z") }, [9]],
  ["digits that are elsewhere in a line", { cardEnd: "20" }, []],
])("by %s", async (_what, query, seqs) => {
  const { taps, next } = await searchTaps(PLACE, { ...ANY, ...query }, 50, END);
  expect([seqsOf(taps), next]).toEqual([seqs, null]);
});

test("pages join without gap or overlap, whatever their length", async () => {
  for (const limit of [1, 2, 4]) {
    const seen: unknown[] = [];
    let endSeq: number | null = END;
    while (endSeq !== null) {
      const { taps, next } = await searchTaps(PLACE, { ...ANY, cardEnd: "567890" }, limit, endSeq);
      seen.push(...seqsOf(taps));
      endSeq = next === null ? null : next - 1;
    }
    expect(seen).toEqual([9, 8, 7, 5, 4, 1]);
  }
});

test("one answer looks through so many lines, and says where to go on", async () => {
  const first = await searchTaps(PLACE, { ...ANY, reason: "removed-early" }, 10, END, 4);
  expect([seqsOf(first.taps), first.next]).toEqual([[], 4]);
  const second = await searchTaps(PLACE, { ...ANY, reason: "removed-early" }, 10, first.next! - 1, 4);
  expect([seqsOf(second.taps), second.next]).toEqual([[3], null]);
});

test("days that were not asked for are not read through", async () => {
  PLACE.opened.length = 0;
  await searchTaps(PLACE, { ...ANY, fromMs: Date.parse("2026-11-22T05:00:00Z") }, 10, END);
  // Each day's first line, and the one day.
  expect(PLACE.opened).toHaveLength(4);
});

test("an empty journal has no taps", async () => {
  const place = await journalOf({});
  expect(await searchTaps(place, ANY, 10, END)).toEqual({ taps: [], next: null });
});

// ---------------------------------------------------------------- the story

function story(...taps: [time: string, tap: Tap][]) {
  const events = taps.map(([time, tap], index) => {
    const { data, ...line } = tapLine(index + 1, `2026-11-22T${time}Z`, tap);
    return { ...line, data: { seq: index + 1, ...data } } as unknown as CloudEvent;
  });
  return tellStory(CARD, events.reverse(), null);
}

test("a story tells since when a card's taps end as they do, and what was before", () => {
  const told = story(
    ["06:00:00", { revision: 117 }],
    ["07:00:00", { revision: 118 }],
    ["08:00:00", { card: OTHER, reason: "expired", revision: 119 }],
    ["09:00:00", { reason: "blocked", revision: 120 }],
    ["10:00:00", { reason: "blocked", revision: 121 }],
  );
  expect(seqsOf(told.taps)).toEqual([5, 4, 2, 1]);
  expect(told.since).toEqual({ reason: "blocked", at: "2026-11-22T09:00:00Z", revision: 120 });
  expect(told.before).toEqual({ reason: "granted", at: "2026-11-22T07:00:00Z", revision: 118 });
});

test("a story that never changed has no before, and one without taps no since", () => {
  const told = story(["06:00:00", {}], ["07:00:00", {}]);
  expect([told.since?.at, told.before]).toEqual(["2026-11-22T06:00:00Z", null]);
  expect(story()).toMatchObject({ taps: [], since: null, before: null, earlyRemovals: 0 });
});

test("a card that is taken away too early is the one that is tried again at once, at the same reader", () => {
  const early: Tap = { card: null, reason: "removed-early" };
  const told = story(
    ["06:00:00", early], // too long before
    ["06:01:00", early],
    ["06:01:03", { card: null, reason: "unreadable" }],
    ["06:01:05", {}],
    ["06:02:00", early], // somebody else's
    ["06:02:02", { card: OTHER }],
    ["06:02:04", {}],
    ["06:03:00", { ...early, reader: "out-1" }], // at another reader
    ["06:03:02", {}],
    ["06:04:00", { card: null, reason: "malformed" }], // no matter of holding it still
    ["06:04:02", {}],
    ["06:05:00", early], // nobody knows yet whose
  );
  expect([told.earlyRemovals, told.misreads]).toEqual([1, 1]);
});
