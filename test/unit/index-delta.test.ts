import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BuildSession } from "../../sync/build-session.ts";
import { type CardAnswer, mayBecome, STATUSES, type Status } from "../../sync/card.ts";
import type { Correction } from "../../sync/feed-corrections.ts";
import { Index } from "../../sync/index.ts";
import { CUTS } from "../../sync/index-cuts.ts";
import type { IndexImage } from "../../sync/index-file.ts";
import { mergeLayers } from "../../sync/index-merge.ts";
import {
  card,
  type DeltaRow,
  deltaOf,
  imagesOf,
  indexOf,
  type ListCard,
  modelAnswer,
  removed,
  SEAL,
  textOf,
} from "./sync-lists.ts";

// Few of each, so that cards come back, tokens move from one to another, and two have the same.
const NUMBERS = ["BB-2401-000001", "BB-2401-000002", "BB-2402-000003", "BB-9999-999999", "LL-0000-000000"];
const UIDS = ["04A1B2C3D4E5F6", "04A1B2C3D4E5F7", "04A1B2C3", "F604A1B2C3D4E5F60102", "3B000000"];
const CUT_UIDS = ["04A1B2", "04A1B2C3", "D4E5F6", "C3D4E5F6", "04A1B2C3D4E5F6", "000000"];

const anyList: fc.Arbitrary<ListCard[]> = fc.uniqueArray(
  fc.record({
    number: fc.constantFrom(...NUMBERS),
    status: fc.constantFrom(...STATUSES),
    validUntilDay: fc.constantFrom(null, 20_000, 30_000),
    uids: fc.uniqueArray(fc.constantFrom(...UIDS), { maxLength: 2 }),
  }),
  { selector: ({ number }) => number, maxLength: NUMBERS.length },
);
const anyHistory = fc.array(anyList, { minLength: 2, maxLength: 6 });

/** The rule in the plainest words: what a gateway must hold that saw these lists one after the other. */
class Model {
  readonly cards = new Map<string, ListCard>();
  private readonly ends = new Map<string, { status: Status; validUntilDay: number | null }>();
  ignored = 0;

  take(rows: readonly DeltaRow[]): void {
    for (const { status, ...row } of rows) {
      if (status === "removed") {
        const { number } = row;
        const end = this.ends.get(number);
        if (end !== undefined) this.ends.set(number, { ...end, validUntilDay: null });
        this.cards.delete(number);
        continue;
      }
      const end = this.ends.get(row.number);
      const holds = end === undefined || mayBecome(end.status, status);
      if (!holds) this.ignored += 1;
      const now = holds ? { ...row, status } : { ...row, ...end };
      this.cards.set(row.number, now);
      const { validUntilDay } = now;
      if (now.status === "terminated" || now.status === "superseded")
        this.ends.set(row.number, { status: now.status, validUntilDay });
    }
  }

  get list(): ListCard[] {
    return [...this.cards.values()];
  }
}

function expectAnswers(index: Index, cards: readonly ListCard[]): void {
  expect(index.cards).toBe(cards.length);
  // One look at all of them: a hundred are dear.
  expect([
    NUMBERS.map((number) => index.byNumber(number)),
    UIDS.map((uid) => index.byToken(uid, "whole")),
    CUT_UIDS.map((cut) => index.byToken(cut, "first")),
    CUT_UIDS.map((cut) => index.byToken(cut, "last")),
  ]).toEqual([
    NUMBERS.map((number) => modelAnswer(cards, (one) => one.number === number)),
    UIDS.map((uid) => modelAnswer(cards, ({ uids }) => uids.includes(uid))),
    CUT_UIDS.map((cut) => modelAnswer(cards, ({ uids }) => uids.some((uid) => uid.startsWith(cut)))),
    CUT_UIDS.map((cut) => modelAnswer(cards, ({ uids }) => uids.some((uid) => uid.endsWith(cut)))),
  ]);
}

