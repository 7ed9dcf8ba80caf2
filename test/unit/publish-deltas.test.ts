/** Deltas at the centre: what they say is what the whole list says, by every way a gateway may take. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { FeedTarget } from "../../sync/feed-metadata.ts";
import { shortestWay } from "../../sync/feed-way.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import { collect, linesOf, manyCards, numberOf, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

/** Lines by number. */
type State = Map<string, string>;
type Lists = Awaited<ReturnType<Workshop["lists"]>>;

function fold(state: State, way: readonly FeedTarget[], { lines }: Lists): State {
  let now = state;
  for (const { path, base } of way) {
    now = new Map(base === null ? [] : now);
    for (const line of lines.get(path)!) {
      const number = line.slice(0, 14);
      if (line.endsWith(",removed,,")) now.delete(number);
      else now.set(number, line);
    }
  }
  return now;
}

const sorted = (state: State) => [...state.values()].sort();

describe("whatever is published and set", () => {
  const numbers = fc.integer({ min: 0, max: 9 });
  const statuses = fc.constantFrom("active", "blocked", "suspended", "not-activated");
  const card = fc.record({ index: numbers, status: statuses });
  const list = fc.uniqueArray(card, { selector: ({ index }) => index, maxLength: 10 });
  const deed = fc.oneof(
    fc.record({ kind: fc.constant("publish" as const), list }),
    fc.record({ kind: fc.constant("set" as const), index: numbers, status: statuses }),
    fc.record({ kind: fc.constant("set" as const), index: numbers, status: fc.constant("removed" as const) }),
  );
  const base = manyCards(60).map((each) => ({ ...each, number: each.number.replace("2401", "2402") }));
  const cardsOf = (cards: { index: number; status: string }[]) =>
    [...base, ...cards.map(({ index, status }) => ({ ...manyCards(10)[index]!, status }))].map(
      (each, index) => ({ ...each, tokens: [`04${index.toString(16).toUpperCase().padStart(12, "0")}`] }),
    ) as CardRow[];

  it("each way from each revision leads to the same list", async () => {
    let ways = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 4, maxLength: 10 }), async (deeds) => {
        const fresh = await Workshop.open();
        try {
          await fresh.publish(cardsOf([{ index: 0, status: "active" }]));
          const states = new Map<number, State>();
          for (const [step, each] of [null, ...deeds].entries()) {
            if (each?.kind === "publish") await fresh.publish(cardsOf(each.list), 1_000);
            else if (each !== null) await fresh.step(numberOf(each.index), each.status).catch(() => null);
            const lists = await fresh.lists();
            const way = shortestWay(null, lists.targets)!;
            const newest = way.at(-1)!.revision;
            const state = fold(new Map(), way, lists);
            expect(state.size).toBe(way.at(-1)!.cards);
            if (each?.kind === "publish") expect(state.size).toBe(60 + each.list.length);
            expect(states.has(newest) ? sorted(states.get(newest)!) : sorted(state)).toEqual(sorted(state));
            states.set(newest, state);
            if (step < deeds.length) continue;
            for (const target of lists.targets) {
              for (let at = target.base ?? newest; at < target.revision; at++) {
                const after = fold(states.get(at)!, [target], lists);
                expect(sorted(after)).toEqual(sorted(states.get(target.revision)!));
                ways += 1;
              }
            }
            for (const [revision, before] of states) {
              const taken = shortestWay(revision, lists.targets)!;
              expect(sorted(fold(before, taken, lists))).toEqual(sorted(state));
            }
            expect((await fresh.verify()).faults).toEqual([]);
          }
        } finally {
          await fresh.close();
        }
      }),
      { numRuns: 6 },
    );
    // Some twenty.
    expect(ways).toBeGreaterThan(0);
  });
});

