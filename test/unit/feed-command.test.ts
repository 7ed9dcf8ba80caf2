/** `grindvakt feed`: what it prints, where, and with which exit code (CONTRACT 2). */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { grindvakt } from "../e2e/site.ts";
import { feedIn } from "./feed-line.ts";

const CARDS = [
  "number,status,valid_until,tokens",
  "BB-2401-000001,active,2028-12-31,uid:04A1B2C3D4E5F6",
  "BB-2401-000002,terminated,,",
  "",
].join("\n");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "grindvakt-centre-"));
  await writeFile(join(folder, "cards.csv"), CARDS);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const feed = (words: string, env: NodeJS.ProcessEnv = {}, program?: typeof grindvakt) =>
  feedIn(folder, words, env, program);

it("walks a feed through its life", async () => {
  const init = await feed("init lists --name id06 --root-keys safe");
  expect(init).toMatchObject({
    code: 0,
    errors: [expect.stringMatching(/^warning: the keys are not encrypted/)],
  });
  expect(init.out).toMatch(/take offline .*safe\/root.pem/);
  expect(await feed("publish lists --cards cards.csv")).toMatchObject({
    code: 0,
    errors: [],
    out: expect.stringMatching(/^no list -> revision 1, 2 cards: 2 new, 0 changed, 0 gone\n/),
  });
  expect(await feed("set lists bb2401000001 blocked --valid-until none")).toMatchObject({
    code: 0,
    out: "revision 1 -> revision 2: BB-2401-000001 was active, is blocked\n",
  });
  expect(await feed("publish lists --cards cards.csv --dry-run")).toMatchObject({
    code: 0,
    errors: [
      "warning: this CSV takes back what feed set made of 1 card: BB-2401-000001 blocked -> active",
      expect.stringMatching(/^warning: /),
    ],
  });
  expect((await feed("refresh lists")).out).toMatch(/^renewed, revision 2; expires\n {2}root/);
  expect(await feed("verify lists", {}, grindvakt)).toMatchObject({
    code: 0,
    errors: [],
    out: expect.stringMatching(/^the feed holds: revision 2, 2 cards/),
  });
});

it("keeps its keys beside the feed, or where it is told, and looks for them there", async () => {
  expect((await feed("init lists")).code).toBe(0);
  expect((await readdir(join(folder, "lists.keys"))).sort()).toContain("targets.pem");
  expect((await feed("init others --keys safe")).code).toBe(0);
  expect(await readdir(join(folder, "safe"))).toContain("targets.pem");
  expect((await readdir(folder)).sort()).toEqual(["cards.csv", "lists", "lists.keys", "others", "safe"]);
  expect((await feed("publish others --cards cards.csv --keys safe")).code).toBe(0);
  expect(await feed("publish others --cards cards.csv")).toMatchObject({
    code: 1,
    errors: [expect.stringMatching(/others\.keys .*--keys/)],
  });
});

it("prints facts for programs", async () => {
  const json = async (words: string) => JSON.parse((await feed(`${words} --json`)).out);
  expect(await json("init lists")).toMatchObject({ name: "lists", encrypted: false });
  expect(await json("publish lists --cards cards.csv")).toMatchObject({
    kind: "published",
    from: null,
    to: 1,
    change: { added: 2 },
  });
  expect(await json("set lists BB-2401-000001 blocked")).toMatchObject({
    from: 1,
    to: 2,
    before: { status: "active", validUntil: "2028-12-31" },
  });
  expect(await json("refresh lists")).toMatchObject({ revision: 2, warnings: [] });
  expect(await json("verify lists")).toMatchObject({ ok: true, revision: 2, cards: 2, faults: [] });
});

