/** A feed's own life: made, its keys, renewed, interrupted, proved. */
import { execFile } from "node:child_process";
import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemRandom } from "../../drivers/system.ts";
import { createKeyText, readKeyText } from "../../sync/keys.ts";
import { initFeed } from "../../sync/publish-feed.ts";
import { setCard } from "../../sync/publish-set.ts";
import { DAY_MS, linesOf, manyCards, numberOf, START_MS, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

describe("a new feed", () => {
  it("is readable, its keys are private and outside", async () => {
    const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
    const { dir, keysDir } = workshop.place;
    const open = (0o666 & ~process.umask() & 0o644).toString(8);
    expect(await mode(join(dir, "timestamp.json"))).toBe(open);
    expect(await mode(join(dir, "targets/cards"))).toBe((0o755 & ~process.umask()).toString(8));
    expect(await mode(keysDir)).toBe("700");
    for (const name of await readdir(keysDir)) expect(await mode(join(keysDir, name))).toBe("600");
    expect((await readdir(keysDir)).sort()).toEqual([
      "feed.json",
      "root.pem",
      "snapshot.pem",
      "targets.pem",
      "timestamp.pem",
    ]);
    expect(await workshop.read("root.json")).toEqual(await workshop.read("1.root.json"));
  });

  it("expires as promised", async () => {
    const { expiresMs } = await workshop.refresh();
    const days = Object.fromEntries(
      Object.entries(expiresMs).map(([role, ms]) => [role, (ms - START_MS) / DAY_MS]),
    );
    expect(days).toEqual({ root: 365, targets: 90, snapshot: 90, timestamp: 7 });
  });

  it("hands its newest root to gateways", async () => {
    workshop.clock.wall += 200 * DAY_MS;
    await workshop.refresh();
    expect(await workshop.read("root.json")).toEqual(await workshop.read("2.root.json"));
    expect(await workshop.read("root.json")).not.toEqual(await workshop.read("1.root.json"));
  });

  it("is not made where one is, nor with keys inside it, nor over keys", async () => {
    const { place, centre, folder } = workshop;
    expect(await linesOf(initFeed(place, "again", centre))).toEqual([
      expect.stringMatching(/is a feed already/),
    ]);
    const inside = { ...place, dir: join(folder, "new"), keysDir: join(folder, "new/keys") };
    const rootInside = {
      ...inside,
      keysDir: join(folder, "new.keys"),
      rootKeysDir: join(folder, "new/safe"),
    };
    for (const each of [inside, { ...inside, keysDir: join(folder, "new") }, rootInside])
      expect(await linesOf(initFeed(each, "x", centre))).toEqual([expect.stringMatching(/inside the feed/)]);
    expect(await linesOf(initFeed({ ...place, dir: join(folder, "new") }, "x", centre))).toEqual([
      expect.stringMatching(/root.pem exists/),
    ]);
  });

  it("keeps its root key apart, and needs it only for the root", async () => {
    const { centre, folder } = workshop;
    const place = {
      dir: join(folder, "b"),
      keysDir: join(folder, "b.keys"),
      rootKeysDir: join(folder, "safe"),
      passphrase: null,
    };
    await initFeed(place, "b", centre);
    expect(await readdir(join(folder, "safe"))).toEqual(["root.pem"]);
    const away = { ...place, rootKeysDir: join(folder, "nowhere") };
    workshop.clock.wall += 320 * DAY_MS;
    const { warnings, expiresMs } = await workshop.refresh(away);
    expect(warnings).toEqual([expect.stringMatching(/--root-keys/)]);
    expect(expiresMs.root).toBe(START_MS + 365 * DAY_MS);
    expect(expiresMs.targets).toBe(workshop.clock.wall + 90 * DAY_MS);
    const renewed = await workshop.refresh(place);
    expect(renewed.warnings).toEqual([]);
    expect(renewed.expiresMs.root).toBe(workshop.clock.wall + 365 * DAY_MS);

    workshop.clock.wall += 366 * DAY_MS;
    const before = await readFile(join(place.dir, "timestamp.json"));
    expect(await linesOf(workshop.refresh(away))).toEqual([expect.stringMatching(/expired .* --root-keys/)]);
    expect(await readFile(join(place.dir, "timestamp.json"))).toEqual(before);
    expect((await workshop.refresh(place)).expiresMs.root).toBe(workshop.clock.wall + 365 * DAY_MS);
  });
});

describe("keys", () => {
  it("with a passphrase open with it only, and with openssl", async () => {
    const { centre, folder } = workshop;
    const keysDir = join(folder, "c.keys");
    const place = { dir: join(folder, "c"), keysDir, rootKeysDir: keysDir, passphrase: "blå dörr" };
    await initFeed(place, "c", centre);
    const path = join(keysDir, "timestamp.pem");
    expect((await readFile(path)).toString()).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    await workshop.refresh(place);
    expect(await linesOf(workshop.refresh({ ...place, passphrase: "fel" }))).toEqual([
      expect.stringMatching(/does not open with this passphrase/),
    ]);
    expect(await linesOf(workshop.refresh({ ...place, passphrase: null }))).toEqual([
      expect.stringMatching(/GRINDVAKT_FEED_PASSPHRASE/),
    ]);
    const { stdout } = await promisify(execFile)("openssl", [
      "pkey",
      "-in",
      path,
      "-passin",
      "pass:blå dörr",
      "-noout",
      "-text",
    ]);
    expect(stdout).toMatch(/ED25519/i);
  });

  it("of another feed are refused", async () => {
    const { place, centre, folder, files } = workshop;
    const keysDir = join(folder, "other.keys");
    await initFeed({ ...place, dir: join(folder, "other"), keysDir, rootKeysDir: keysDir }, "other", centre);
    expect(await linesOf(workshop.refresh({ ...place, keysDir }))).toEqual([
      expect.stringMatching(/is no key that root.json names for targets/),
    ]);
    expect(await linesOf(workshop.refresh({ ...place, keysDir: join(folder, "none") }))).toEqual([
      expect.stringMatching(/--keys/),
    ]);
    await files.replace(join(place.keysDir, "targets.pem"), Buffer.from("no key"));
    expect(await linesOf(workshop.refresh(place))).toEqual([expect.stringMatching(/no private key/)]);
  });

  it("are the same key with any passphrase and without", () => {
    const fixed = { ...systemRandom, bytes: (count: number) => new Uint8Array(count).fill(7) };
    const { id } = readKeyText(createKeyText(null, fixed), null);
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (passphrase) => {
        expect(readKeyText(createKeyText(passphrase, fixed), passphrase).id).toBe(id);
      }),
      { numRuns: 3 },
    );
  });
});