describe("set on a long list", () => {
  const cards = manyCards(20_000);
  let published: Workshop;
  beforeAll(async () => {
    published = await Workshop.open();
    await published.publish(cards);
  });
  afterAll(() => published.close());
  beforeEach(async () => {
    await workshop.close();
    workshop = await published.copy();
  });

  it("writes deltas only: one from the revision before and one from the whole list", async () => {
    for (const index of [0, 12_345, 19_999]) await workshop.step(numberOf(index), "blocked");
    const { targets, lines } = await workshop.lists();
    expect(targets.map(({ path }) => path).sort()).toEqual([
      "cards/1-2.csv.gz",
      "cards/1-4.csv.gz",
      "cards/1.csv.gz",
      "cards/2-3.csv.gz",
      "cards/3-4.csv.gz",
    ]);
    expect(lines.get("cards/1-4.csv.gz")).toEqual([
      "BB-2401-000000,blocked,2027-07-01,uid:04000000000000",
      "BB-2401-012345,blocked,2027-07-01,uid:04000000003039",
      "BB-2401-019999,blocked,2027-07-01,uid:04000000004E1F",
    ]);
    expect(await workshop.step(numberOf(12_345), "active")).toMatchObject({ before: { status: "blocked" } });
    expect(await workshop.verify()).toMatchObject({ revision: 5, cards: 20_000, faults: [] });
  });

  it("knows what is not there, what was taken off and what has ended", async () => {
    await workshop.publish(cards.filter((_, index) => index !== 7 && index !== 19_999));
    for (const index of [7, 19_999, 999_999]) {
      expect(await linesOf(workshop.step(numberOf(index), "blocked"))).toEqual([
        expect.stringMatching(/is not on the list/),
      ]);
    }
    await workshop.step(numberOf(8), "removed");
    expect(await linesOf(workshop.step(numberOf(8), "active"))).toEqual([
      expect.stringMatching(/is not on the list/),
    ]);
    await workshop.step(numberOf(9), "terminated");
    expect(await linesOf(workshop.step(numberOf(9), "active"))).toEqual([
      expect.stringMatching(/can never be/),
    ]);
    await workshop.step(numberOf(9), "removed");
    expect(await workshop.verify()).toMatchObject({ revision: 5, cards: 19_996, faults: [] });
  });

  it.each([
    ["is gone", (path: string) => rm(path)],
    ["is damaged", (path: string) => writeFile(path, "{")],
    ["is another's", (path: string) => writeFile(path, '{"sha256":"00","members":[]}')],
  ])("writes a whole list again where its directory %s, and is quick from then on", async (_, spoil) => {
    await workshop.step(numberOf(1), "blocked");
    await spoil(join(workshop.place.keysDir, "list.json"));
    await workshop.step(numberOf(2), "blocked");
    const wholes = async () =>
      (await workshop.lists()).targets.filter(({ base }) => base === null).map(({ path }) => path);
    expect(await wholes()).toEqual(["cards/3.csv.gz"]);
    await workshop.step(numberOf(3), "blocked");
    expect(await wholes()).toEqual(["cards/3.csv.gz"]);
    expect(await workshop.verify()).toMatchObject({ revision: 4, cards: 20_000, faults: [] });
  });

  it("does not go on from a list that is not as it was written", async () => {
    const folder = join(workshop.place.dir, "targets/cards");
    const path = join(folder, (await readdir(folder))[0]!);
    const bytes = await readFile(path);
    bytes[5_000]! ^= 1;
    await writeFile(path, bytes);
    const says = [expect.stringMatching(/cards\/1.csv.gz .*put back a good copy/)];
    expect(await linesOf(workshop.step(numberOf(5), "blocked"))).toEqual(says);
    expect(await linesOf(workshop.set(numberOf(5), "blocked"))).toEqual(says);
    expect(await linesOf(workshop.publish(manyCards(20_001)))).toEqual(says);
  });
});

it("a list of many parts is one gzip to every reader, wherever the network cuts it", async () => {
  await workshop.publish(manyCards(60_000));
  const feed = workshop.client();
  await feed.refresh();
  const { targets, lines } = await workshop.lists();
  expect(lines.get("cards/1.csv.gz")).toHaveLength(60_000);
  const bytes = await collect(feed.download(targets[0]!));
  const { members } = JSON.parse((await readFile(join(workshop.place.keysDir, "list.json"))).toString()) as {
    members: [number, number, string][];
  };
  expect(members.length).toBeGreaterThan(2);
  const boundary = members[0]![1];
  for (const cut of [boundary - 1, boundary, boundary + 1, boundary + 2]) {
    let sizeBytes = 0;
    await pipeline(
      Readable.from([bytes.subarray(0, cut), bytes.subarray(cut)]),
      createGunzip(),
      async (text: AsyncIterable<Uint8Array>) => {
        for await (const piece of text) sizeBytes += piece.length;
      },
    );
    expect(sizeBytes).toBe(60_000 * 52 + 33);
  }
});

describe("the shortest way", () => {
  const list = (base: number | null, revision: number, lengthBytes: number): FeedTarget => ({
    path: "",
    revision,
    base,
    cards: 1,
    lengthBytes,
    sha256: "",
  });
  const whole = list(null, 5, 1_000_000);
  const steps = [list(4, 5, 100), list(5, 6, 100), list(6, 7, 100)];
  const across = list(5, 7, 150);

  it.each([
    ["from nothing: the whole list and one delta", null, [whole, across]],
    ["from the revision before: one step", 6, [steps[2]]],
    ["from a whole list: what is fewest", 5, [across]],
    ["from further back: step and delta", 4, [steps[0], across]],
    ["from too far back: as from nothing", 3, [whole, across]],
    ["from the newest: nothing", 7, []],
  ])("%s", (_, from, way) => {
    expect(shortestWay(from, [whole, ...steps, across])).toEqual(way);
  });

  it("applies a delta between its ends, and prefers a short whole list to long deltas", () => {
    expect(shortestWay(6, [whole, across])).toEqual([across]);
    expect(shortestWay(4, [list(null, 7, 500), list(4, 7, 40_000)])).toEqual([list(null, 7, 500)]);
  });

  it("is none where nothing leads to the newest", () => {
    expect(shortestWay(3, [])).toBeNull();
    expect(shortestWay(3, [list(5, 6, 1)])).toBeNull();
    expect(shortestWay(8, [list(5, 6, 1)])).toBeNull();
  });
});

it("verify finds a delta that leads to another number of cards than it says", async () => {
  await workshop.publish(manyCards(50));
  await workshop.step(numberOf(1), "removed");
  await workshop.forge("3.targets.json", (signed) => {
    signed.targets["cards/1-2.csv.gz"].custom.cards = 50;
  });
  await workshop.describe(3);
  expect((await workshop.verify()).faults).toEqual(["cards/1-2.csv.gz leads to 49 cards, and says 50"]);
});
