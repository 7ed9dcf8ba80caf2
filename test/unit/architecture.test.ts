/** ARCHITECTURE.md is where a stranger begins: the files that it names are there, and it says each thing once. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const HOUSE = resolve(import.meta.dirname, "../..");
const page = await readFile(resolve(HOUSE, "ARCHITECTURE.md"), "utf8");

test("every file that it names is there", () => {
  const named = [...page.matchAll(/`((?:config|daemon|drivers|sync|test)\/[\w./-]+\.ts)`/g)].map(
    ([, path]) => path!,
  );
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((path) => !existsSync(resolve(HOUSE, path)))).toEqual([]);
});

test("no step of a way and no decision stands twice in a section", () => {
  const twice = page.split(/^## /m).flatMap((section) => {
    const leads = [...section.matchAll(/^(?:\| ([^|]+) \||- \*\*(.+?)\*\*)/gm)].map(
      ([, step, bold]) => step ?? bold,
    );
    return leads.filter((lead, at) => leads.indexOf(lead) !== at);
  });
  expect(twice).toEqual([]);
});
