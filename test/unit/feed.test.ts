/** The feed's client: what holds is verified and fetched sparingly, what fails is told apart. */
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FeedSource } from "../../drivers/ports.ts";
import {
  collect,
  DAY_MS,
  endless,
  manyCards,
  numberOf,
  pieces,
  START_MS,
  sha256,
  tampered,
  verified,
  Workshop,
  wholeOf,
} from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

describe("a feed that holds", () => {
  it("is verified, and its lists are described", async () => {
    await workshop.publish(manyCards(100));
    workshop.clock.wall += 60_000;
    await workshop.set(numberOf(7), "blocked");
    const { targets, publishedAtMs, rootVersion } = await verified(workshop.client());
    expect(targets.map(({ path, revision, base, cards }) => ({ path, revision, base, cards }))).toEqual([
      { path: "cards/2.csv.gz", revision: 2, base: null, cards: 100 },
      { path: "cards/1-2.csv.gz", revision: 2, base: 1, cards: 100 },
    ]);
    expect(publishedAtMs).toBe(START_MS + 60_000);
    expect(rootVersion).toBe(1);
  });

  it("has no targets before the first list", async () => {
    expect((await verified(workshop.client())).targets).toEqual([]);
  });

  it("gives the bytes of a list as they were signed", async () => {
    await workshop.publish(manyCards(3));
    const feed = workshop.client();
    const target = wholeOf((await verified(feed)).targets);
    const bytes = await collect(feed.download(target));
    expect(sha256(bytes)).toBe(target.sha256);
    expect(gunzipSync(bytes).toString()).toBe(
      [
        "number,status,valid_until,tokens",
        "BB-2401-000000,active,2027-07-01,uid:04000000000000",
        "BB-2401-000001,active,2027-07-01,uid:04000000000001",
        "BB-2401-000002,active,2027-07-01,uid:04000000000002",
        "",
      ].join("\n"),
    );
  });

  it("is fetched again only where it changed", async () => {
    await workshop.publish(manyCards(10));
    const asked: string[] = [];
    const source = tampered(workshop.source(), (path) => {
      asked.push(path);
      return null;
    });
    const feed = workshop.client(source, `${workshop.folder}/gate`);
    await verified(feed);
    expect(asked).toEqual(["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"]);
    asked.length = 0;
    await verified(feed);
    expect(asked).toEqual(["2.root.json", "timestamp.json"]);
    asked.length = 0;
    await verified(workshop.client(source, `${workshop.folder}/gate`));
    expect(asked).toEqual(["2.root.json", "timestamp.json"]);
  });

  it("is asked once for calls at the same time", async () => {
    let asked = 0;
    const source = tampered(workshop.source(), (path) => {
      if (path === "timestamp.json") asked += 1;
      return null;
    });
    const feed = workshop.client(source);
    await Promise.all([feed.refresh(), feed.refresh()]);
    expect(asked).toBe(1);
  });
});

describe("time", () => {
  beforeEach(() => workshop.publish(manyCards(10)));

  it("refuses a frozen feed as expired, at the second its timestamp ends", async () => {
    const feed = workshop.client();
    workshop.clock.wall = START_MS + 7 * DAY_MS - 1;
    expect(await feed.refresh()).toMatchObject({ kind: "verified" });
    workshop.clock.wall += 1;
    expect(await feed.refresh()).toMatchObject({ kind: "refused", name: "expired" });
    await workshop.refresh();
    expect(await feed.refresh()).toMatchObject({ kind: "verified" });
  });

  it("does not judge expiry by a clock that is not trusted, but does judge roll-back", async () => {
    const restore = await workshop.backup();
    await workshop.set(numberOf(1), "blocked");
    const feed = workshop.client();
    await verified(feed);
    workshop.clock.isTrusted = false;
    workshop.clock.wall += 400 * DAY_MS;
    expect(await feed.refresh()).toMatchObject({ kind: "verified" });
    await restore();
    expect(await feed.refresh()).toMatchObject({ kind: "refused", name: "rollback" });
  });

  it("refuses a root that has expired, however fresh the rest is", async () => {
    await workshop.forge("1.root.json", (signed) => {
      signed.expires = "2026-11-22T05:59:59Z";
    });
    expect(await workshop.client().refresh()).toMatchObject({
      kind: "refused",
      name: "expired",
      why: expect.stringMatching(/^root\.json expired/),
    });
  });

  it.each(["snapshot", "targets"] as const)("refuses %s that has expired", async (role) => {
    await workshop.forge(`2.${role}.json`, (signed) => {
      signed.expires = "2026-11-22T05:59:59Z";
    });
    await workshop.describe(2);
    if (role === "snapshot") {
      await workshop.forge("2.snapshot.json", (signed) => {
        signed.expires = "2026-11-22T05:59:59Z";
      });
    }
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "expired" });
  });
});

