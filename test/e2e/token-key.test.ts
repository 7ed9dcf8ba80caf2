/** The key of the chip UIDs, on the built program: where it comes from, and what becomes of the gate without it. */
import { randomBytes } from "node:crypto";
import { cp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import {
  CARDS,
  type Configuration,
  type Daemon,
  makeSite,
  type Site,
  sharedFeed,
  TOKEN_KEY,
  until,
} from "./site.ts";

const CHIP = "04A1B2C3D4E5F6";
const STRANGER = "04FFEEDDCCBBAA";

const feedDir = await sharedFeed();

async function chipSite(configure: (configuration: Configuration) => void = () => undefined): Promise<Site> {
  const site = await makeSite(feedDir, "none", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    configure(configuration);
  });
  onTestFinished(() => site.dispose());
  return site;
}

async function change(site: Site, configure: (configuration: Configuration) => void): Promise<void> {
  const configuration = parse(await readFile(site.file, "utf8")) as Configuration;
  configure(configuration);
  await writeFile(site.file, stringify(configuration));
}

async function withList(site: Site): Promise<Daemon> {
  const daemon = await site.run();
  await daemon.become("a list is in force", ({ list }) => list.revision !== null);
  return daemon;
}

/** Takes the feed away, or brings it back. */
const setFeed = (site: Site, isThere: boolean) =>
  isThere
    ? rename(join(site.dir, "feed.away"), join(site.dir, "feed"))
    : rename(join(site.dir, "feed"), join(site.dir, "feed.away"));

/** What the gate says to a chip, by the journal's last tap. */
async function tapped(site: Site, daemon: Daemon, uid = CHIP) {
  const before = (await site.journal()).length;
  await daemon.post("/api/taps", { reader: "north-in-1", credential: `uid:${uid}` });
  return until("the tap is written down", async () => {
    const line = (await site.journal()).slice(before).find(({ type }) => type === "grindvakt.tap.v1");
    return line === undefined ? null : line.data;
  });
}

async function indexFiles(site: Site): Promise<string[]> {
  const names = await readdir(join(site.dir, "data", "cards"));
  return names.filter((name) => name.endsWith(".bin")).map((name) => join(site.dir, "data", "cards", name));
}

async function everyFile(dir: string): Promise<Buffer[]> {
  const names = await readdir(dir, { recursive: true, withFileTypes: true });
  return Promise.all(
    names.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name))),
  );
}

describe("with the key outside dataDir", () => {
  test("no file under dataDir holds a chip UID, nor the key, however the chips were met; a stopped gate's lookup changes no index", async () => {
    const site = await chipSite();
    const daemon = await withList(site);
    expect(await tapped(site, daemon)).toMatchObject({ granted: true, card: CARDS.granted });
    expect(await tapped(site, daemon, STRANGER)).toMatchObject({ granted: false, reason: "unknown" });
    expect((await site.command("lookup", `uid:${CHIP}`)).stdout).toContain("granted");
    await daemon.end();
    const before = await Promise.all((await indexFiles(site)).map((path) => stat(path)));
    const answer = await site.command("lookup", `uid:${CHIP}`, "--json");
    expect(JSON.parse(answer.stdout)).toMatchObject({ card: CARDS.granted, granted: true });
    const after = await Promise.all((await indexFiles(site)).map((path) => stat(path)));
    expect(after.map(({ ino }) => ino)).toEqual(before.map(({ ino }) => ino));
    const files = await everyFile(join(site.dir, "data"));
    expect(files.length).toBeGreaterThan(5);
    for (const uid of [CHIP, STRANGER, "1A2B3C4D"]) {
      const bytes = Buffer.from(uid, "hex");
      for (const form of [uid, uid.toLowerCase(), bytes, Buffer.from(bytes).reverse()])
        for (const file of files) expect(file.includes(form), `${form}`).toBe(false);
    }
    for (const file of files) {
      expect(file.includes(TOKEN_KEY)).toBe(false);
      expect(file.includes(Buffer.from(TOKEN_KEY, "hex"))).toBe(false);
    }
  });

  test.each([
    ["is not there", (path: string) => rm(path), /token\.key is not there: write the secret into it/],
    [
      "is cut short",
      (path: string) => writeFile(path, TOKEN_KEY.slice(1)),
      /not 64 hexadecimal digits on one line/,
    ],
  ])("run refuses to start where it %s, in one line that shows nothing of it", async (_, spoil, words) => {
    const site = await chipSite();
    await spoil(join(site.dir, "token.key"));
    const { code, stdout, stderr } = await site.alone("run");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^grindvakt: cards\.tokenKey: [^\n]+\n$/);
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain(TOKEN_KEY.slice(0, 16));
    expect((await site.command("doctor")).stdout).toMatch(/wrong +cards\.tokenKey/);
  });
});

