/** A wrong end undone: by the root's keys only, and told to gateways before the list that needs it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packNumber, STATUSES } from "../../sync/card.ts";
import { CORRECTIONS_MAX, type Correction, forgottenBetween } from "../../sync/feed-corrections.ts";
import { type CorrectOutcome, correctCard } from "../../sync/publish-correct.ts";
import type { CardChange } from "../../sync/publish-set.ts";
import { linesOf, manyCards, numberOf, tampered, verified, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

function correct(number: string, change: CardChange, place = workshop.place): Promise<CorrectOutcome> {
  return correctCard(place, number, change, workshop.centre, () => {});
}

const cards = manyCards(300);
const withEnd = cards.map((card, index) => (index === 3 ? { ...card, status: "terminated" as const } : card));

describe("a correction", () => {
  it("gives a card on the list another status, and says so in the root", async () => {
    await workshop.publish(withEnd);
    const outcome = await correct(numberOf(3), { status: "active", validUntilDay: 21_500 });
    expect(outcome).toEqual({ from: 1, to: 2, was: "terminated", rootVersion: 2 });
    const { lines } = await workshop.lists();
    const line = "BB-2401-000003,active,2028-11-12,uid:04000000000003";
    expect(lines.get("cards/1-2.csv.gz")).toEqual([line]);
    const { corrections, rootVersion } = await verified(workshop.client());
    expect(rootVersion).toBe(2);
    expect(corrections).toEqual([{ number: numberOf(3), from: "terminated", revision: 2 }]);
    // From here on the list may say of it what it says of any other.
    const now = cards.map((card, index) => (index === 3 ? { ...card, validUntilDay: 21_500 } : card));
    expect(await workshop.publish(now)).toMatchObject({ kind: "unchanged" });
    await workshop.set(numberOf(3), "terminated");
    expect(await linesOf(workshop.set(numberOf(3), "active"))).toEqual([
      expect.stringMatching(/can never be active/),
    ]);
    expect((await workshop.verify()).faults).toEqual([]);
  });

  it("lets a CSV bring back a card that has left the list", async () => {
    await workshop.publish(withEnd);
    await workshop.publish(withEnd.filter((_, index) => index !== 3));
    expect(await linesOf(workshop.publish(cards))).toContainEqual(
      expect.stringMatching(/can never be active/),
    );
    expect(await linesOf(correct(numberOf(3), { status: "active" }))).toEqual([
      expect.stringMatching(/no longer on the list: correct it to removed, then publish/),
    ]);
    expect(await correct(numberOf(3), { status: "removed" })).toMatchObject({ from: 2, to: 3 });
    expect((await workshop.lists()).lines.get("cards/2-3.csv.gz")).toEqual([]);
    expect(await workshop.publish(cards)).toMatchObject({ kind: "published", to: 4, change: { added: 1 } });
    expect((await workshop.verify()).faults).toEqual([]);
  });

  it("is of a wrong end only", async () => {
    await workshop.publish(withEnd);
    const wrong: [string, CardChange["status"], RegExp][] = [
      [numberOf(4), "blocked", /is active, which feed set may change/],
      [numberOf(999), "active", /is not on the list, and no end of it is remembered/],
      [numberOf(3), "terminated", /is terminated already/],
    ];
    for (const [number, status, why] of wrong) {
      expect(await linesOf(correct(number, { status }))).toEqual([expect.stringMatching(why)]);
    }
    expect((await workshop.verify()).rootVersion).toBe(1);
    expect(await correct(numberOf(3), { status: "superseded" })).toMatchObject({ was: "terminated" });
  });

  it("needs the root's keys, and changes nothing without", async () => {
    await workshop.publish(withEnd);
    const away = { ...workshop.place, rootKeysDir: join(workshop.folder, "nowhere") };
    const before = await readdir(workshop.place.dir, { recursive: true });
    expect(await linesOf(correct(numberOf(3), { status: "active" }, away))).toEqual([
      expect.stringMatching(/the root key is needed/),
    ]);
    expect(await readdir(workshop.place.dir, { recursive: true })).toEqual(before);
  });

  it("stays through a root's renewal, and the newest stay when there are too many", async () => {
    await workshop.publish(withEnd);
    await correct(numberOf(3), { status: "active" });
    const field = "x-grindvakt-corrections";
    const many = Array.from({ length: CORRECTIONS_MAX }, (_, index) => ({
      number: numberOf(index),
      from: "superseded",
      revision: index + 1,
    }));
    await workshop.forge("2.root.json", (signed) => {
      signed[field] = many;
    });
    await workshop.write("root.json", await workshop.read("2.root.json"));
    workshop.clock.wall += 200 * 86_400_000;
    await workshop.refresh();
    expect((await verified(workshop.client())).corrections).toEqual(many);
    await workshop.set(numberOf(5), "terminated");
    await correct(numberOf(5), { status: "active" });
    const { corrections } = await verified(workshop.client());
    expect(corrections).toHaveLength(CORRECTIONS_MAX);
    expect(corrections!.at(-1)).toEqual({ number: numberOf(5), from: "terminated", revision: 4 });
    expect(corrections![0]).toEqual(many[1]);
  });
});

describe("a gateway", () => {
  it("takes no list before it has the root that corrects it", async () => {
    await workshop.publish(withEnd);
    const gate = `${workshop.folder}/gate`;
    await verified(workshop.client(workshop.source(), gate));
    await correct(numberOf(3), { status: "active" });
    // A cache that still says there is no second root.
    const stale = tampered(workshop.source(), (path) =>
      path === "2.root.json" ? { kind: "missing" } : null,
    );
    expect(await workshop.client(stale, gate).refresh()).toEqual({
      kind: "refused",
      name: "missing-file",
      why: "the lists need root 2, and 1 is the newest there is",
    });
    // The centre wrote both while we were between them.
    let asked = 0;
    const between = tampered(workshop.source(), (path) =>
      path === "2.root.json" && asked++ === 0 ? { kind: "missing" } : null,
    );
    const outcome = await verified(workshop.client(between, `${workshop.folder}/other`));
    expect(outcome).toMatchObject({ rootVersion: 2, corrections: [{ revision: 2 }] });
    expect((await verified(workshop.client(workshop.source(), gate))).rootVersion).toBe(2);
  });

  it.each([
    ["no list", {}],
    ["no card", [{ number: "BB-1", from: "terminated", revision: 1 }]],
    ["no end", [{ number: "BB-2401-000001", from: "blocked", revision: 1 }]],
    ["no revision", [{ number: "BB-2401-000001", from: "terminated", revision: 0 }]],
    [
      "too many",
      Array(CORRECTIONS_MAX + 1).fill({ number: "BB-2401-000001", from: "terminated", revision: 1 }),
    ],
  ])("refuses a root whose corrections are none: %s", async (_, corrections) => {
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge("2.root.json", (signed) => {
      signed.version = 2;
      signed["x-grindvakt-corrections"] = corrections;
    });
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "malformed" });
  });

  it("forgets an end once, on the way past the revision of its correction", () => {
    const number = numberOf(1);
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), fc.integer({ min: 1, max: 20 }), (a, b, revision) => {
        const [before, after] = [Math.min(a, b), Math.max(a, b)];
        const corrections: Correction[] = [{ number, from: "superseded", revision }];
        const forgotten = forgottenBetween(corrections, before, after);
        const isOnTheWay = before < revision && revision <= after;
        const ends = new Set([STATUSES.indexOf("superseded")]);
        expect([...forgotten]).toEqual(isOnTheWay ? [[packNumber(number), ends]] : []);
      }),
    );
  });
});

it("a power cut between the root and the list does no harm, and the correction may be made again", async () => {
  await workshop.publish(withEnd);
  const { files } = workshop.centre;
  const replace: typeof files.replace = (path, content) =>
    path.includes("targets")
      ? Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" }))
      : files.replace(path, content);
  const dying = { ...workshop.centre, files: { ...files, replace } };
  await expect(
    correctCard(workshop.place, numberOf(3), { status: "active" }, dying, () => {}),
  ).rejects.toThrow("EIO");
  expect(await verified(workshop.client())).toMatchObject({ rootVersion: 2 });
  expect(await correct(numberOf(3), { status: "active" })).toMatchObject({ to: 2, rootVersion: 3 });
  const { corrections } = await verified(workshop.client());
  expect(corrections).toHaveLength(2);
  expect((await readFile(join(workshop.place.dir, "root.json"))).toString()).toMatch(/"revision": 2/);
});
