/**
 * Holds the import arrows of the house: imports run one way, nothing goes round in a circle, no file only hands on
 * what others export, and no module keeps state of its own.
 */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const HOUSE = resolve(import.meta.dirname, "..");
const ROOMS = ["config", "drivers", "sync", "daemon"];

interface Import {
  line: number;
  specifier: string;
  typeOnly: boolean;
  /** Loaded only when the program comes by. */
  late: boolean;
}

interface Source {
  /** Relative to the house, with `/`. */
  path: string;
  imports: Import[];
  /** Lines of `let` and `var` at the top level. */
  mutableLines: number[];
  /** It does nothing but export from elsewhere. */
  isBarrel: boolean;
}

// ---------------------------------------------------------------- the rules

/** The types everybody in `sync/` and `daemon/` may know. */
const PORTS = new Set(["drivers/ports.ts", "drivers/driver.ts"]);

/** What a codec may use beside the house: functions over values, without a world behind them. */
const PURE_MODULES = new Set(["node:buffer", "node:crypto"]);

/** Where implementations and `config/` are met. */
const isCompositionRoot = (path: string) =>
  /^daemon\/main(-[a-z]+)?\.ts$/.test(path) || path.startsWith("daemon/commands/");

/** The rooms of `daemon/`, as ARCHITECTURE.md lists them: each knows only those before it, and not what joins them. */
const GATE_ROOMS =
  "journal site presence gate broker report answers remote console doctor install commands".split(" ");
const JOINS = /^daemon\/(cli|house|main)[a-z-]*\.ts$/;

/** Why a file in a room of `daemon/` may not import another one; null where it may. */
function wrongWayUp(path: string, target: string): string | null {
  const [from, to] = [path, target].map((file) => /^daemon\/([^/]+)\//.exec(file)?.[1]);
  if (from === undefined || (to === undefined && !target.startsWith("daemon/"))) return null;
  if (!GATE_ROOMS.includes(from)) return `daemon/${from}/ is no room that is known here`;
  if (to === undefined)
    return JOINS.test(target) && from !== "commands"
      ? `${target} joins the rooms, and they do not know it`
      : null;
  return GATE_ROOMS.indexOf(to) > GATE_ROOMS.indexOf(from)
    ? `daemon/${to}/ stands after daemon/${from}/`
    : null;
}

/** What a room may import of the house, in words, and as a test of the imported file. */
function allowance(path: string): { words: string; allows: (target: string, typeOnly: boolean) => boolean } {
  const within =
    (...rooms: string[]) =>
    (target: string) =>
      rooms.some((room) => target.startsWith(`${room}/`));
  const portTypes = (target: string, typeOnly: boolean) => typeOnly && PORTS.has(target);
  if (isCompositionRoot(path)) return { words: "anything but tests", allows: within(...ROOMS) };
  if (path.startsWith("config/")) return { words: "config/ only", allows: within("config") };
  if (path.startsWith("drivers/codec/")) {
    return {
      words: "drivers/codec/ and types of drivers/ports.ts and drivers/driver.ts",
      allows: (target, typeOnly) => within("drivers/codec")(target) || portTypes(target, typeOnly),
    };
  }
  if (path.startsWith("drivers/")) return { words: "drivers/ only", allows: within("drivers") };
  const rooms = path.startsWith("sync/") ? ["sync"] : ["daemon", "sync"];
  return {
    words: `${rooms.map((room) => `${room}/`).join(", ")} and types of drivers/ports.ts and drivers/driver.ts`,
    allows: (target, typeOnly) => within(...rooms)(target) || portTypes(target, typeOnly),
  };
}

/** Every breach as `file:line: what is wrong`. */
function breaches(sources: Source[]): string[] {
  const found: string[] = [];
  for (const { path, imports, mutableLines, isBarrel } of sources) {
    const { words, allows } = allowance(path);
    for (const { line, specifier, typeOnly } of imports) {
      const at = `${path}:${line}`;
      if (!specifier.startsWith(".")) {
        const isCodec = path.startsWith("drivers/codec/");
        if (isCodec && !PURE_MODULES.has(specifier))
          found.push(`${at}: a codec is pure and imports no ${specifier}`);
        continue;
      }
      const target = targetOf(path, specifier);
      const kind = typeOnly ? "type of " : "";
      if (!allows(target, typeOnly)) found.push(`${at}: imports ${kind}${target}; allowed: ${words}`);
      const wrong = wrongWayUp(path, target);
      if (wrong !== null) found.push(`${at}: imports ${kind}${target}; ${wrong}`);
    }
    for (const line of mutableLines) found.push(`${path}:${line}: mutable state of a module`);
    if (isBarrel) found.push(`${path}:1: only hands on what others export`);
  }
  return [...found, ...cycles(sources)];
}

function targetOf(path: string, specifier: string): string {
  return join(dirname(path), specifier).replaceAll("\\", "/");
}

/** Each circle once, told at the import that closes it. */
function cycles(sources: Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const trail: string[] = [];
  const found: string[] = [];

  function visit(path: string): void {
    if (done.has(path)) return;
    trail.push(path);
    for (const { line, specifier } of byPath.get(path)?.imports ?? []) {
      if (!specifier.startsWith(".")) continue;
      const target = targetOf(path, specifier);
      const start = trail.indexOf(target);
      if (start >= 0)
        found.push(`${path}:${line}: closes the circle ${[...trail.slice(start), target].join(" > ")}`);
      else visit(target);
    }
    trail.pop();
    done.add(path);
  }

  for (const { path } of sources) visit(path);
  return found;
}

/** The packages that are loaded with a file, by itself or by what it imports. */
function packagesOf(sources: Source[], first: string): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { specifier, typeOnly, late } of byPath.get(path)?.imports ?? []) {
      if (typeOnly || late || specifier.startsWith("node:")) continue;
      if (specifier.startsWith(".")) visit(targetOf(path, specifier));
      else packages.add(specifier);
    }
  };
  visit(first);
  return [...packages].sort();
}

