/** What becomes of an index that is sealed otherwise than it is to be: an older version's, or another key's. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFiles } from "../../drivers/files.ts";
import { Index } from "../../sync/index.ts";
import { CUTS, type Cut } from "../../sync/index-cuts.ts";
import { type IndexImage, openImage } from "../../sync/index-file.ts";
import { mergeLayers } from "../../sync/index-merge.ts";
import { TokenTable, UidKey } from "../../sync/index-tokens.ts";
import { Shelf } from "../../sync/shelf.ts";
import { TokenSeal, UNKEYED } from "../../sync/token-seal.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimLog } from "../sim/log.ts";
import { named } from "../sim/named.ts";
import { SimRandom } from "../sim/random.ts";
import { card, deltaOf, imagesOf, indexOf, type ListCard, SEAL } from "./sync-lists.ts";
import { DIR, indexFiles, type Life, live, ScriptedFeed, started, UNREACHABLE } from "./sync-site.ts";

const OTHER = new TokenSeal(new Uint8Array(32).fill(3));
const SEVEN = "04A1B2C3D4E5F6";
const FOUR = "A1B2C3D4";
const LONG = "0102030405060708090A";
const LIST: ListCard[] = [
  card("BB-2401-000001", "active", SEVEN, FOUR),
  card("BB-2401-000002", "blocked", LONG),
  card("BB-2401-000003"),
];
const CHANGED: ListCard[] = [
  card("BB-2401-000001", "suspended", SEVEN),
  LIST[1]!,
  card("BB-2401-000004", "active", FOUR),
];

/** A disk with this list in force. */
async function diskWith(seal: TokenSeal, cuts: readonly Cut[] = []): Promise<SimDisk> {
  const disk = new SimDisk();
  const world = { files: createFiles(disk, new SimRandom(1)), log: new SimLog() };
  const shelf = new Shelf(DIR, { own: seal, others: [] }, { ...world, signal: new AbortController().signal });
  await shelf.load();
  await shelf.adopt(imagesOf(indexOf(LIST, null, 1, cuts, seal))[0]!, null, 5);
  return disk;
}

function away(): ScriptedFeed {
  const feed = new ScriptedFeed();
  feed.trouble = UNREACHABLE;
  return feed;
}

function answers(index: { byToken: Index["byToken"] }, list = LIST): void {
  for (const { number, status, uids } of list)
    for (const uid of uids)
      expect(index.byToken(uid, "whole")).toMatchObject({ kind: "card", card: { number, status } });
}

async function sealsOnDisk(disk: SimDisk): Promise<(string | undefined)[]> {
  const files = createFiles(disk, new SimRandom(2));
  const opened = await Promise.all(indexFiles(disk).map((path) => openImage(files, path, [SEAL, OTHER])));
  return opened.map((one) => (one.kind === "opened" ? one.image.seal.check : one.why));
}

/** What somebody with the disk alone makes of its tokens: all tables, undone as before there were keys. */
async function readWithoutKey(disk: SimDisk): Promise<string[]> {
  const found: string[] = [];
  for (const path of indexFiles(disk)) {
    const opened = await openImage(createFiles(disk, new SimRandom(2)), path, [SEAL]);
    if (opened.kind === "refused") throw new Error(opened.why);
    const { tokens, cuts } = opened.image.parts;
    for (const parts of [tokens, ...cuts]) {
      const key = new UidKey();
      const uid = new Uint8Array(7);
      if (parts === null) continue;
      new TokenTable(parts).forEach(key, () => {
        const sizeBytes = key.get(UNKEYED, uid);
        found.push(Buffer.from(uid).toString("hex", 0, sizeBytes).toUpperCase());
      });
    }
  }
  return found;
}

function imagesIn({ list }: Life): IndexImage[] {
  return (list!.index as Index).images;
}