describe("lists", () => {
  async function download(change: (source: FeedSource) => FeedSource): Promise<unknown> {
    await workshop.publish(manyCards(1_000));
    const feed = workshop.client(change(workshop.source()));
    const target = wholeOf((await verified(feed)).targets);
    return collect(feed.download(target)).then(
      () => "all came",
      (error: { refusal?: string; message: string }) => error.refusal ?? error.message,
    );
  }
  const change = (of: (bytes: Buffer) => AsyncIterable<Uint8Array>) => (source: FeedSource) => ({
    name: source.name,
    async fetch(path: string) {
      const reply = await source.fetch(path);
      if (reply.kind !== "found" || !path.startsWith("targets/")) return reply;
      return { kind: "found" as const, body: of(await collect(reply.body)) };
    },
  });

  it.each([
    ["whole", (bytes: Buffer) => pieces(bytes), "all came"],
    ["truncated", (bytes: Buffer) => pieces(bytes.subarray(0, -1)), "wrong-length"],
    [
      "flipped",
      (bytes: Buffer) => pieces(bytes.map((byte, at) => (at === 500 ? byte ^ 4 : byte))),
      "wrong-hash",
    ],
    ["longer", (bytes: Buffer) => pieces(Buffer.concat([bytes, bytes])), "endless-data"],
    ["endless", () => endless(), "endless-data"],
    ["foreign", (bytes: Buffer) => pieces(Buffer.alloc(bytes.length)), "wrong-hash"],
  ])("a list that is %s", async (_, of, told) => {
    expect(await download(change(of))).toBe(told);
  });

  it("a list that is not there", async () => {
    const source = (inner: FeedSource) =>
      tampered(inner, (path) => (path.startsWith("targets/") ? { kind: "missing" } : null));
    expect(await download(source)).toBe("missing-file");
  });

  it("a transfer that breaks is no refusal", async () => {
    async function* broken(bytes: Buffer) {
      yield bytes.subarray(0, 100);
      throw new Error("the line went dead");
    }
    expect(await download(change(broken))).toMatch(/the line went dead/);
  });

  it("a transfer that only drips is given up", async () => {
    async function* dripping() {
      for (;;) {
        yield new Uint8Array(1);
        workshop.clock.pass(30_000);
        await new Promise((turn) => setImmediate(turn));
      }
    }
    expect(await download(change(dripping))).toMatch(/not done after/);
  });
});

describe("trouble that is no attack", () => {
  it("is unreachable when the source is", async () => {
    const source = tampered(workshop.source(), () => ({ kind: "unreachable", why: "no way to the host" }));
    expect(await workshop.client(source).refresh()).toEqual({
      kind: "unreachable",
      why: "no way to the host",
    });
  });

  it("is unreachable when the source never answers", async () => {
    const source: FeedSource = { name: "hole", fetch: () => new Promise(() => {}) };
    const asked = workshop.client(source).refresh();
    while (workshop.clock.waiting.size === 0) await new Promise((turn) => setImmediate(turn));
    workshop.clock.pass(30_000);
    expect(await asked).toMatchObject({ kind: "unreachable", why: expect.stringContaining("30 s") });
  });

  it.each(["2.root.json", "timestamp.json", "2.targets.json"])(
    "is unreachable when the source only drips out %s",
    async (name) => {
      await workshop.publish(manyCards(5));
      async function* dripping() {
        for (;;) {
          yield new Uint8Array(1).fill(32);
          workshop.clock.pass(5_000);
          await new Promise((turn) => setImmediate(turn));
        }
      }
      const source = tampered(workshop.source(), (path) =>
        path === name ? { kind: "found", body: dripping() } : null,
      );
      expect(await workshop.client(source).refresh()).toEqual({
        kind: "unreachable",
        why: `${name}: not done after 30 s`,
      });
    },
  );

  it("does not move on when what it would trust cannot be kept", async () => {
    await workshop.publish(manyCards(5));
    const replace = workshop.files.replace;
    workshop.files.replace = () => Promise.reject(new Error("ENOSPC: no space left on device"));
    const feed = workshop.client();
    expect(await feed.refresh()).toMatchObject({
      kind: "unreachable",
      why: expect.stringContaining("ENOSPC"),
    });
    workshop.files.replace = replace;
    expect(await feed.refresh()).toMatchObject({ kind: "verified" });
  });

  it("fetches anew what its own disk damaged", async () => {
    await workshop.publish(manyCards(5));
    const gate = `${workshop.folder}/gate`;
    await verified(workshop.client(workshop.source(), gate));
    for (const name of ["root", "timestamp", "snapshot", "targets"]) {
      await workshop.files.replace(`${gate}/${name}.json`, Buffer.from("{"));
    }
    expect((await verified(workshop.client(workshop.source(), gate))).targets).toHaveLength(1);
  });
});
