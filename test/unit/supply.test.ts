/** What the program is made of, and what it may start: docs/dependencies.md, held against package-lock.json and the sources. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";

const HOUSE = join(import.meta.dirname, "../..");

interface Locked {
  dev?: boolean;
  integrity?: string;
}

async function read(path: string): Promise<string> {
  return readFile(join(HOUSE, path), "utf8");
}

/** Of each package in package-lock.json, by its name. */
async function locked(): Promise<[string, Locked][]> {
  const { packages } = JSON.parse(await read("package-lock.json")) as { packages: Record<string, Locked> };
  return Object.entries(packages)
    .filter(([path]) => path !== "")
    .map(([path, one]) => [path.replace(/^.*node_modules\//, ""), one]);
}

describe("the bill of materials", { timeout: 60_000 }, () => {
  test("names every package that runs at a site, with a licence of the list, and is the same twice", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grindvakt-sbom-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const texts: string[] = [];
    for (const name of ["one.json", "two.json"]) {
      await promisify(execFile)(process.execPath, [join(HOUSE, "packaging/sbom.js"), join(dir, name)]);
      texts.push(await readFile(join(dir, name), "utf8"));
    }
    expect(texts[0]).toBe(texts[1]);
    const { metadata, components } = JSON.parse(texts[0]!) as {
      metadata: { component: { name: string } };
      components: {
        name: string;
        licenses?: { license?: { id: string }; expression?: string }[];
      }[];
    };
    expect(metadata.component.name).toBe("grindvakt");
    const running = new Set((await locked()).filter(([, { dev }]) => dev !== true).map(([name]) => name));
    expect(new Set(components.map(({ name }) => name))).toEqual(running);
    const [, line = ""] = /^Licences: (.*)\.$/m.exec(await read("docs/dependencies.md"))!;
    const allowed = new Set(line.split(", "));
    expect(allowed.size).toBeGreaterThan(3);
    const licences = components.flatMap(({ name, licenses = [] }) =>
      licenses.length === 0
        ? [`${name}: none`]
        : licenses.map(({ license, expression }) => license?.id ?? expression ?? `${name}: none`),
    );
    expect([...new Set(licences)].filter((licence) => !allowed.has(licence))).toEqual([]);
  });

  test("every package is held by a hash", async () => {
    for (const [name, { integrity }] of await locked()) expect(integrity, name).toMatch(/^sha512-/);
  });
});

// ---------------------------------------------------------------- what it may start

/** Which sources start a program, and which: all by a name that is written there, with words apart, never through a shell. */
const STARTERS: Readonly<Record<string, string>> = {
  "daemon/commands/doctor-bundle.ts": "journalctl",
  "drivers/pcsc-process.ts": "this program, for PC/SC",
  "drivers/program.ts": "gpioset, gpiomon and the like, named by its callers",
  "drivers/service-manager.ts": "xargs and systemd-notify",
  "drivers/system-trust.ts": "timedatectl",
};

/** What makes a source unsafe to be given input, or null. */
function dangerIn(source: string): string | null {
  const text = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const [, names = ""] = /import \{([^}]*)\} from "(?:node:)?child_process"/.exec(text) ?? [];
  const taken = names
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const wrong = taken.find((name) => !name.startsWith("type ") && name !== "spawn" && name !== "execFile");
  if (wrong !== undefined) return `${wrong} of node:child_process`;
  if (/(?:require|import)\(\s*["'](?:node:)?child_process/.test(text)) return "child_process, loaded late";
  if (/\* as \w+ from "(?:node:)?child_process"/.test(text)) return "all of node:child_process";
  if (/\bspawn|\bexecFile/.test(text) && /\bshell\s*[:,}]/.test(text)) return "a shell";
  if (/["'](?:\/bin\/)?(?:sh|bash|dash)["']/.test(text)) return "a shell by its name";
  if (/\beval\(|\bnew Function\b|node:vm/.test(text)) return "text that becomes code";
  return null;
}

async function sources(): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const room of ["config", "drivers", "sync", "daemon"]) {
    for (const one of await readdir(join(HOUSE, room), { recursive: true, withFileTypes: true })) {
      const path = join(one.parentPath, one.name);
      if (one.isFile() && /\.(ts|js)$/.test(one.name))
        found.push([relative(HOUSE, path), await readFile(path, "utf8")]);
    }
  }
  return found;
}

describe("no source starts a shell", () => {
  test("nor another program than those known, nor makes code of text", async () => {
    const all = await sources();
    expect(all.length).toBeGreaterThan(200);
    for (const [path, text] of all) expect(dangerIn(text), path).toBeNull();
    const starters = all
      .filter(([, text]) => /from "(?:node:)?child_process"/.test(text))
      .map(([path]) => path);
    expect(starters.toSorted()).toEqual(Object.keys(STARTERS).toSorted());
  });

  test.each([
    'import { exec } from "node:child_process";',
    'import { execFile, execSync } from "node:child_process";',
    'import * as processes from "child_process";',
    'const { exec } = await import("node:child_process");',
    "spawn(program, args, { shell: true });",
    "spawn(program, args, { stdio, shell });",
    'spawn("sh", ["-c", words]);',
    "new Function(text)();",
  ])("(%s would be found)", (text) => {
    expect(dangerIn(text)).not.toBeNull();
  });
});
