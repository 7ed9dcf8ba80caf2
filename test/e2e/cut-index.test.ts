/** A reader that cuts UIDs gets its table in the index that is there, also where the feed is gone. */
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { readImage } from "../../sync/index-file.ts";
import { TokenSeal } from "../../sync/token-seal.ts";
import { makeSite, type Site, sharedFeed, TOKEN_KEY, until } from "./site.ts";

const feedDir = await sharedFeed();

/** Of the index which of the four tables for cut UIDs it has; null where there is none, or it is being replaced. */
async function cutsOf(site: Site): Promise<boolean[] | null> {
  const folder = join(site.dir, "data", "cards");
  const [name, ...others] = (await readdir(folder)).filter((name) => name.endsWith(".bin"));
  if (name === undefined || others.length > 0) return null;
  const bytes = await readFile(join(folder, name)).catch(() => new Uint8Array());
  const opened = readImage(bytes, [new TokenSeal(Buffer.from(TOKEN_KEY, "hex"))]);
  return opened.kind === "opened" ? opened.image.parts.cuts.map((cut) => cut !== null) : null;
}

test("the configuration's readers decide which tables for cut UIDs the index has", async () => {
  const site = await makeSite(feedDir, "tcp://127.0.0.1:9");
  onTestFinished(() => site.dispose());
  const before = await site.run();
  await until("a list is in force", async () => (await before.status()).list.revision);
  expect(await cutsOf(site)).toEqual([false, false, false, false]);
  await before.end();

  const configuration = parse(await readFile(site.file, "utf8"));
  configuration.readers[0].reads = { uid: "hex", order: "lsb", bytes: 3, cut: "last" };
  await writeFile(site.file, stringify(configuration));
  await rm(join(site.dir, "feed"), { recursive: true });
  const after = await site.run();
  const cuts = await until("the index has a table", async () => {
    const cuts = await cutsOf(site);
    return cuts?.includes(true) === true ? cuts : null;
  });
  expect(cuts).toEqual([false, false, true, false]);
  expect((await after.status()).list.revision).toBe(1);
});
