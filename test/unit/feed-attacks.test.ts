/** Each attack on a feed, and each damage, is refused by its name, and what was trusted stays. */
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Feed, FeedTarget } from "../../sync/feed.ts";
import { endless, found, manyCards, numberOf, tampered, verified, Workshop } from "./feed-workshop.ts";

let published: Workshop;
let workshop: Workshop;
beforeAll(async () => {
  published = await Workshop.open();
  await published.publish(manyCards(10));
});
afterAll(() => published.close());
beforeEach(async () => {
  workshop = await published.copy();
});
afterEach(() => workshop.close());

describe("attacks", () => {
  let feed: Feed;
  let before: FeedTarget[];
  beforeEach(async () => {
    feed = workshop.client(workshop.source(), `${workshop.folder}/gate`);
    before = (await verified(feed)).targets;
  });

  /** The refusal, in the running client and in one that starts anew; and that all is well when the feed is. */
  async function refusal(restore: () => Promise<void>): Promise<string> {
    const outcome = await feed.refresh();
    const anew = await workshop.client(workshop.source(), `${workshop.folder}/gate`).refresh();
    expect(anew).toEqual(outcome);
    await restore();
    expect((await verified(feed)).targets).toEqual(before);
    return outcome.kind === "refused" ? outcome.name : outcome.kind;
  }

  it("refuses an older state as rollback", async () => {
    const older = await workshop.backup();
    await workshop.set(numberOf(1), "blocked");
    const newer = await workshop.backup();
    before = (await verified(feed)).targets;
    await older();
    expect(await refusal(newer)).toBe("rollback");
  });

  it("takes the same timestamp in other white space", async () => {
    await workshop.write("timestamp.json", `${await workshop.read("timestamp.json")}\n`);
    expect((await verified(feed)).targets).toEqual(before);
    expect((await verified(feed)).targets).toEqual(before);
  });

  it("refuses another state under the same version: a centre that was restored from a backup", async () => {
    const older = await workshop.backup();
    await workshop.set(numberOf(1), "blocked");
    before = (await verified(feed)).targets;
    const newer = await workshop.backup();
    await older();
    workshop.clock.wall += 5_000;
    await workshop.set(numberOf(2), "blocked");
    expect(await refusal(newer)).toBe("rollback");
  });

  it.each([
    ["a timestamp that names an older snapshot", "timestamp.json"],
    ["a snapshot that names older targets", "snapshot.json"],
  ])("refuses %s as rollback", async (_, file) => {
    await workshop.set(numberOf(1), "blocked");
    before = (await verified(feed)).targets;
    const restore = await workshop.backup();
    if (file === "timestamp.json") {
      await workshop.forge("timestamp.json", (signed) => {
        signed.version += 1;
        signed.meta["snapshot.json"] = { version: 2 };
      });
    } else {
      await workshop.write("4.snapshot.json", await workshop.read("3.snapshot.json"));
      await workshop.forge("4.snapshot.json", (signed) => {
        signed.version = 4;
        signed.meta["targets.json"] = { version: 2 };
      });
      await workshop.forge("timestamp.json", (signed) => {
        signed.version += 1;
        signed.meta["snapshot.json"] = { version: 4 };
      });
    }
    const outcome = await workshop.client(workshop.source(), `${workshop.folder}/gate`).refresh();
    const why = expect.stringContaining(file);
    expect(outcome).toMatchObject({ kind: "refused", name: "rollback", why });
    await restore();
  });

  it("refuses a root without consistent snapshots: files that may be changed in place", async () => {
    const restore = await workshop.backup();
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge("2.root.json", (signed) => {
      signed.version = 2;
      signed.consistent_snapshot = false;
    });
    expect(await refusal(restore)).toBe("malformed");
  });

  it("refuses a snapshot that names no lists", async () => {
    await workshop.forge("2.snapshot.json", (signed) => {
      signed.meta = {};
    });
    await workshop.forge("timestamp.json", (signed) => {
      signed.meta["snapshot.json"] = { version: 2 };
      signed.version += 1;
    });
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "malformed" });
  });

  it("refuses a timestamp signed with another key", async () => {
    const restore = await workshop.backup();
    await workshop.forge("timestamp.json", () => {}, ["root"]);
    expect(await refusal(restore)).toBe("bad-signature");
  });

  it("refuses targets signed with the snapshot's key, however they are described", async () => {
    await workshop.set(numberOf(1), "blocked");
    await workshop.forge("3.targets.json", () => {}, ["snapshot"]);
    await workshop.describe(3);
    expect(await feed.refresh()).toMatchObject({ kind: "refused", name: "bad-signature" });
  });

  it("refuses a rightly signed snapshot of another day as mix-and-match", async () => {
    const old = await workshop.read("2.snapshot.json");
    await workshop.set(numberOf(1), "blocked");
    const restore = await workshop.backup();
    await workshop.write("3.snapshot.json", old);
    expect(await feed.refresh()).toMatchObject({ kind: "refused", name: "mix-and-match" });
    await restore();
    expect((await verified(feed)).targets).toHaveLength(2);
  });

  it("refuses rightly signed targets of another day as mix-and-match, also where no hash is named", async () => {
    const old = await workshop.read("2.targets.json");
    await workshop.set(numberOf(1), "blocked");
    await workshop.write("3.targets.json", old);
    expect(await feed.refresh()).toMatchObject({ kind: "refused", name: "mix-and-match" });
    await workshop.describe(3);
    const anew = workshop.client();
    expect(await anew.refresh()).toMatchObject({ kind: "refused", name: "mix-and-match" });
  });

  it.each([
    [
      "a flipped byte",
      (bytes: Buffer) => Buffer.from(bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))),
      "wrong-hash",
    ],
    ["a missing end", (bytes: Buffer) => bytes.subarray(0, -9), "wrong-length"],
  ])("refuses a snapshot with %s as %s", async (_, damage, name) => {
    await workshop.set(numberOf(1), "blocked");
    await workshop.write("3.snapshot.json", damage(await workshop.read("3.snapshot.json")));
    expect(await feed.refresh()).toMatchObject({ kind: "refused", name });
  });

  it.each(["timestamp.json", "3.snapshot.json", "3.targets.json", "2.root.json"])(
    "stops reading %s when it has no end",
    async (name) => {
      await workshop.set(numberOf(1), "blocked");
      const source = tampered(workshop.source(), (path) =>
        path === name ? { kind: "found", body: endless() } : null,
      );
      expect(await workshop.client(source).refresh()).toMatchObject({
        kind: "refused",
        name: "endless-data",
      });
    },
  );

  it.each(["timestamp.json", "3.snapshot.json", "3.targets.json"])(
    "refuses a feed without %s",
    async (name) => {
      await workshop.set(numberOf(1), "blocked");
      const source = tampered(workshop.source(), (path) => (path === name ? { kind: "missing" } : null));
      expect(await workshop.client(source).refresh()).toMatchObject({
        kind: "refused",
        name: "missing-file",
      });
    },
  );

  const nested = `${"[".repeat(7_000)}${"]".repeat(7_000)}`;
  const manyKeys = JSON.stringify({
    signatures: [],
    signed: { _type: "root", keys: Object.fromEntries(Array.from({ length: 501 }, (_, i) => [i, 0])) },
  });
  it.each([
    ["no JSON", "<html>", "timestamp.json"],
    ["no UTF-8", Buffer.from([0xff, 0xfe, 0x7b]), "timestamp.json"],
    ["nothing", "", "timestamp.json"],
    ["null", "null", "timestamp.json"],
    ["brackets without number", nested, "timestamp.json"],
    ["keys without number", manyKeys, "2.root.json"],
  ])("refuses %s as malformed", async (_, bytes, name) => {
    const source = tampered(workshop.source(), (path) => (path === name ? found(bytes) : null));
    expect(await workshop.client(source).refresh()).toMatchObject({ kind: "refused", name: "malformed" });
  });

  it("refuses the file of another role", async () => {
    const restore = await workshop.backup();
    await workshop.write("timestamp.json", await workshop.read("2.snapshot.json"));
    expect(await refusal(restore)).toBe("malformed");
  });

  it.each([
    ["a date that is none, and would never expire", { expires: "tomorrow" }],
    ["a date without a time zone", { expires: "2030-01-01T00:00:00" }],
    ["version 0", { version: 0 }],
    ["half a version", { version: 2.5 }],
    ["a version past all whole numbers", { version: 1e300 }],
    ["another specification", { spec_version: "2.0.0" }],
  ])("refuses metadata with %s as malformed", async (_, fields) => {
    const json = JSON.parse((await workshop.read("timestamp.json")).toString());
    await workshop.write(
      "timestamp.json",
      JSON.stringify({ ...json, signed: { ...json.signed, ...fields } }),
    );
    expect(await feed.refresh()).toMatchObject({ kind: "refused", name: "malformed" });
  });

  it.each([
    [
      "a path that leaves the folder",
      (targets: Record<string, unknown>) => ({ "cards/../../3.csv.gz": targets["cards/2.csv.gz"] }),
    ],
    [
      "a revision that is not its name's",
      (targets: Record<string, object>) => ({ "cards/9.csv.gz": targets["cards/2.csv.gz"] }),
    ],
    [
      "no hash we know",
      (targets: Record<string, object>) => ({
        "cards/2.csv.gz": { ...targets["cards/2.csv.gz"], hashes: { md5: "0" } },
      }),
    ],
    [
      "a length without end",
      (targets: Record<string, object>) => ({
        "cards/2.csv.gz": { ...targets["cards/2.csv.gz"], length: 2 ** 40 },
      }),
    ],
    [
      "a base after its revision",
      () => ({
        "cards/9-2.csv.gz": {
          length: 1,
          hashes: { sha256: "0".repeat(64) },
          custom: { revision: 2, base: 9, cards: 1 },
        },
      }),
    ],
  ])("refuses a rightly signed list with %s as malformed", async (_, change) => {
    await workshop.set(numberOf(1), "blocked");
    await workshop.forge("3.targets.json", (signed) => {
      signed.targets = change({ "cards/2.csv.gz": signed.targets["cards/2.csv.gz"] });
    });
    await workshop.describe(3);
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "malformed" });
  });

  it("leaves targets outside cards/ to others", async () => {
    await workshop.set(numberOf(1), "blocked");
    await workshop.forge("3.targets.json", (signed) => {
      signed.targets["firmware/1.bin"] = { length: 1, hashes: { sha512: "00" } };
    });
    await workshop.describe(3);
    expect((await verified(workshop.client())).targets).toHaveLength(2);
  });

  it("never takes a metadata file with any one bit changed for another word of the centre", async () => {
    const names = ["timestamp.json", "2.snapshot.json", "2.targets.json"];
    const files = new Map(
      await Promise.all(names.map(async (name) => [name, await workshop.read(name)] as const)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(7), async (name, place, bit) => {
        const bytes = Buffer.from(files.get(name)!);
        bytes[place % bytes.length]! ^= 1 << bit;
        const source = tampered(workshop.source(), (path) => (path === name ? found(bytes) : null));
        const outcome = await workshop.client(source).refresh();
        // A changed space between two words changes nothing that is said.
        if (outcome.kind === "verified") expect(outcome.targets).toEqual(before);
        else expect(outcome.kind).toBe("refused");
      }),
      { numRuns: 50 },
    );
  });
});