it("says one line a fault on standard error, and exits 1 for what went wrong and 2 for how it was called", async () => {
  await feed("init lists");
  await feed("publish lists --cards cards.csv");
  const ends: [string, number, RegExp][] = [
    ["init lists", 1, /is a feed already/],
    ["set lists BB-2401-000002 active", 1, /terminated and can never be active/],
    ["set lists BB-2401-000009 active", 1, /not on the list/],
    ["verify nowhere", 1, /no root.json/],
    ["publish nowhere --cards cards.csv", 1, /--keys/],
    ["publish lists --cards nothing.csv", 2, /nothing.csv is not there/],
    ["publish lists", 2, /--cards/],
    ["publish lists --cards cards.csv --allow-change many", 2, /whole number/],
    ["set lists BB-2401-00001 active", 2, /BB-1234-567890/],
    ["set lists BB-2401-000001 expired", 2, /valid_until/],
    ["set lists BB-2401-000001 active --valid-until 2027-13-01", 2, /must be a day/],
    ["init other --name ÅÄÖ", 2, /a-z/],
    ["refresh lists --passphrase-file nothing", 2, /nothing is not there/],
  ];
  for (const [at, [words, code, why]] of ends.entries()) {
    const isFirst = ends.findIndex(([, other]) => other === code) === at;
    const end = await feed(words, {}, isFirst ? grindvakt : undefined);
    expect({ words, ...end }).toMatchObject({ code, errors: [expect.stringMatching(why)] });
    expect(end.errors[0]).toMatch(/^grindvakt: /);
  }
});

it("names every faulty row, and publishes nothing", async () => {
  await feed("init lists");
  await writeFile(join(folder, "cards.csv"), `${CARDS}x,active,,\nBB-2401-000001,locked,,\n`);
  expect(await feed("publish lists --cards cards.csv")).toMatchObject({
    code: 1,
    out: "",
    errors: [
      expect.stringMatching(/row 4: "x"/),
      expect.stringMatching(/row 5: "locked"/),
      "grindvakt: nothing was published",
    ],
  });
});

it("takes its passphrase from the environment or a file, and asks nobody", async () => {
  const passphrase = { GRINDVAKT_FEED_PASSPHRASE: "en lång mening" };
  expect((await feed("init lists", passphrase)).errors).toEqual([]);
  expect(await feed("refresh lists")).toMatchObject({
    code: 1,
    errors: [expect.stringMatching(/GRINDVAKT_FEED_PASSPHRASE/)],
  });
  expect(await feed("rotate lists --role targets", passphrase)).toMatchObject({ code: 0, errors: [] });
  expect(await readFile(join(folder, "lists.keys/targets-2.pem"), "utf8")).toMatch(/^-----BEGIN ENCRYPTED /);
  await writeFile(join(folder, "passphrase"), "en lång mening\n");
  expect(await feed("refresh lists --passphrase-file passphrase")).toMatchObject({ code: 0, errors: [] });
});

it("replaces keys and undoes a wrong end, with enough of the root's keys", async () => {
  const init = await feed("init lists --root-threshold 2 --root-signers 3 --root-keys safe");
  expect(init.out).toMatch(/root.pem to root-3.pem: 2 of them are needed/);
  await feed("publish lists --cards cards.csv");
  expect((await feed("keys lists --root-keys safe")).out).toMatch(
    /^root: 2 of 3 must sign; good until .*\n {2}[0-9a-f]{8} {2}ed25519 +\S+safe\/root.pem\n/,
  );
  expect((await feed("keys lists")).out).toMatch(/not at hand/);
  expect(await feed("rotate lists --role targets --root-keys safe")).toMatchObject({
    code: 0,
    errors: [expect.stringMatching(/^warning: the new key is not encrypted/)],
    out: expect.stringMatching(/^root 2: targets is signed by .*\n {2}new key .*targets-2.pem\n {2}destroy/),
  });
  expect(await feed("correct lists BB-2401-000002 active --root-keys safe")).toMatchObject({
    code: 0,
    errors: [],
    out: "revision 1 -> revision 2, root 3: BB-2401-000002 was terminated by mistake, is active\n",
  });
  const ends: [string, number, RegExp][] = [
    ["correct lists BB-2401-000002 blocked --root-keys safe", 1, /feed set may change/],
    ["rotate lists --role root --root-keys safe", 1, /--replace/],
    ["rotate lists --role snapshot", 1, /the root key is needed/],
    ["rotate lists --role king --root-keys safe", 2, /root, targets, snapshot, timestamp/],
    ["init other --root-threshold 3 --root-signers 2", 2, /can never give the 3 signatures/],
    ["init other --root-threshold 0", 2, /from 1 to 9/],
  ];
  for (const [words, code, why] of ends) {
    expect({ words, ...(await feed(words)) }).toMatchObject({ code, errors: [expect.stringMatching(why)] });
  }
});
