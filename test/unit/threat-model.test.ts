import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

const HOUSE = join(import.meta.dirname, "../..");

test("every test and file that the threat model names is there, and every threat says what is not done", async () => {
  const text = await readFile(join(HOUSE, "docs/threat-model.md"), "utf8");
  const named = new Set(
    [...text.matchAll(/`((?:test|sync|daemon|drivers|config|packaging)\/[\w/.-]+)`/g)].map(
      ([, path]) => path!,
    ),
  );
  expect(named.size).toBeGreaterThan(25);
  const missing: string[] = [];
  for (const path of named) await access(join(HOUSE, path)).catch(() => missing.push(path));
  expect(missing).toEqual([]);
  const threats = text.split(/^## /m).slice(1);
  expect(threats.map((threat) => threat.split("\n")[0])).toEqual([
    "A stolen Pi, or its card",
    "A hostile cable: a reader's line hangs outside the gate",
    "A hostile network",
    "A curious technician",
    "A malicious feed, or a centre that errs",
    "A compromised broker",
    "What it is made of",
  ]);
  for (const threat of threats) expect(threat).toContain("**Not done**");
});
