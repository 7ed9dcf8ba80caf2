/** A feed that another implementation made and signed (`test/fixtures/feed-other/make.py`), in our hands and the reference client's. */
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Updater } from "tuf-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createDirectorySource } from "../../drivers/feed-directory.ts";
import { createFiles } from "../../drivers/files.ts";
import type { FeedSource } from "../../drivers/ports.ts";
import { createSystemDisk, systemRandom } from "../../drivers/system.ts";
import { createFeed } from "../../sync/feed.ts";
import { serveWeb } from "../peers/web.ts";
import { collect, found, HandClock, silentLog, tampered, verified } from "./feed-workshop.ts";

const FEED = join(import.meta.dirname, "../fixtures/feed-other");
/** The text of the lists there. */
const WHOLE = [
  "number,status,valid_until,tokens",
  "BB-2401-000001,active,2028-12-31,uid:04A1B2C3D4E5F6",
  "BB-2401-000002,blocked,,",
  "",
].join("\n");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "grindvakt-other-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function client(source: FeedSource = createDirectorySource(FEED, createSystemDisk())) {
  const files = createFiles(createSystemDisk(), systemRandom);
  const settings = { rootPath: join(FEED, "1.root.json"), metadataDir: join(folder, "gate") };
  return createFeed(settings, { clock: new HandClock(), files, source, log: silentLog });
}

it("is believed: ECDSA and RSA-PSS keys, two signatures of three, a root that has moved on", async () => {
  const feed = client();
  const { targets, rootVersion, publishedAtMs } = await verified(feed);
  expect(rootVersion).toBe(2);
  expect(publishedAtMs).toBeNull();
  expect(targets.map(({ path, base, revision, cards }) => ({ path, base, revision, cards }))).toEqual([
    { path: "cards/1.csv.gz", base: null, revision: 1, cards: 2 },
    { path: "cards/1-2.csv.gz", base: 1, revision: 2, cards: 3 },
  ]);
  expect(gunzipSync(await collect(feed.download(targets[0]!))).toString()).toBe(WHOLE);
});

it("is believed by the reference client too", async () => {
  const web = await serveWeb(FEED);
  try {
    const metadataDir = join(folder, "reference");
    await mkdir(metadataDir);
    await copyFile(join(FEED, "1.root.json"), join(metadataDir, "root.json"));
    const updater = new Updater({
      metadataDir,
      metadataBaseUrl: web.url,
      targetDir: metadataDir,
      targetBaseUrl: `${web.url}targets`,
      config: { fetchRetry: 0 },
    });
    await updater.refresh();
    const info = await updater.getTargetInfo("cards/1.csv.gz");
    const file = await updater.downloadTarget(info!);
    expect(gunzipSync(await readFile(file)).toString()).toBe(WHOLE);
  } finally {
    await web.stop();
  }
});

it.each(["2.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json"])(
  "is refused when %s has one signature too few, or one that is not right",
  async (name) => {
    const json = JSON.parse((await readFile(join(FEED, name))).toString());
    // Of the second root's signers two are needed of the old ones and two of the new ones, and one is both.
    const fewer = { ...json, signatures: json.signatures.slice(1) };
    const [first, ...rest] = json.signatures as { keyid: string; sig: string }[];
    const flipped = first!.sig.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
    const wrong = { ...json, signatures: [{ ...first, sig: flipped }, ...rest] };
    for (const damaged of [fewer, wrong]) {
      const source = tampered(createDirectorySource(FEED, createSystemDisk()), (path) =>
        path === name ? found(JSON.stringify(damaged)) : null,
      );
      expect(await client(source).refresh()).toMatchObject({ kind: "refused", name: "bad-signature" });
    }
  },
);
