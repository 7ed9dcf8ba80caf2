/** Links between pages lead somewhere: to files that are there, and to headings that their pages have. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { PAGES } from "./pages.ts";

/** A heading's name in a link, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");
}

function proseOf(page: string): string {
  return readFileSync(page, "utf8").replaceAll(/^ *```[^\n]*\n.*?^ *```$/gms, "");
}

function faultOf(page: string, target: string): string | null {
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : normalize(join(dirname(page), path));
  if (!existsSync(file)) return `${target}: there is no ${file}`;
  if (anchor === undefined || !file.endsWith(".md")) return null;
  const anchors = [...proseOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
  return anchors.includes(anchor) ? null : `${target}: ${file} has no heading of that name`;
}

test.each([...PAGES, "ARCHITECTURE.md", "CHANGELOG.md"])("%s", (page) => {
  const targets = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  const ours = targets.filter((target) => !/^[a-z]+:/.test(target));
  expect(ours.map((target) => faultOf(page, target)).filter((fault) => fault !== null)).toEqual([]);
});

test("every page is reached from docs/README.md", () => {
  const index = readFileSync("docs/README.md", "utf8");
  const pages = PAGES.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
  const left = pages.filter((page) => !index.includes(`(${page.slice("docs/".length)}`));
  expect(left, "docs/README.md has a line for each page").toEqual([]);
});