describe("a crash", () => {
  it("at any write leaves the old state or the new one, and the next command goes on", async () => {
    await workshop.publish(manyCards(30));
    const start = await workshop.backup();
    const { files } = workshop.centre;
    for (let step = 0, done = false; !done; step++) {
      await start();
      let left = step;
      const dying = new Proxy(files, {
        get(target, name, receiver) {
          const method = Reflect.get(target, name, receiver);
          if (!["replace", "rename", "unlink", "syncDir"].includes(String(name))) return method;
          return (...parameters: unknown[]) => {
            if (left-- <= 0) return Promise.reject(Object.assign(new Error("power cut"), { code: "EIO" }));
            return method(...parameters);
          };
        },
      });
      const change = { status: "blocked" as const };
      const outcome = await setCard(
        workshop.place,
        numberOf(1),
        change,
        { ...workshop.centre, files: dying },
        () => {},
      ).catch(() => null);
      done = outcome !== null && left > 0;
      const { targets } = await workshop.lists();
      const revision = Math.max(...targets.map((target) => target.revision));
      expect([1, 2]).toContain(revision);
      if (outcome !== null) expect(revision).toBe(2);
      await workshop.set(numberOf(2), "suspended");
      const report = await workshop.verify();
      expect(report).toMatchObject({ revision: revision + 1, faults: [] });
      expect(step).toBeLessThan(30);
    }
  });
});

describe("verify", () => {
  beforeEach(() => workshop.publish(manyCards(50)));

  it("says what is there", async () => {
    expect(await workshop.verify()).toMatchObject({
      revision: 1,
      cards: 50,
      rootVersion: 1,
      faults: [],
      warnings: [],
    });
  });

  it("warns before the timestamp ends, and fails after", async () => {
    workshop.clock.wall += 6 * DAY_MS;
    expect((await workshop.verify()).warnings).toEqual([expect.stringMatching(/timer/)]);
    workshop.clock.wall += 2 * DAY_MS;
    expect(await linesOf(workshop.verify())).toEqual([expect.stringMatching(/^expired: timestamp.json/)]);
  });

  it("finds damage in a list, one that is gone, and a root.json of yesterday", async () => {
    const cards = join("targets/cards", (await readdir(join(workshop.place.dir, "targets/cards")))[0]!);
    const bytes = await workshop.read(cards);
    bytes[30]! ^= 1;
    await workshop.write(cards, bytes);
    expect((await workshop.verify()).faults).toEqual([expect.stringMatching(/^wrong-hash: /)]);
    await unlink(join(workshop.place.dir, cards));
    const old = await workshop.read("root.json");
    workshop.clock.wall += 200 * DAY_MS;
    await workshop.refresh();
    await workshop.write("root.json", old);
    expect((await workshop.verify()).faults).toEqual([
      expect.stringMatching(/root.json is no copy of 2.root.json/),
      expect.stringMatching(/^missing-file: /),
    ]);
  });
});