describe("an index of the version without a key", () => {
  it("as that version's program wrote it, is read, with the table of a reader that cuts", async () => {
    const disk = new SimDisk();
    const fixture = join(import.meta.dirname, "../fixtures/index-version-2");
    for (const name of await readdir(fixture))
      disk.put(`${DIR}/${name}`, await readFile(join(fixture, name)));
    const cuts = [{ part: "first", sizeBytes: 4 }] as const;
    const life = live(away(), disk, new SimClock(), { cuts });
    await life.sync.start();
    for (const seal of [UNKEYED, SEAL]) {
      expect(imagesIn(life).map((image) => image.seal)).toEqual([seal]);
      const { index } = life.list!;
      for (const uid of ["04A1B2C3D4E5F6", "1A2B3C4D"])
        expect(index.byToken(uid, "whole")).toMatchObject({ card: { number: "BB-2611-000001" } });
      expect(index.byToken("04A1B2C3", "first")).toMatchObject({ card: { number: "BB-2611-000001" } });
      expect(index.byToken("0102030405060708090A", "whole")).toMatchObject({
        card: { number: "BB-2611-000003", status: "blocked" },
      });
      expect(index.byToken("01020304", "first")).toMatchObject({ card: { number: "BB-2611-000003" } });
      expect(index.byNumber("BB-2611-000007")).toMatchObject({ card: { status: "active" } });
      await life.clock.advance(1_500);
    }
  });

  it("is decided on at once, without the feed, and sealed meanwhile", async () => {
    const disk = await diskWith(UNKEYED);
    expect(await sealsOnDisk(disk)).toEqual([UNKEYED.check]);
    const life = live(away(), disk, new SimClock());
    await life.sync.start();
    expect(imagesIn(life).map(({ seal }) => seal)).toEqual([UNKEYED]);
    answers(life.list!.index);
    await life.clock.advance(1_500);
    answers(life.list!.index);
    expect(imagesIn(life).map(({ seal }) => seal)).toEqual([SEAL]);
    expect(await sealsOnDisk(disk)).toEqual([SEAL.check]);
    expect(life.changes).toHaveLength(1);
    expect(life.refusals.map(({ name }) => name)).toEqual(["unreachable"]);
    expect(life.sealed).toBe(1);
  });

  it("leaves no UID that could be read back without the key", async () => {
    const disk = await diskWith(UNKEYED, CUTS);
    const before = await readWithoutKey(disk);
    const life = await started(away(), disk, new SimClock(), { cuts: CUTS });
    answers(life.list!.index);
    const after = await readWithoutKey(disk);
    for (const uid of [SEVEN, FOUR]) {
      expect(before).toContain(uid);
      expect(after).not.toContain(uid);
    }
    const [path] = indexFiles(disk);
    const bytes = (await createFiles(disk, new SimRandom(3)).read(path!, 1_000_000))!;
    const hex = Buffer.from(bytes).toString("hex").toUpperCase();
    for (const uid of [SEVEN, FOUR, LONG.slice(0, 8), LONG.slice(6, 14), LONG.slice(12)])
      expect(hex).not.toContain(uid);
  });

  it("takes a delta while it is being sealed, and both hold", async () => {
    const disk = await diskWith(UNKEYED);
    const feed = new ScriptedFeed();
    feed.publish(1, LIST);
    feed.publishDelta(1, 2, deltaOf(LIST, CHANGED), CHANGED.length);
    const life = await started(feed, disk);
    expect(life.list?.revision).toBe(2);
    expect(feed.downloaded).toEqual(["cards/1-2.csv.gz"]);
    await life.clock.advance(5_000);
    answers(life.list!.index, CHANGED);
    expect(new Set(await sealsOnDisk(disk))).toEqual(new Set([SEAL.check]));
  });

  it.each(["lose", "keep", "torn"] as const)(
    "is there, sealed or not, at every power cut while it is sealed (%s)",
    async (policy) => {
      const found = new Set<string | undefined>();
      for (let cut = 1; cut < 200; cut++) {
        const disk = await diskWith(UNKEYED);
        const clock = new SimClock();
        const booted = clock.boot();
        disk.cutAt(disk.ios + cut, () => booted.end());
        void live(away(), disk, booted).sync.start();
        await clock.advance(3_000);
        await named(`call ${cut}`, async () => {
          const after = disk.crash(policy, { random: new SimRandom(cut) });
          const life = live(away(), after, new SimClock());
          await life.sync.start();
          found.add(imagesIn(life)[0]!.seal.check);
          answers(life.list!.index);
          await life.clock.advance(3_000);
          answers(life.list!.index);
          expect(await sealsOnDisk(after)).toEqual([SEAL.check]);
        });
        if (!disk.isOff) {
          expect(found).toEqual(new Set([SEAL.check, UNKEYED.check]));
          return;
        }
      }
      throw new Error("it never ended");
    },
  );
});

describe("an index of another key", () => {
  it("is refused in clear words, decides nothing, and is built again from the feed", async () => {
    const disk = await diskWith(OTHER);
    const feed = away();
    const life = await started(feed, disk);
    expect(life.list).toBeNull();
    expect(life.refusals[0]).toEqual({
      name: "damaged-index",
      why: expect.stringMatching(/sealed with another token key.*built again from the feed/),
    });
    feed.trouble = null;
    feed.publish(1, LIST);
    await life.clock.advance(120_000);
    answers(life.list!.index);
    expect(await sealsOnDisk(disk)).toEqual([SEAL.check]);
  });

  it("is read where that key is known from before, and sealed anew", async () => {
    const disk = await diskWith(OTHER, CUTS);
    const life = await started(away(), disk, new SimClock(), { seals: { own: SEAL, others: [OTHER] } });
    answers(life.list!.index);
    expect(await sealsOnDisk(disk)).toEqual([SEAL.check]);
    expect(life.sealed).toBe(1);
    const again = await started(away(), disk, new SimClock());
    answers(again.list!.index);
  });
});

describe("layers of two keys", () => {
  it("answer as one, and merge into one", () => {
    const lower = imagesOf(indexOf(LIST, null, 1, CUTS, OTHER))[0]!;
    const upper = mergeLayers(
      imagesOf(indexOf([card("BB-2402-000009", "active", "04FFEEDDCCBBAA")])),
      CUTS,
      false,
      SEAL,
    );
    for (const images of [[lower, upper], [mergeLayers([lower, upper], CUTS, true, SEAL)]]) {
      const index = new Index(...images);
      answers(index);
      expect(index.byToken("04FFEEDDCCBBAA", "whole")).toMatchObject({ kind: "card" });
      expect(index.byToken(SEVEN.slice(-6), "last")).toMatchObject({ card: { number: "BB-2401-000001" } });
      expect(index.byToken(LONG.slice(0, 8), "first")).toMatchObject({ card: { number: "BB-2401-000002" } });
      expect(index.byToken("04A1B2C3D4E5F7", "whole")).toEqual({ kind: "unknown" });
    }
  });
});
