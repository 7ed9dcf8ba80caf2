/** What commands and options there are, and what the README and the docs say of them in passing. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { fencesOf, mentionsOf, PAGES } from "./pages.ts";

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

/** Commands that print no facts: they run until they are ended, or print what has a format of its own. */
const WITHOUT_FACTS = ["demo", "run", "osdp-pd"];

interface Help {
  options: string[];
  commands: string[];
}

/** By their words, `""` for the program itself. */
const helps = new Map<string, Help>();

/** Asks the built program's commands, as values, in one process: `--help` of each is a test of its own (`e2e/commands`). */
const ASK = `
  const modules = ${JSON.stringify(modulesOf(readFileSync("daemon/cli.ts", "utf8")))};
  const asked = (command) => ({
    name: command.name(),
    options: command.options.flatMap(({ short, long }) => [short, long]),
    commands: command.commands.map(asked),
  });
  const all = [];
  for (const [file, make] of modules) all.push(asked((await import("./dist/daemon/commands/" + file + ".js"))[make]()));
  console.log(JSON.stringify(all));
`;

/** File and function of each command, as the program names them. */
function modulesOf(program: string): [file: string, make: string][] {
  const entries = program.matchAll(/import\("\.\/commands\/([\w-]+)\.ts"\)\)\.(\w+)\(\)/g);
  return [...entries].map(([, file, make]) => [file!, make!]);
}

interface Asked {
  name: string;
  options: (string | undefined)[];
  commands: Asked[];
}

function note(name: string, { options, commands }: Asked): void {
  helps.set(name, {
    options: [...options.filter((one) => typeof one === "string"), "-h", "--help"],
    commands: commands.map((one) => one.name),
  });
  for (const one of commands) note(`${name} ${one.name}`.trim(), one);
}

beforeAll(() => {
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", ASK], { encoding: "utf8" });
  note("", { name: "", options: ["-V", "--version"], commands: JSON.parse(said) as Asked[] });
});

/** `a|b` is two commands, and what stands in brackets may be left out or not: each as words. */
function spelledOut(mention: string): string[][] {
  const words = mention.replaceAll("\\|", "|").replaceAll(/[[\]]/g, "").split(" ");
  return words.reduce<string[][]>(
    (all, word) => all.flatMap((one) => word.split("|").map((choice) => [...one, choice])),
    [[]],
  );
}

/** What is wrong with a command as somebody wrote it, or null. */
function faultOf(words: readonly string[]): string | null {
  let name = "";
  let rest = words;
  while (rest[0] !== undefined && helps.get(name)!.commands.includes(rest[0])) {
    name = `${name} ${rest[0]}`.trim();
    rest = rest.slice(1);
  }
  const help = helps.get(name)!;
  if (name === "" && !rest[0]?.startsWith("-") && rest[0] !== "…") return `there is no ${rest[0]}`;
  // A group of commands may be named as a whole, and nothing may be put behind that.
  if (name !== "" && help.commands.length > 0 && rest.length > 0) return `${name} has no ${rest[0]}`;
  const unknown = rest.find((word) => word.startsWith("-") && !help.options.includes(word));
  return unknown === undefined ? null : `${name} has no option ${unknown}`;
}

/** A script of package.json; behind `bench --` a bench. */
function isScript([name = "", , ...rest]: readonly string[]): boolean {
  const [bench = "--"] = rest;
  const isBench = name !== "bench" || bench.startsWith("-") || existsSync(`bench/${bench}.ts`);
  return scripts[name] !== undefined && isBench;
}

test("every command that prints facts has --json", () => {
  const leaves = [...helps].filter(([, { commands }]) => commands.length === 0);
  expect(leaves.length).toBeGreaterThan(25);
  const without = leaves.filter(([, { options }]) => !options.includes("--json")).map(([name]) => name);
  expect(without.sort()).toEqual([...WITHOUT_FACTS].sort());
});

test("every command has a page that tells of it", () => {
  const told = PAGES.flatMap((page) => [...mentionsOf(page), ...fencesOf(page).map(({ text }) => text)]).join(
    "\n",
  );
  const spelled = told
    .split("\n")
    .flatMap((line) =>
      spelledOut(line.slice(Math.max(0, line.indexOf("grindvakt "))).trim()).map((words) => words.join(" ")),
    )
    .join("\n");
  const leaves = [...helps].filter(([name, { commands }]) => name !== "" && commands.length === 0);
  expect(leaves.map(([name]) => name).filter((name) => !spelled.includes(`grindvakt ${name}`))).toEqual([]);
});

test.each(PAGES)("%s names only commands, options and scripts that there are", (page) => {
  const faults = mentionsOf(page).flatMap((mention) => {
    const words = mention.replace(/^(?:npx|sudo) /, "");
    if (words.startsWith("npm run ")) return isScript(words.split(" ").slice(2)) ? [] : [mention];
    return spelledOut(words.replace(/^grindvakt /, ""))
      .map(faultOf)
      .filter((fault) => fault !== null)
      .map((fault) => `${mention}: ${fault}`);
  });
  expect(faults).toEqual([]);
});

test("a fault that is planted is found", () => {
  expect(faultOf(["jurnal", "verify"])).toMatch(/there is no jurnal/);
  expect(faultOf(["journal", "prove"])).toMatch(/journal has no prove/);
  expect(faultOf(["check", "--fix"])).toMatch(/check has no option --fix/);
  expect(faultOf(["site", "block", "-c", "FILE", "BB-1234-567890", "--until", "2026-12-24"])).toBeNull();
});
