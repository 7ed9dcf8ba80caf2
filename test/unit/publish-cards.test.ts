/** What becomes of single cards: set, ended for ever, said in deltas. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cardRows, publishCards } from "../../sync/publish.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import { linesOf, manyCards, numberOf, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

describe("what has ended", () => {
  const cards = manyCards(100);
  const ended = cards.map((card, index) => (index === 3 ? { ...card, status: "terminated" as const } : card));

  it("is not brought back by a CSV, nor by a set, nor turned into another end", async () => {
    await workshop.publish(ended);
    expect(await linesOf(workshop.publish(cards))).toEqual([
      "row 5: BB-2401-000003 is terminated and can never be active again; a new card has a new number",
      "nothing was published",
    ]);
    expect(await linesOf(workshop.set(numberOf(3), "active"))).toEqual([
      expect.stringMatching(/terminated and can never be active/),
    ]);
    expect(await linesOf(workshop.set(numberOf(3), "superseded"))).toEqual([
      expect.stringMatching(/can never be superseded/),
    ]);
    expect((await workshop.verify()).revision).toBe(1);
  });

  it.each([
    ["terminated", "superseded"],
    ["superseded", "terminated"],
    ["superseded", "active"],
  ] as const)("is %s, and not made %s by a CSV, also when it had left the list", async (was, next) => {
    const withThird = (status: CardRow["status"]) =>
      cards.map((card, index) => (index === 3 ? { ...card, status } : card));
    const refused = [
      `row 5: BB-2401-000003 is ${was} and can never be ${next} again; a new card has a new number`,
      "nothing was published",
    ];
    await workshop.publish(withThird(was));
    expect(await linesOf(workshop.publish(withThird(next)))).toEqual(refused);
    await workshop.set(numberOf(3), "removed");
    expect(await linesOf(workshop.publish(withThird(next)))).toEqual(refused);
  });

  it.each(["a CSV", "a set"])(
    "is remembered when %s takes it off, and may come back as it was",
    async (by) => {
      await workshop.publish(ended);
      if (by === "a set") await workshop.set(numberOf(3), "removed");
      else await workshop.publish(ended.filter((_, index) => index !== 3));
      expect((await workshop.lists()).lines.get("cards/1-2.csv.gz")).toEqual(["BB-2401-000003,removed,,"]);
      await workshop.set(numberOf(4), "blocked");
      const again = ended.map((card, index) =>
        index === 4 ? { ...card, status: "blocked" as const } : card,
      );
      expect(await linesOf(workshop.publish(cards))).toContain(
        "row 5: BB-2401-000003 is terminated and can never be active again; a new card has a new number",
      );
      expect(await workshop.publish(again)).toMatchObject({ kind: "published", change: { added: 1 } });
    },
  );
});

describe("set", () => {
  it("changes one card, and says so in a delta of one row", async () => {
    await workshop.publish(manyCards(100));
    expect(await workshop.set(numberOf(42), "suspended")).toEqual({
      from: 1,
      to: 2,
      before: { status: "active", validUntilDay: 21_000 },
    });
    const { lines } = await workshop.lists();
    const line = "BB-2401-000042,suspended,2027-07-01,uid:0400000000002A";
    expect(lines.get("cards/1-2.csv.gz")).toEqual([line]);
    expect(lines.get("cards/2.csv.gz")![42]).toBe(line);
    expect(lines.get("cards/2.csv.gz")).toHaveLength(100);
  });

  it("changes the last day, or takes it away", async () => {
    await workshop.publish(manyCards(100));
    await workshop.set(numberOf(1), "active", 22_000);
    await workshop.set(numberOf(2), "active", null);
    const { lines } = await workshop.lists();
    expect(lines.get("cards/3.csv.gz")!.slice(1, 3)).toEqual([
      "BB-2401-000001,active,2030-03-27,uid:04000000000001",
      "BB-2401-000002,active,,uid:04000000000002",
    ]);
  });

  it("makes no revision of what is so already, nor of a card nobody has", async () => {
    expect(await linesOf(workshop.set(numberOf(1), "blocked"))).toEqual([
      expect.stringMatching(/no list yet/),
    ]);
    await workshop.publish(manyCards(10));
    expect(await workshop.set(numberOf(1), "active")).toMatchObject({ from: 1, to: 1 });
    expect(await linesOf(workshop.set(numberOf(77), "blocked"))).toEqual([
      expect.stringMatching(/is not on the list/),
    ]);
  });
});

describe("a CSV that takes back what was set", () => {
  const publish = (cards: CardRow[], dryRun: boolean, say: (notice: string) => void = () => {}) =>
    publishCards(workshop.place, cardRows(cards), { allowChange: 0, dryRun }, workshop.centre, say);
  const undone = async (cards: CardRow[]) => {
    const { change } = await workshop.publish(cards);
    return [change.undone, change.undoneCards.map(({ number, set, csv }) => `${number} ${set} -> ${csv}`)];
  };
  const changedAt = (at: number, change: Partial<CardRow>) =>
    manyCards(100).map((card, index) => (index === at ? { ...card, ...change } : card));

  it("is published, and says which cards, once", async () => {
    await workshop.publish(manyCards(100));
    await workshop.set(numberOf(3), "suspended");
    await workshop.set(numberOf(3), "blocked");
    await workshop.set(numberOf(4), "removed");
    await workshop.set(numberOf(5), "active", 21_500);
    expect(await undone(manyCards(100))).toEqual([
      3,
      [
        `${numberOf(3)} blocked -> active`,
        `${numberOf(4)} removed -> active`,
        `${numberOf(5)} active -> active`,
      ],
    ]);
    expect(await undone(changedAt(9, { status: "blocked" }))).toEqual([0, []]);
  });

  it("is told on a dry run too, and forgets nothing by it", async () => {
    await workshop.publish(manyCards(100));
    await workshop.set(numberOf(3), "blocked");
    for (const _ of [1, 2]) {
      const dry = await publish(manyCards(100), true);
      expect(dry).toMatchObject({ kind: "dry-run", change: { undone: 1 } });
    }
  });

  it("says nothing of cards that it, too, says so, nor of those that end, nor of a set that came to nothing", async () => {
    await workshop.publish(manyCards(100));
    await workshop.set(numberOf(3), "blocked");
    await workshop.set(numberOf(4), "blocked");
    await workshop.set(numberOf(4), "active");
    expect(await undone(changedAt(3, { status: "blocked" }))).toEqual([0, []]);
    // From here on the CSV is what holds, and may say that the block is over.
    expect(await undone(manyCards(100))).toEqual([0, []]);
    await workshop.set(numberOf(3), "blocked");
    expect(await undone(changedAt(3, { status: "terminated" }))).toEqual([0, []]);
  });

  it("is published also when nobody knows what was set, and says that", async () => {
    await workshop.publish(manyCards(100));
    await workshop.set(numberOf(3), "blocked");
    await writeFile(join(workshop.place.keysDir, "set.json"), "[[1]]");
    const said: string[] = [];
    const outcome = await publish(manyCards(100), false, (notice) => said.push(notice));
    expect(outcome).toMatchObject({ kind: "published", change: { undone: 0 } });
    expect(said).toEqual([expect.stringMatching(/set\.json cannot be read .*: not known which cards/)]);
  });
});

describe("deltas", () => {
  const card = fc.record({
    number: fc.integer({ min: 0, max: 11 }).map(numberOf),
    status: fc.constantFrom("active", "blocked", "suspended", "not-activated"),
    validUntilDay: fc.option(fc.integer({ min: 20_000, max: 20_003 })),
    tokens: fc.constantFrom([], ["AA"], ["AA", "BB"]),
  });
  /** Tokens are made the card's own. */
  const list = fc.uniqueArray(card, { selector: ({ number }) => number, maxLength: 12 }).map((cards) =>
    cards.map(({ number, tokens, ...rest }) => ({
      ...rest,
      number,
      tokens: tokens.map((end) => `04${number.slice(-6)}000000`.slice(0, 12) + end),
    })),
  );
  const base = manyCards(60).map((each) => ({ ...each, number: each.number.replace("2401", "2402") }));

  it("say together what the whole list says", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(list, { minLength: 2, maxLength: 5 }), async (versions) => {
        const fresh = await Workshop.open();
        const mine = workshop;
        workshop = fresh;
        try {
          let first: string[] | null = null;
          for (const version of versions) {
            await workshop.publish([...base, ...(version as CardRow[])], 1_000);
            first ??= (await workshop.lists()).lines.get("cards/1.csv.gz")!;
          }
          const { targets, lines } = await workshop.lists();
          const whole = targets.find((target) => target.base === null)!;
          const folded = new Map(first!.map((line) => [line.slice(0, 14), line]));
          let at = 1;
          while (at < whole.revision) {
            const delta = targets.find((target) => target.base === at);
            if (delta === undefined) return;
            expect(delta.cards).toBeGreaterThan(0);
            for (const line of lines.get(delta.path)!) {
              if (line.includes(",removed,")) folded.delete(line.slice(0, 14));
              else folded.set(line.slice(0, 14), line);
            }
            at = delta.revision;
          }
          expect([...folded.values()].sort()).toEqual(lines.get(whole.path));
          if (whole.revision > 1) compared += 1;
        } finally {
          workshop = mine;
          await fresh.close();
        }
      }),
      { numRuns: 12 },
    );
    // Some nine of twelve; the fewer are asked for, the rarer is a run in which chance alone fails.
    expect(compared).toBeGreaterThan(0);
  });

  it("go back as far as they pay, and old files go", async () => {
    await workshop.publish(manyCards(200));
    for (let index = 0; index < 30; index++) await workshop.set(numberOf(index), "blocked");
    const { targets } = await workshop.lists();
    const whole = targets.find((target) => target.base === null)!;
    const deltas = targets.filter((target) => target.base !== null);
    const bytes = deltas.reduce((sum, delta) => sum + delta.lengthBytes, 0);
    expect(bytes).toBeLessThanOrEqual(whole.lengthBytes);
    expect(deltas.length).toBeGreaterThan(3);
    expect(deltas.length).toBeLessThan(30);
    expect(deltas.map((delta) => delta.revision)).toEqual(deltas.map((_, age) => 31 - age));
    const names = await readdir(workshop.place.dir);
    expect(names.filter((name) => name.endsWith(".targets.json"))).toHaveLength(8);
    const wholes = (await readdir(join(workshop.place.dir, "targets/cards"))).filter((name) =>
      /\.\d+\.csv/.test(name),
    );
    expect(wholes).toHaveLength(8);
    expect((await workshop.verify()).faults).toEqual([]);
  });
});
