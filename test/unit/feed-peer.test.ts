/** Our feed in the hands of the reference client, over a real web server; and ours in both hands alike. */
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Updater } from "tuf-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createHttpSource } from "../../drivers/feed-http.ts";
import { correctCard } from "../../sync/publish-correct.ts";
import { refreshFeed } from "../../sync/publish-feed.ts";
import { rotateKey } from "../../sync/publish-rotate.ts";
import { setCard } from "../../sync/publish-set.ts";
import { serveWeb, type Web } from "../peers/web.ts";
import { collect, manyCards, sha256, Workshop } from "./feed-workshop.ts";

let workshop: Workshop;
let web: Web;
beforeEach(async () => {
  workshop = await Workshop.open();
  // The reference client knows only the machine's own time.
  workshop.clock.wall = Date.now();
  web = await serveWeb(workshop.place.dir);
});
afterEach(async () => {
  await web.stop();
  await workshop.close();
});

async function referenceClient(): Promise<Updater> {
  const metadataDir = join(workshop.folder, "reference");
  await mkdir(metadataDir, { recursive: true });
  await copyFile(join(workshop.place.dir, "1.root.json"), join(metadataDir, "root.json"));
  return new Updater({
    metadataDir,
    metadataBaseUrl: web.url,
    targetDir: metadataDir,
    targetBaseUrl: `${web.url}targets`,
    config: { fetchRetry: 0 },
  });
}

it("is accepted at every step of its life, and gives both the same bytes", async () => {
  const { place, centre } = workshop;
  await refreshFeed(place, centre, () => {});
  await (await referenceClient()).refresh();

  await workshop.publish(manyCards(500));
  await setCard(place, "BB-2401-000007", { status: "terminated" }, centre, () => {});
  await refreshFeed(place, centre, () => {});
  await (await referenceClient()).refresh();
  await rotateKey(place, "targets", null, centre, () => {});
  await rotateKey(place, "root", null, centre, () => {});
  await correctCard(place, "BB-2401-000007", { status: "active" }, centre, () => {});
  for (const card of ["BB-2401-000001", "BB-2401-000002"]) await workshop.step(card, "blocked");
  const feed = workshop.client(createHttpSource(web.url));
  const outcome = await feed.refresh();
  if (outcome.kind !== "verified") throw new Error(outcome.why);
  expect(outcome).toMatchObject({ rootVersion: 4, corrections: [{ revision: 3 }] });
  expect(outcome.targets.map(({ path }) => path).sort()).toEqual([
    "cards/1-2.csv.gz",
    "cards/2-3.csv.gz",
    "cards/3-4.csv.gz",
    "cards/3-5.csv.gz",
    "cards/3.csv.gz",
    "cards/4-5.csv.gz",
  ]);

  const updater = await referenceClient();
  await updater.refresh();
  for (const target of outcome.targets) {
    const info = await updater.getTargetInfo(target.path);
    const file = await updater.downloadTarget(info!);
    expect(sha256(await readFile(file))).toBe(target.sha256);
    expect(sha256(await collect(feed.download(target)))).toBe(target.sha256);
  }
});

it("is refused by both when it was tampered with", async () => {
  await workshop.publish(manyCards(5));
  await workshop.forge("timestamp.json", () => {}, ["root"]);
  await expect((await referenceClient()).refresh()).rejects.toThrow(/timestamp was signed by 0\/1 keys/);
  const outcome = await workshop.client(createHttpSource(web.url)).refresh();
  expect(outcome).toMatchObject({ kind: "refused", name: "bad-signature" });
});
