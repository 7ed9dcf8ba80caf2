import { describe, expect, test } from "vitest";
import { Against } from "../../daemon/journal/journal-against.ts";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import {
  encodeLine,
  eventOfLine,
  eventOfVolatile,
  GENESIS,
  hashLine,
  type Line,
} from "../../daemon/journal/record.ts";

const SENDER = { gateway: "gate-07", site: "slussen" };

/** A journal of taps; `ids`: those lines that were sent before they could be written. */
function journal(cards: readonly string[], ids: ReadonlyMap<number, string> = new Map()): Entry[] {
  let prev = GENESIS;
  return cards.map((card, index) => {
    const seq = index + 1;
    const id = ids.get(seq);
    const line: Line = {
      seq,
      prev,
      batch: seq,
      type: "grindvakt.tap.v1",
      subject: "north-in",
      time: `2026-11-22T06:58:0${index}.345Z`,
      data: { card, granted: true, clock: { boot: "b", uptimeMs: index } },
      ...(id === undefined ? {} : { id }),
    };
    prev = hashLine(encodeLine(line));
    return { line, chain: prev };
  });
}

function sent(entries: readonly Entry[]): string[] {
  return entries.map(({ line, chain }) => JSON.stringify(eventOfLine(line, chain, SENDER)));
}

function compare(centre: readonly string[], entries: readonly Entry[]) {
  const against = new Against(SENDER);
  for (const text of centre) expect(against.add(text)).toBeNull();
  for (const entry of entries) against.compare(entry);
  const last = entries.at(-1);
  return against.finish(
    entries[0]?.line.seq ?? null,
    last === undefined ? null : { seq: last.line.seq, chain: last.chain },
  );
}

const CARDS = ["BB-1234-567890", "BB-1234-567891", "BB-1234-567892"];

describe("a journal held against a centre's events", () => {
  test("is as it was sent, in whatever order and however often, and other gateways say nothing", () => {
    const entries = journal(CARDS);
    const [first = "", second = "", third = ""] = sent(entries);
    const stored = JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(second)).reverse()));
    const foreign = first.replaceAll("gate-07", "gate-08");
    expect(compare([third, first, first, stored, foreign, "no JSON", "{}"], entries)).toEqual({
      events: 3,
      same: 3,
      others: 3,
      dropped: 0,
      unwritten: 0,
      differences: [],
      unlisted: 0,
    });
  });

  test("that was written anew from some line on is found, though its chain holds", () => {
    const centre = sent(journal(CARDS));
    const forged = journal([CARDS[0]!, "BB-9999-999999", CARDS[2]!]);
    const { same, differences } = compare(centre, forged);
    expect(same).toBe(1);
    expect(differences).toEqual([
      { id: "gate-07/2", what: expect.stringContaining("the journal was changed") },
      { id: "gate-07/3", what: expect.stringContaining("the journal was changed") },
    ]);
  });

  test("whose end was cut off is found, and one whose beginning was dropped is not blamed", () => {
    const entries = journal(CARDS);
    expect(compare(sent(entries), entries.slice(0, 2)).differences).toEqual([
      { id: "gate-07/3", what: expect.stringContaining("the journal ends at 2") },
    ]);
    expect(compare(sent(entries), entries.slice(1))).toMatchObject({ same: 2, dropped: 1, differences: [] });
    expect(compare(sent(entries), [entries[0]!, entries[2]!]).differences).toEqual([
      { id: "gate-07/2", what: "the centre has it, and the journal does not" },
    ]);
  });

  test("tells the centre when it is the centre's copy that was changed", () => {
    const entries = journal(CARDS);
    const centre = sent(entries);
    centre[1] = centre[1]!.replace("567891", "999999");
    expect(compare(centre, entries).differences).toEqual([
      { id: "gate-07/2", what: expect.stringContaining("the centre's event says otherwise") },
    ]);
    expect(compare([...sent(entries), centre[1]], entries).differences).toEqual([
      { id: "gate-07/2", what: expect.stringContaining("two that say different things") },
    ]);
  });

  test("knows what was sent from memory by its id, written down later or never", () => {
    const id = "gate-07/b/1";
    const entries = journal(CARDS, new Map([[2, id]]));
    const volatile = JSON.stringify(eventOfVolatile(id, entries[1]!.line, SENDER));
    const never = JSON.stringify(eventOfVolatile("gate-07/b/2", entries[1]!.line, SENDER));
    const expected = { events: 3, same: 2, unwritten: 1, differences: [] };
    expect(compare([volatile, sent(entries)[0]!, never], entries)).toMatchObject(expected);
    const [first = "", second = ""] = sent(entries);
    expect(compare([volatile, second, first, never], entries)).toMatchObject(expected);
    // Dropped with the oldest segment: its sequence tells, its id does not.
    expect(compare([second], entries.slice(2))).toMatchObject({ dropped: 1, differences: [] });
  });

  test("lists so many differences and counts the others", () => {
    const many = journal(Array.from({ length: 9 }, (_, index) => `BB-1234-56789${index}`));
    const centre = Array.from({ length: 150 }, (_, index) => {
      const event = eventOfLine({ ...many[0]!.line, seq: index + 100 }, "c", SENDER);
      return JSON.stringify(event);
    });
    const { differences, unlisted } = compare(centre, many);
    expect([differences.length, unlisted]).toEqual([100, 50]);
  });
});