/** What comes of a delta over layers, of which all but the newest stay. */
function takeDelta(
  layers: readonly IndexImage[],
  rows: readonly DeltaRow[],
  { base, revision, cards }: { base: number; revision: number; cards: number },
  corrections: readonly Correction[] = [],
) {
  const lower = layers.slice(0, Math.max(1, layers.length - 1));
  const top = layers[lower.length] ?? null;
  const session = new BuildSession({ lower, top, cuts: CUTS, corrections, seal: SEAL });
  const order = { base, revision, publishedAtMs: null, cards };
  const builder = session.builder(order);
  builder.push(textOf(rows));
  const outcome = builder.finish();
  if (outcome.kind === "refused") return outcome;
  session.take(order, outcome);
  return { kind: "taken" as const, top: session.built.top!, lower, ignoredRows: outcome.ignoredRows };
}

function taken(...parameters: Parameters<typeof takeDelta>) {
  const outcome = takeDelta(...parameters);
  if (outcome.kind === "refused") throw new Error(outcome.why);
  return outcome;
}

describe("deltas", () => {
  it("bring the bits that say whom they do not speak of, and a merged list has none", () => {
    const cards = [card("BB-2401-000001", "active", "04A1B2C3D4E5F6"), card("BB-2402-000003")];
    const held = imagesOf(indexOf(cards));
    const session = new BuildSession({ lower: held, top: null, cuts: [], corrections: [], seal: SEAL });
    const order = { base: 1, revision: 2, publishedAtMs: null, cards: 2 };
    const builder = session.builder(order);
    builder.push(textOf([{ ...cards[0]!, status: "blocked" }]));
    const outcome = builder.finish();
    if (outcome.kind === "refused") throw new Error(outcome.why);
    session.take(order, outcome);
    const { parts } = session.built.top!;
    expect(parts.numberSieve).toHaveLength(1);
    expect(parts.tokenSieve!.some((word) => word !== 0)).toBe(true);
    const merged = mergeLayers([...held, session.built.top!], [], true, SEAL);
    expect([held[0]!, merged].map((image) => image.parts.numberSieve)).toEqual([null, null]);
  });

  it("tell since which revision a card stands as it does, until they are merged", () => {
    const [a, b, c] = NUMBERS as [string, string, string];
    const held = imagesOf(indexOf([card(a), card(b)]));
    const sincesOf = (layers: readonly IndexImage[]) => {
      const index = new Index(...layers);
      return [a, b, c].map((number) => index.sinceOf(number));
    };
    expect(sincesOf(held)).toEqual([{ after: null, by: 1 }, { after: null, by: 1 }, null]);
    const two = taken(held, [card(b, "blocked")], { base: 1, revision: 2, cards: 2 });
    expect(sincesOf([...two.lower, two.top])).toEqual([{ after: null, by: 1 }, { after: 1, by: 2 }, null]);
    const five = taken([...two.lower, two.top], [card(c)], { base: 2, revision: 5, cards: 3 });
    const layers = [...five.lower, five.top];
    expect(sincesOf(layers)).toEqual([
      { after: null, by: 1 },
      { after: 1, by: 5 },
      { after: 1, by: 5 },
    ]);
    const merged = { after: null, by: 5 };
    expect(sincesOf([mergeLayers(layers, [], true, SEAL)])).toEqual([merged, merged, merged]);
  });

  it("come to what the whole lists come to, whatever they say, and however they are merged", () => {
    // Before each delta: nothing, the newest layer is set among those that stay, or all layers are merged.
    const anySteps = fc.array(fc.constantFrom("go", "freeze", "merge"), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(anyHistory, anySteps, ([first, ...later], steps) => {
        const model = new Model();
        model.take(first!);
        let whole = indexOf(first!);
        let lower = imagesOf(whole);
        let top: IndexImage | null = null;
        let before = first!;
        later.forEach((list, i) => {
          if (steps[i] !== "go" && top !== null) {
            lower = [...lower, top];
            top = null;
          }
          if (steps[i] === "merge") lower = [mergeLayers(lower, CUTS, true, SEAL)];
          const rows = deltaOf(before, list);
          const order = { base: i + 1, revision: i + 2, publishedAtMs: null, cards: list.length };
          const session = new BuildSession({ lower, top, cuts: CUTS, corrections: [], seal: SEAL });
          const builder = session.builder(order);
          builder.push(textOf(rows));
          const outcome = builder.finish();
          if (outcome.kind === "refused") throw new Error(outcome.why);
          session.take(order, outcome);
          top = session.built.top!;
          const ignoredBefore = model.ignored;
          model.take(rows);
          expect(outcome.ignoredRows).toBe(model.ignored - ignoredBefore);
          whole = indexOf(list, whole, i + 2);
          before = list;
          const layers = [...lower, top];
          expectAnswers(new Index(...layers), model.list);
          expectAnswers(whole, model.list);
          const merged = mergeLayers(layers, [], true, SEAL);
          expectAnswers(new Index(merged), model.list);
          expect(merged.parts.numbers.cells).toHaveLength(imagesOf(whole)[0]!.parts.numbers.cells.length);
        });
      }),
      { numRuns: 100 },
    );
  });

  it("may be of thousands of rows: nobody says how many will come, nor with how many tokens", () => {
    const uid = (at: number, kind: number): string =>
      `04${kind}0${at.toString(16).toUpperCase().padStart(10, "0")}`;
    const whole = Array.from({ length: 5_000 }, (_, at) =>
      card(`BB-2401-${String(at).padStart(6, "0")}`, "active", uid(at, 1)),
    );
    const rows = whole.map((one, at) => ({
      ...one,
      status: "blocked" as const,
      uids: [1, 2, 3].map((kind) => uid(at, kind)),
    }));
    const { top, lower } = taken(imagesOf(indexOf(whole)), rows, { base: 1, revision: 2, cards: 5_000 });
    const index = new Index(...lower, top);
    const isBlocked = (answer: CardAnswer, number: string): boolean =>
      answer.kind === "card" && answer.card.number === number && answer.card.status === "blocked";
    const wrong = rows.filter(({ number, uids }) => {
      const answers = [index.byNumber(number), ...uids.map((token) => index.byToken(token, "whole"))];
      return !answers.every((answer) => isBlocked(answer, number));
    });
    expect(wrong).toEqual([]);
  });

  it("may be applied at their base and at any revision after it", () => {
    fc.assert(
      fc.property(anyHistory, fc.nat(), fc.nat(), (said, from, at) => {
        // What a centre publishes obeys the rule.
        const model = new Model();
        const lists = said.map((list) => {
          model.take(deltaOf(model.list, list));
          return model.list;
        });
        const revision = lists.length - 1;
        const held = at % revision;
        const base = from % (held + 1);
        const rows = deltasBetween(lists.slice(base));
        const layers = imagesOf(indexOf(lists[held]!, null, held));
        const cards = lists[revision]!.length;
        const { top, lower } = taken(layers, rows, { base, revision, cards });
        expectAnswers(new Index(...lower, top), lists[revision]!);
      }),
      { numRuns: 100 },
    );
  });

  it("are refused when they do not leave as many cards as their signed description says", () => {
    const layers = imagesOf(indexOf([card(NUMBERS[0]!), card(NUMBERS[1]!)]));
    const rows = [removed(NUMBERS[0]!), removed(NUMBERS[2]!), card(NUMBERS[3]!)];
    expect(takeDelta(layers, rows, { base: 1, revision: 2, cards: 3 })).toEqual({
      kind: "refused",
      name: "wrong-count",
      why: "it leaves 2 cards, its signed description says 3",
    });
    expect(takeDelta(layers, rows, { base: 1, revision: 2, cards: 2 }).kind).toBe("taken");
  });

  it("are refused when they name a card twice, by their rows", () => {
    const layers = imagesOf(indexOf([card(NUMBERS[0]!)]));
    const rows = [card(NUMBERS[1]!), card(NUMBERS[0]!), removed(NUMBERS[1]!)];
    expect(takeDelta(layers, rows, { base: 1, revision: 2, cards: 1 })).toEqual({
      kind: "refused",
      name: "bad-row",
      why: "row 4: the same card number as row 2",
    });
  });
});

