/** Publishing a list: canonical, whole or not at all, and only when it is believable. */
import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { STATUSES } from "../../sync/card.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import { HEADER } from "../../sync/rows.ts";
import { DAY_MS, linesOf, manyCards, numberOf, START_MS, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

describe("publish", () => {
  it("writes the list in canonical form, and says what changed", async () => {
    const outcome = await workshop.publishCsv(
      `${HEADER}\nbb 1234 567890,Blocked,,uid:deadbeef uid:04a1b2c3d4e5f6\nAA-0001-000001,active,2027-12-31,\n`,
    );
    expect(outcome).toMatchObject({
      kind: "published",
      from: null,
      to: 1,
      change: { added: 2, vanished: 0, changed: 0 },
    });
    const { lines } = await workshop.lists();
    expect(lines.get("cards/1.csv.gz")).toEqual([
      "AA-0001-000001,active,2027-12-31,",
      "BB-1234-567890,blocked,,uid:04A1B2C3D4E5F6 uid:DEADBEEF",
    ]);
  });

  it("describes each list by revision, base and cards, as other tools read it", async () => {
    await workshop.publish(manyCards(100));
    await workshop.set(numberOf(1), "removed");
    const { signed } = JSON.parse((await workshop.read("3.targets.json")).toString());
    const described = Object.entries<{ custom: unknown }>(signed.targets).map(([path, { custom }]) => [
      path,
      custom,
    ]);
    expect(Object.fromEntries(described)).toEqual({
      "cards/2.csv.gz": { revision: 2, base: null, cards: 99 },
      "cards/1-2.csv.gz": { revision: 2, base: 1, cards: 99 },
    });
  });

  it("sorts what came in any order", async () => {
    const cards = manyCards(300);
    await workshop.publish([...cards].reverse());
    const { lines } = await workshop.lists();
    expect(lines.get("cards/1.csv.gz")!.map((line) => line.slice(0, 14))).toEqual(
      cards.map((card) => card.number),
    );
  });

  it("publishes nothing for one faulty row, and names every fault", async () => {
    await workshop.publish(manyCards(10));
    const before = await readdir(workshop.place.dir, { recursive: true });
    const csv = [
      HEADER,
      "BB-2401-000001,active,,uid:04A1B2C3D4E5F6",
      "x,active,,",
      "BB-2401-000001,blocked,,",
      "BB-2401-000003,expired,,",
      "BB-2401-000004,active,,uid:04A1B2C3D4E5F6 uid:04000000000001",
      "BB-2401-000005,active,,uid:04000000000001AAAAAA",
      "BB-2401-000006,active,,uid:04000000000001AAAAAA",
    ];
    expect(await linesOf(workshop.publishCsv(csv.join("\n")))).toEqual([
      expect.stringMatching(/^row 3: "x" is no card number/),
      "row 4: BB-2401-000001 is in row 2, too",
      expect.stringMatching(/^row 5: expired is no status/),
      "row 6: one of its tokens is in row 2, too",
      "row 8: one of its tokens is in row 7, too",
      "nothing was published",
    ]);
    expect(await readdir(workshop.place.dir, { recursive: true })).toEqual(before);
  });

  it("shows so many faults and no more", async () => {
    const lines = await linesOf(
      workshop.publishCsv([HEADER, ...Array<string>(5_000).fill("x,active,,")].join("\n")),
    );
    expect(lines).toHaveLength(102);
    expect(lines[100]).toMatch(/may be more/);
  });

  it("makes no revision of a list that says the same, but renews the timestamp", async () => {
    await workshop.publish(manyCards(10));
    workshop.clock.wall += DAY_MS;
    expect(await workshop.publish(manyCards(10))).toMatchObject({ kind: "unchanged", from: 1, to: 1 });
    const report = await workshop.verify();
    expect(report).toMatchObject({
      revision: 1,
      timestampExpiresMs: START_MS + 8 * DAY_MS,
      publishedAtMs: START_MS,
    });
  });

  it("writes nothing on a dry run", async () => {
    await workshop.publish(manyCards(10));
    const before = await workshop.read("timestamp.json");
    const csv = `${HEADER}\n${manyCards(10)
      .map((card) => `${card.number},blocked,,`)
      .join("\n")}`;
    expect(await workshop.publishCsv(csv, { dryRun: true })).toMatchObject({
      kind: "dry-run",
      to: 2,
      change: { changed: 10 },
    });
    expect(await workshop.read("timestamp.json")).toEqual(before);
    await workshop.publishCsv(csv);
    const published = await workshop.read("timestamp.json");
    workshop.clock.wall += DAY_MS;
    expect(await workshop.publishCsv(csv, { dryRun: true })).toMatchObject({ kind: "unchanged", to: 2 });
    expect(await workshop.read("timestamp.json")).toEqual(published);
  });

  it("lets one command at a time at the feed", async () => {
    await workshop.publish(manyCards(10));
    const held = await workshop.centre.lock(workshop.place.keysDir);
    expect(await linesOf(workshop.set(numberOf(1), "blocked"))).toEqual([
      expect.stringMatching(/another feed command/),
    ]);
    await held!.release();
    await workshop.set(numberOf(1), "blocked");
  });

  it("does not go on from a feed that was tampered with", async () => {
    await workshop.publish(manyCards(10));
    await workshop.forge("timestamp.json", () => {}, ["snapshot"]);
    expect(await linesOf(workshop.publish(manyCards(11)))).toEqual([
      expect.stringMatching(/does not verify \(bad-signature\)/),
    ]);
  });
});

describe("guards", () => {
  const withStatus = (cards: CardRow[], count: number, status: (typeof STATUSES)[number]) =>
    cards.map((card, index) => (index < count ? { ...card, status } : card));

  it.each([
    ["2 % that vanish", (cards: CardRow[]) => cards.slice(20), "published", 0],
    ["more that vanish", (cards: CardRow[]) => cards.slice(21), "refused", 0],
    ["more that vanish, allowed", (cards: CardRow[]) => cards.slice(21), "published", 21],
    ["more than were allowed", (cards: CardRow[]) => cards.slice(22), "refused", 21],
    ["2 % that vanish, where fewer are allowed", (cards: CardRow[]) => cards.slice(20), "published", 1],
    ["an empty list", () => [], "refused", 0],
    ["0.5 % that turn terminated", (cards: CardRow[]) => withStatus(cards, 5, "terminated"), "published", 0],
    ["more that turn terminated", (cards: CardRow[]) => withStatus(cards, 6, "terminated"), "refused", 0],
    ["more that turn superseded", (cards: CardRow[]) => withStatus(cards, 6, "superseded"), "refused", 0],
    [
      "more that turn terminated, allowed",
      (cards: CardRow[]) => withStatus(cards, 6, "terminated"),
      "published",
      6,
    ],
    ["all that turn blocked", (cards: CardRow[]) => withStatus(cards, 1_000, "blocked"), "published", 0],
  ])("%s", async (_, change, kind, allowed) => {
    const cards = manyCards(1_000);
    await workshop.publish(cards);
    const outcome = await workshop.publish(change(cards), allowed);
    expect(outcome.kind).toBe(kind);
    if (kind === "refused") expect(outcome.why[0]).toMatch(/--allow-change \d+$/);
    expect((await workshop.verify()).revision).toBe(kind === "published" ? 2 : 1);
  });
});
