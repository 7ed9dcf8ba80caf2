/** Holds docs/dependencies.md against package.json, the lock, and what the sources import. */
import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

interface Locked {
  version: string;
  license: string;
  dev?: boolean;
  hasInstallScript?: boolean;
}

const json = async (file: string) => JSON.parse(await readFile(file, "utf8"));
const { dependencies, optionalDependencies, devDependencies, allowScripts } = await json("package.json");
const { packages } = (await json("package-lock.json")) as { packages: Record<string, Locked> };
const chosen = { program: { ...dependencies, ...optionalDependencies }, checkout: devDependencies };
const sections = (await readFile("docs/dependencies.md", "utf8")).split(/^## /m);

/** The cells of a section's table, a row for each package. */
function table(title: string): string[][] {
  const section = sections.find((text) => text.startsWith(title)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) => row.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")));
}

/** Of a specifier such as `hono/cookie` or `@tufjs/models`, the package. */
const packageOf = (specifier: string) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;

async function imported(folders: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const folder of folders) {
    for (const name of await readdir(folder, { recursive: true })) {
      if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
      const text = await readFile(`${folder}/${name}`, "utf8");
      for (const [, specifier = ""] of text.matchAll(/(?:from |import\(|^import )"([^".][^"]*)"/gm))
        if (!specifier.startsWith("node:")) found.add(packageOf(specifier));
    }
  }
  return [...found].sort();
}

test("the program imports what it depends on, and nothing else", async () => {
  expect(await imported(["config", "drivers", "sync", "daemon"])).toEqual(Object.keys(chosen.program).sort());
});

test.each([
  ["What a gate runs", "program"],
  ["What the checkout needs", "checkout"],
] as const)("%s: each package with the version and the licence of the lock", (title, part) => {
  const rows = table(title).map(([name, , ...cells]) => ({
    name,
    licence: cells.at(part === "program" ? 2 : 0),
  }));
  expect(rows.map(({ name }) => name).sort()).toEqual(
    Object.keys(chosen[part])
      .map((name) => `${name} ${packages[`node_modules/${name}`]?.version}`)
      .sort(),
  );
  for (const { name = "", licence } of rows) {
    const locked = packages[`node_modules/${name.replace(/ .*/, "")}`]?.license.replace(/[()]/g, "");
    expect(`${name}: ${licence}`).toContain(`${name}: ${locked?.replace(" OR ", " or ")}`);
  }
});

test("every install script in the lock is named, justified and allowed", () => {
  const withScript = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace(/^.*node_modules\//, ""))
    .sort();
  expect(
    table("What runs when it is installed")
      .map(([name]) => name)
      .sort(),
  ).toEqual(withScript);
  expect(Object.keys(allowScripts).sort()).toEqual(withScript);
});