describe("with another key than the index was sealed with", () => {
  // As the index of another gateway is.
  test("a gate goes on while it runs; anew and offline it says so and lets nobody in by mistake; the feed makes it whole, and its tokens have other names", async () => {
    const site = await chipSite();
    const daemon = await withList(site);
    const before = await tapped(site, daemon);
    expect(before).toMatchObject({ granted: true, card: CARDS.granted });
    await writeFile(join(site.dir, "token.key"), randomBytes(32).toString("hex"));
    await site.command("feed", "set", "feed", CARDS.granted, "blocked");
    await daemon.become("list 2", ({ list }) => list.revision === 2);
    expect(await tapped(site, daemon)).toMatchObject({ granted: false, reason: "blocked" });
    await daemon.end();
    await setFeed(site, false);
    const again = await site.run();
    await again.said("sealed with another token key than cards.tokenKey; it is built again from the feed");
    expect(await tapped(site, again)).toMatchObject({ granted: false, reason: "list-missing" });
    await setFeed(site, true);
    await again.become("list 2", ({ list }) => list.revision === 2);
    const after = await tapped(site, again);
    expect(after).toMatchObject({ granted: false, reason: "blocked", card: CARDS.granted });
    expect(after.credential.hash).not.toEqual(before.credential.hash);
    expect(await tapped(site, again, STRANGER)).toMatchObject({ granted: false, reason: "unknown" });
  });
});

describe("without a key outside dataDir", () => {
  test("run and doctor say so, and from the day there is one, offline too, the one inside goes; killed at any moment of that, it starts and decides", async () => {
    const site = await chipSite(({ cards }) => {
      delete cards.tokenKey;
    });
    const dataDir = join(site.dir, "data");
    const first = await withList(site);
    await first.said("whoever takes dataDir can read the chip UIDs in it");
    expect(await tapped(site, first)).toMatchObject({ granted: true });
    expect((await site.command("doctor")).stdout).toMatch(/warning +cards\.tokenKey: not set/);
    await first.end();
    expect((await stat(join(dataDir, "token.key"))).mode & 0o777).toBe(0o600);
    const sealedBefore = (await readFile((await indexFiles(site))[0]!)).subarray(32, 40);

    await setFeed(site, false);
    await change(site, ({ cards }) => {
      cards.tokenKey = { file: "./token.key" };
    });
    const decides = async (): Promise<Daemon> => {
      const daemon = await withList(site);
      expect(await tapped(site, daemon)).toMatchObject({ granted: true, card: CARDS.granted });
      return daemon;
    };
    const kept = join(site.dir, "data.kept");
    await cp(dataDir, kept, { recursive: true });

    const second = await decides();
    await second.said("the token key in dataDir is needed no more");
    expect((await readdir(dataDir)).includes("token.key")).toBe(false);
    const files = await indexFiles(site);
    expect(files).toHaveLength(1);
    expect((await readFile(files[0]!)).subarray(32, 40)).not.toEqual(sealedBefore);
    await second.end("SIGKILL");
    expect((await site.command("doctor")).stdout).not.toMatch(/warning +cards\.tokenKey/);
    await (await decides()).end();

    await rm(dataDir, { recursive: true });
    await rename(kept, dataDir);
    await (await site.run()).end("SIGKILL");
    const later = await site.run();
    await later.said("card list in force");
    await later.end("SIGKILL");
    await decides();
  });
});