// ---------------------------------------------------------------- reading sources

async function readHouse(house: string): Promise<Source[]> {
  const sources: Source[] = [];
  for (const room of ROOMS) {
    const entries = await readdir(join(house, room), { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const whole = join(entry.parentPath, entry.name);
      sources.push(parse(relative(house, whole), await readFile(whole, "utf8")));
    }
  }
  return sources.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const STATIC = /^[ \t]*(import|export)\b(?:([^"'`;]*?)\bfrom)?[ \t\n]*"([^"\n]+)"[^;\n]*;?/gm;
const DYNAMIC = /(typeof[ \t\n]+)?\b(?:import|createRequire\(import\.meta\.url\))\([ \t\n]*"([^"\n]+)"/g;
const MUTABLE = /^(?:export[ \t]+)?(?:let|var)\b/gm;

function parse(path: string, text: string): Source {
  const code = withoutComments(text);
  const lineAt = (offset: number) => code.slice(0, offset).split("\n").length;
  const imports: Import[] = [];
  for (const found of code.matchAll(STATIC)) {
    const line = lineAt(found.index + found[0].search(/\S/));
    imports.push({ line, specifier: found[3]!, typeOnly: isTypeOnly(found[2]), late: false });
  }
  for (const found of code.matchAll(DYNAMIC)) {
    const typeOnly = found[1] !== undefined;
    imports.push({ line: lineAt(found.index), specifier: found[2]!, typeOnly, late: true });
  }
  const rest = code.replace(STATIC, (statement, word) => (word === "export" ? "" : statement));
  return {
    path: path.replaceAll("\\", "/"),
    imports,
    mutableLines: [...code.matchAll(MUTABLE)].map((found) => lineAt(found.index)),
    isBarrel: rest.trim() === "" && imports.length > 0,
  };
}

/** `import type … from`, `export type … from`, or braces in which every name says `type`. */
function isTypeOnly(clause: string | undefined): boolean {
  const words = clause?.trim() ?? "";
  if (/^type\b(?!\s*,)/.test(words)) return true;
  const names = /^\{([^}]*)\}$/
    .exec(words)?.[1]
    ?.split(",")
    .filter((name) => name.trim() !== "");
  return names !== undefined && names.length > 0 && names.every((name) => /^\s*type\s/.test(name));
}

/**
 * Blanks comments, and template text, which may quote code; keeps every line where it was. Strings are kept, as
 * they name what is imported. A `/` after an operator begins a regular expression.
 */
function withoutComments(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|(?<=[=(,:[!&|?{};+\n][ \t]*|return[ \t]+|=>[ \t]*)\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
  return text.replace(token, (found) =>
    found[0] === '"' || found[0] === "'" ? found : found.replace(/[^\n]/g, " "),
  );
}

// ---------------------------------------------------------------- the tests

it("holds the arrows of the house", async () => {
  const sources = await readHouse(HOUSE);
  expect(sources.map((source) => source.path)).toContain("drivers/ports.ts");
  expect(breaches(sources)).toEqual([]);
});

it("knows the rooms of daemon/ as ARCHITECTURE.md lists them", async () => {
  const page = await readFile(join(HOUSE, "ARCHITECTURE.md"), "utf8");
  const gate = page.slice(page.indexOf("- **`daemon/`**"), page.indexOf("- **`test/`**"));
  const listed = [...gate.matchAll(/(?:^ {2}- |; )`([a-z]+)\/`/gm)].map(([, room]) => room);
  expect(listed).toEqual(GATE_ROOMS);
});

/**
 * Each takes megabytes and a part of a second: what only some sites need is loaded where they ask for it, and what reads the
 * configuration with that.
 */
it("starts the daemon with the packages that every site needs", async () => {
  const packages = packagesOf(await readHouse(HOUSE), "daemon/commands/run.ts");
  expect(packages).toEqual(["@tufjs/models", "commander", "lowdb", "pino"]);
});

const PLANTED: [path: string, text: string, breach: RegExp | null][] = [
  [
    "config/schema.ts",
    'import type { Clock } from "../drivers/ports.ts";\n',
    /^config\/schema\.ts:1: imports type of drivers/,
  ],
  ["config/load.ts", 'import { parse } from "yaml";\nimport { a } from "./schema.ts";\n', null],
  [
    "drivers/codec/frame.ts",
    '\nimport { readFileSync } from "node:fs";\n',
    /^drivers\/codec\/frame\.ts:2: .* node:fs$/,
  ],
  [
    "drivers/codec/osdp.ts",
    'import type { Log } from "../ports.ts";\nimport { x } from "./frame.ts";\n',
    null,
  ],
  [
    "drivers/codec/wiegand.ts",
    'import { open } from "../system.ts";\n',
    /wiegand\.ts:1: imports drivers\/system\.ts/,
  ],
  [
    "drivers/reader.ts",
    '// why\nimport type { Card } from "../sync/card.ts";\n',
    /reader\.ts:2: imports type of sync/,
  ],
  [
    "drivers/relay.ts",
    'const x = await import("../daemon/main.ts");\n',
    /relay\.ts:1: imports daemon\/main\.ts/,
  ],
  [
    "drivers/board.ts",
    'const x = createRequire(import.meta.url)("../sync/rows.ts");\n',
    /board\.ts:1: imports sync\/rows\.ts/,
  ],
  [
    "drivers/disk.ts",
    'export {\n  a,\n} from "../config/load.ts";\nexport const b = 1;\n',
    /disk\.ts:1: imports config/,
  ],
  [
    "drivers/index.ts",
    '/** All. */\nexport * from "./reader.ts";\nexport { y } from "./relay.ts";\n',
    /index\.ts:1: only hands/,
  ],
  [
    "sync/feed.ts",
    'import { type Clock, never } from "../drivers/ports.ts";\n',
    /feed\.ts:1: imports drivers\/ports/,
  ],
  ["sync/rows.ts", 'import { type Clock, type Log } from "../drivers/ports.ts";\n', null],
  [
    "sync/store.ts",
    'import type { Files } from "../drivers/files.ts";\n',
    /store\.ts:1: imports type of drivers\/files/,
  ],
  ["sync/state.ts", "/* let a */\n  let inner = 1;\nexport let b = 2;\n", /state\.ts:3: mutable/],
  ["daemon/gateway.ts", 'import { load } from "../config/load.ts";\n', /gateway\.ts:1: imports config/],
  [
    "daemon/tap.ts",
    'import type { Reader } from "../drivers/driver.ts";\nimport { r } from "../sync/rows.ts";\n',
    null,
  ],
  [
    "daemon/main.ts",
    'import { a } from "../drivers/reader.ts";\nimport { b } from "../config/load.ts";\n',
    null,
  ],
  ["daemon/commands/run.ts", 'import { w } from "../../test/sim/world.ts";\n', /run\.ts:1: imports test/],
  [
    "daemon/quotes.ts",
    '// import "../config/a.ts"\nconst r = /["\'`]/;\nconst t = `import "../config/b.ts"`;\n',
    null,
  ],
  [
    "daemon/journal/pen.ts",
    'import type { D } from "../gate/decide.ts";\n',
    /pen\.ts:1: imports type of .* stands after/,
  ],
  ["daemon/gate/decide.ts", 'import type { J } from "../journal/journal.ts";\n', null],
  ["daemon/gate/loop.ts", 'import { h } from "../house.ts";\n', /loop\.ts:1: .* do not know it$/],
  ["daemon/attic/box.ts", 'import { w } from "../words.ts";\n', /box\.ts:1: .* no room/],
  ["daemon/a.ts", 'import { b } from "./b.ts";\n', null],
  [
    "daemon/b.ts",
    'import type { a } from "./a.ts";\n',
    /b\.ts:1: closes the circle daemon\/a\.ts > daemon\/b\.ts > daemon\/a/,
  ],
];

it("names every wrong arrow that is planted, and no right one", async () => {
  const house = await mkdtemp(join(tmpdir(), "grindvakt-arrows-"));
  try {
    for (const [path, text] of PLANTED) {
      await mkdir(dirname(join(house, path)), { recursive: true });
      await writeFile(join(house, path), text);
    }
    const found = breaches(await readHouse(house));
    const expected = PLANTED.flatMap(([, , breach]) => (breach === null ? [] : [breach]));
    for (const breach of expected) expect(found.filter((line) => breach.test(line))).toHaveLength(1);
    expect(found.filter((line) => !expected.some((breach) => breach.test(line)))).toEqual([]);
  } finally {
    await rm(house, { recursive: true });
  }
});
