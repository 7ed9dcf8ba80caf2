/** The root moves on, step by step, and only by its own signatures (TUF specification, 5.3). */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DAY_MS, manyCards, tampered, verified, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

describe("a root that moves on", () => {
  it("is followed step by step, kept, and gone on from after a restart", async () => {
    await workshop.publish(manyCards(5));
    const gate = `${workshop.folder}/gate`;
    await verified(workshop.client(workshop.source(), gate));
    for (let year = 0; year < 3; year++) {
      workshop.clock.wall += 300 * DAY_MS;
      await workshop.refresh();
    }
    expect((await verified(workshop.client(workshop.source(), gate))).rootVersion).toBe(4);
    const asked: string[] = [];
    const source = tampered(workshop.source(), (path) => {
      asked.push(path);
      return null;
    });
    expect((await verified(workshop.client(source, gate))).rootVersion).toBe(4);
    expect(asked[0]).toBe("5.root.json");
  });

  it("must be signed by the root before it", async () => {
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge(
      "2.root.json",
      (signed) => {
        signed.version = 2;
      },
      ["targets"],
    );
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "bad-signature" });
  });

  it("must be signed by the root before it, also where it names another key for itself, which signed it", async () => {
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge(
      "2.root.json",
      (signed) => {
        signed.version = 2;
        signed.roles.root.keyids = signed.roles.targets.keyids;
      },
      ["targets"],
    );
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "bad-signature" });
  });

  it("must be signed by itself", async () => {
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge(
      "2.root.json",
      (signed) => {
        signed.version = 2;
        signed.roles.root.keyids = signed.roles.targets.keyids;
      },
      ["root"],
    );
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "bad-signature" });
    await workshop.forge("2.root.json", () => {}, ["root", "targets"]);
    expect(await workshop.client().refresh()).toMatchObject({ kind: "verified", rootVersion: 2 });
  });

  it("must be the next version", async () => {
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "rollback" });
    await workshop.forge("2.root.json", (signed) => {
      signed.version = 3;
    });
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "rollback" });
  });

  it("must not expire, be it the last; those on the way may have", async () => {
    workshop.clock.wall += 366 * DAY_MS;
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "expired" });
    await workshop.refresh();
    expect(await workshop.client().refresh()).toMatchObject({ kind: "verified", rootVersion: 2 });
  });

  it("asks for as many signatures as its threshold says, of different keys", async () => {
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge("2.root.json", (signed) => {
      signed.version = 2;
      signed.roles.timestamp = {
        keyids: [...signed.roles.timestamp.keyids, ...signed.roles.snapshot.keyids],
        threshold: 2,
      };
    });
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "bad-signature" });
    await workshop.forge("timestamp.json", () => {}, ["timestamp", "snapshot"]);
    expect(await workshop.client().refresh()).toMatchObject({ kind: "verified" });
  });

  it("may not count one key twice under two names", async () => {
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge("2.root.json", (signed) => {
      const [id] = signed.roles.timestamp.keyids;
      signed.version = 2;
      signed.keys.again = signed.keys[id];
      signed.roles.timestamp = { keyids: [id, "again"], threshold: 2 };
    });
    expect(await workshop.client().refresh()).toMatchObject({ kind: "refused", name: "malformed" });
  });

  it("frees a feed whose versions were pushed far ahead with a stolen key", async () => {
    await workshop.publish(manyCards(5));
    const gate = `${workshop.folder}/gate`;
    const good = await workshop.backup();
    await workshop.forge("timestamp.json", (signed) => {
      signed.version = 1_000_000;
    });
    await verified(workshop.client(workshop.source(), gate));
    await good();
    expect(await workshop.client(workshop.source(), gate).refresh()).toMatchObject({ name: "rollback" });
    // The centre replaces the stolen key (here by the targets' key, as a new one would be).
    await workshop.write("2.root.json", await workshop.read("1.root.json"));
    await workshop.forge("2.root.json", (signed) => {
      signed.version = 2;
      signed.roles.timestamp.keyids = signed.roles.targets.keyids;
    });
    await workshop.forge("timestamp.json", () => {}, ["targets"]);
    expect(await workshop.client(workshop.source(), gate).refresh()).toMatchObject({ kind: "verified" });
  });

  it.each([
    ["timestamp", "running", "targets"],
    ["timestamp", "restarted", "targets"],
    ["snapshot", "running", "targets"],
    ["snapshot", "restarted", "targets"],
    ["targets", "running", "snapshot"],
    ["targets", "restarted", "snapshot"],
  ] as const)(
    "that takes the key from %s believes nothing more by it, at a gateway %s",
    async (role, how, other) => {
      const gate = `${workshop.folder}/gate`;
      const before = workshop.client(workshop.source(), gate);
      await verified(before);
      await workshop.write("2.root.json", await workshop.read("1.root.json"));
      await workshop.forge("2.root.json", (signed) => {
        signed.version = 2;
        signed.roles[role].keyids = signed.roles[other].keyids;
      });
      const client = how === "running" ? before : workshop.client(workshop.source(), gate);
      for (let attempt = 0; attempt < 2; attempt += 1)
        expect(await client.refresh()).toMatchObject({ kind: "refused", name: "bad-signature" });
    },
  );
});