describe("a correction", () => {
  const [number] = NUMBERS as [string];
  const ended = imagesOf(indexOf([card(number, "terminated")], null, 5));
  const gone = imagesOf(indexOf([], indexOf([card(number, "terminated")]), 5));
  const correction = (revision: number, from: Status = "terminated") => [{ number, from, revision }];
  const back = { base: 5, revision: 7, cards: 1 };

  it.each<[number, Status, string, number]>([
    [7, "terminated", "active", 0],
    [6, "terminated", "active", 0],
    [5, "terminated", "terminated", 1],
    [8, "terminated", "terminated", 1],
    [7, "superseded", "terminated", 1],
  ])(
    "for revision %i of a card that was %s leaves it %s after 5 to 7",
    (revision, from, status, ignoredRows) => {
      const outcome = taken(ended, [card(number, "active")], back, correction(revision, from));
      expect(outcome.ignoredRows).toBe(ignoredRows);
      expect(new Index(...outcome.lower, outcome.top).byNumber(number)).toMatchObject({ card: { status } });
    },
  );

  it("of an earlier end holds beside that of a later one, for who was away during both", () => {
    const twice = [...correction(6, "terminated"), ...correction(7, "superseded")];
    const outcome = taken(ended, [card(number, "active")], back, twice);
    expect(outcome.ignoredRows).toBe(0);
    expect(new Index(...outcome.lower, outcome.top).byNumber(number)).toMatchObject({
      card: { status: "active" },
    });
  });

  it.each([
    ["on the list, with a row", ended, [removed(number)]],
    ["off the list, with a row", gone, [removed(number)]],
    ["off the list, without a row", gone, []],
  ])("of a card that was %s, leaves nothing to be remembered", (_, layers, rows) => {
    const off = taken(layers, rows, { base: 5, revision: 6, cards: 0 }, correction(6));
    const after = [...off.lower, off.top];
    expect(mergeLayers(after, [], true, SEAL).parts.numbers.cells).toHaveLength(0);
    const on = taken(after, [card(number)], { base: 6, revision: 7, cards: 1 }, correction(6));
    expect(on.ignoredRows).toBe(0);
    expect(new Index(...on.lower, on.top).byNumber(number)).toMatchObject({ card: { status: "active" } });
  });

  it("does not undo an end that comes after it", () => {
    const off = taken(ended, [card(number, "superseded")], { ...back, revision: 6 }, correction(6));
    const layers = [...off.lower, off.top];
    expect(taken(layers, [card(number)], { ...back, base: 6 }, correction(6)).ignoredRows).toBe(1);
  });

  it.each([
    [ended, [card(number)], 1],
    [gone, [card(number)], 1],
    [ended, [], 0],
    [gone, [], 0],
  ])("counts for a whole list, too (%#)", (held, list, positions) => {
    const basis = { lower: held, top: null, cuts: [], corrections: correction(6), seal: SEAL };
    const order = { base: null, revision: 6, publishedAtMs: null, cards: list.length };
    const builder = new BuildSession(basis).builder(order);
    builder.push(textOf(list));
    const outcome = builder.finish();
    if (outcome.kind === "refused") throw new Error(outcome.why);
    expect(outcome.ignoredRows).toBe(0);
    expect(outcome.image.parts.numbers.cells).toHaveLength(positions);
    const status = list.length === 0 ? { kind: "unknown" } : { card: { status: "active" } };
    expect(new Index(outcome.image).byNumber(number)).toMatchObject(status);
  });
});

/** A delta over several lists: of each card that changed after the first, how it is in the last. */
function deltasBetween(lists: readonly ListCard[][]): DeltaRow[] {
  const last = new Map(lists.at(-1)!.map((one) => [one.number, one]));
  const numbers = new Set<string>();
  for (let i = 1; i < lists.length; i++) {
    for (const { number } of deltaOf(lists[i - 1]!, lists[i]!)) numbers.add(number);
  }
  return [...numbers].map((number) => last.get(number) ?? removed(number));
}
