/** docs/contract.md names what holds each promise: those tests, benches and scripts are there. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = readFileSync("docs/contract.md", "utf8");
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

/** The rows of the tables that say what holds a promise. */
const rows = [...page.matchAll(/^\| (?!promise )([^|]+) \| ([^|]+) \| ([^|]*)\|$/gm)].map(
  ([, promise, holders]) => ({
    promise: promise!,
    holders: [...holders!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  }),
);

/** Whether it is there: a test, a bench of `bench/run.ts`, or a script. */
function isThere(holder: string): boolean {
  const [kind = "", name = ""] = holder.split(" ");
  if (kind === "bench") return existsSync(`bench/${name}.ts`);
  if (kind === "npm") return scripts[holder.replace("npm run ", "")] !== undefined;
  return existsSync(`test/${holder}.test.ts`);
}

test("every promise is held by something", () => {
  expect(rows.length).toBeGreaterThan(60);
  expect(rows.filter(({ holders }) => holders.length === 0)).toEqual([]);
});

test("every test, bench and script that it names is there", () => {
  expect(rows.flatMap(({ holders }) => holders.filter((holder) => !isThere(holder)))).toEqual([]);
});

test("what is said in bold in a row stands in the list of what does not hold", () => {
  const bold = page.split("## What does not hold")[0]!.match(/\| [^|]*\*\*[^|]+\|$/gm) ?? [];
  const listed = page.split("## What does not hold")[1]!.match(/^- /gm) ?? [];
  expect(bold.length).toBeGreaterThan(0);
  expect(listed.length).toBeGreaterThanOrEqual(bold.length);
});
