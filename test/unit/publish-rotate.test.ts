/** Keys that are replaced, and roots that several people must sign. */
import { cp, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RoleName } from "../../sync/feed-metadata.ts";
import { initFeed, refreshFeed } from "../../sync/publish-feed.ts";
import type { Place } from "../../sync/publish-repository.ts";
import { listKeys, type RotateOutcome, rotateKey } from "../../sync/publish-rotate.ts";
import { setCard } from "../../sync/publish-set.ts";
import { verifyFeed } from "../../sync/publish-verify.ts";
import { DAY_MS, linesOf, manyCards, numberOf, verified, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
beforeEach(async () => {
  workshop = await Workshop.open();
});
afterEach(() => workshop.close());

function rotate(
  role: RoleName,
  replace: string | null = null,
  place = workshop.place,
  world = workshop.centre,
): Promise<RotateOutcome> {
  return rotateKey(place, role, replace, world, () => {});
}

describe("a new key", () => {
  it.each(["root", "targets", "snapshot", "timestamp"] as const)(
    "for %s is followed by gateways, and the old one signs nothing any more",
    async (role) => {
      await workshop.publish(manyCards(5));
      const gate = `${workshop.folder}/gate`;
      await verified(workshop.client(workshop.source(), gate));
      const { oldId, newId, path, retired, rootVersion } = await rotate(role);
      expect(newId).not.toBe(oldId);
      expect(rootVersion).toBe(2);
      expect(path).toBe(join(workshop.place.keysDir, `${role}-2.pem`));
      expect(retired).toBe(join(workshop.place.keysDir, `${role}.pem.retired`));
      expect((await verified(workshop.client(workshop.source(), gate))).rootVersion).toBe(2);
      await workshop.set(numberOf(1), "blocked");
      workshop.clock.wall += 200 * DAY_MS;
      await workshop.refresh();
      expect((await verified(workshop.client(workshop.source(), gate))).rootVersion).toBe(3);
      expect((await workshop.verify()).faults).toEqual([]);

      const name = role === "timestamp" ? "timestamp.json" : role === "root" ? "4.root.json" : null;
      if (name === null) return;
      // The thief has the old key.
      await rename(retired!, join(workshop.place.keysDir, "stolen.pem"));
      if (role === "root") await workshop.write(name, await workshop.read("3.root.json"));
      await workshop.forge(
        name,
        (signed) => {
          signed.version += 1;
        },
        ["stolen"],
      );
      expect(await workshop.client(workshop.source(), gate).refresh()).toMatchObject({
        name: "bad-signature",
      });
    },
  );

  it("at any write leaves a feed that holds, before and after, and may be tried again", async () => {
    await workshop.publish(manyCards(5));
    const start = await workshop.backup();
    const { keysDir } = workshop.place;
    await cp(keysDir, `${keysDir}.first`, { recursive: true });
    const { files } = workshop.centre;
    for (const role of ["targets", "root"] as const) {
      for (let step = 0, done = false; !done; step++) {
        await start();
        await rm(keysDir, { recursive: true });
        await cp(`${keysDir}.first`, keysDir, { recursive: true });
        let left = step;
        const dying = new Proxy(files, {
          get(target, name, receiver) {
            const method = Reflect.get(target, name, receiver);
            if (name !== "replace") return method;
            return (...parameters: unknown[]) => {
              if (left-- <= 0) return Promise.reject(Object.assign(new Error("power cut"), { code: "EIO" }));
              return method(...parameters);
            };
          },
        });
        const outcome = await rotate(role, null, workshop.place, {
          ...workshop.centre,
          files: dying,
        }).catch(() => null);
        done = outcome !== null;
        await verified(workshop.client());
        await rotate(role);
        expect((await workshop.verify()).faults).toEqual([]);
        expect(step).toBeLessThan(10);
      }
    }
  });

  it("needs the root's key", async () => {
    const away = { ...workshop.place, rootKeysDir: join(workshop.folder, "nowhere") };
    expect(await linesOf(rotate("targets", null, away))).toEqual([
      expect.stringMatching(/nowhere\/root.pem is not there/),
    ]);
    expect((await readdir(workshop.place.keysDir)).filter((name) => name.includes("-2"))).toEqual([]);
  });
});

describe("a root of several keys", () => {
  let place: Place;
  const safe = (name: string) => join(workshop.folder, name);
  beforeEach(async () => {
    place = {
      dir: safe("many"),
      keysDir: safe("many.keys"),
      rootKeysDir: safe("safe"),
      passphrase: null,
    };
    await initFeed(place, "many", workshop.centre, { keys: 3, threshold: 2 });
  });

  it("is signed by as many as must, from wherever they are", async () => {
    expect(await readdir(safe("safe"))).toEqual(["root-2.pem", "root-3.pem", "root.pem"]);
    const [root] = await listKeys(place, workshop.centre);
    expect(root).toMatchObject({ role: "root", threshold: 2 });
    expect(root!.keys.map(({ path }) => path)).toEqual(
      ["root.pem", "root-2.pem", "root-3.pem"].map((name) => join(safe("safe"), name)),
    );
    await mkdir(safe("other"));
    for (const name of ["root-2.pem", "root-3.pem"])
      await rename(join(safe("safe"), name), join(safe("other"), name));
    expect(await linesOf(rotate("snapshot", null, place))).toEqual([
      expect.stringMatching(/wants 2 signatures for root, and 1 of its keys are here; give --root-keys/),
    ]);
    const both = { ...place, moreRootKeysDirs: [safe("other")] };
    expect(await rotate("snapshot", null, both)).toMatchObject({ rootVersion: 2 });
    expect((await verifyFeed(place, workshop.centre)).faults).toEqual([]);
  });

  it("is renewed only where enough of its keys are at hand, and goes on otherwise with a warning", async () => {
    const away = { ...place, rootKeysDir: safe("nowhere") };
    workshop.clock.wall += 320 * DAY_MS;
    const without = await refreshFeed(away, workshop.centre, () => {});
    expect(without.warnings).toEqual([expect.stringMatching(/--root-keys/)]);
    expect((await refreshFeed(place, workshop.centre, () => {})).warnings).toEqual([]);
  });

  it("replaces a key that is lost with the others", async () => {
    const [root] = await listKeys(place, workshop.centre);
    await rm(join(safe("safe"), "root.pem"));
    const lost = (await listKeys(place, workshop.centre))[0]!.keys.find(({ path }) => path === null)!;
    expect(root!.keys.map(({ id }) => id)).toContain(lost.id);
    expect(await linesOf(rotate("root", null, place))).toEqual([
      expect.stringMatching(/root has several keys: say which one with --replace: /),
    ]);
    expect(await linesOf(rotate("root", "zz", place))).toEqual([
      expect.stringMatching(/0 keys of root begin with zz/),
    ]);
    const outcome = await rotate("root", lost.id.slice(0, 8), place);
    expect(outcome).toMatchObject({ oldId: lost.id, retired: null, path: join(safe("safe"), "root.pem") });
    expect((await listKeys(place, workshop.centre))[0]!.keys.every(({ path }) => path !== null)).toBe(true);
  });

  it("signs nothing else: lists need none of its keys", async () => {
    const away = { ...place, rootKeysDir: safe("nowhere") };
    await expect(
      setCard(away, numberOf(1), { status: "blocked" }, workshop.centre, () => {}),
    ).rejects.toThrow(/no list yet/);
  });
});
