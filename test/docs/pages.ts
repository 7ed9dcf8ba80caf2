/**
 * The commands that stand in the README and in the docs. A fence `sh` is commands, a fence `console` a session: commands after `$ `,
 * and what they say. Every other fence is something else, and has a language or `text`.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export interface PageCommand {
  text: string;
  /** What a session shows that it says; null in a fence of bare commands. */
  says: string | null;
}

/** Pages that hold commands, by their path in the repository. */
export const PAGES = [
  "README.md",
  ...["BENCHMARKS.md", "CONTRIBUTING.md", "SECURITY.md"].filter((name) => readdirSync(".").includes(name)),
  ...(readdirSync("docs", { recursive: true }) as string[])
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => `docs/${name}`),
];

export interface Fence {
  language: string;
  text: string;
}

export function fencesOf(page: string): Fence[] {
  const found = readFileSync(page, "utf8").matchAll(/^ *```([^\n]*)\n(.*?)^ *```$/gms);
  return [...found].map(([, language, text]) => ({ language: language!.trim(), text: text! }));
}

/** In the order in which a reader meets them. */
export function commandsOf(page: string): PageCommand[] {
  return fencesOf(page).flatMap(({ language, text }) => {
    if (language === "sh") return bareCommands(text).map((command) => ({ text: command, says: null }));
    if (language === "console") return sessionCommands(text);
    return [];
  });
}

/** As a shell takes them: lines are put together until they are whole. */
function bareCommands(text: string): string[] {
  const commands: string[] = [];
  let begun = "";
  for (const line of text.split("\n")) {
    begun = begun === "" ? line : `${begun}\n${line}`;
    if (/^\s*(#.*)?$/.test(begun)) begun = "";
    if (begun === "" || !isWhole(begun)) continue;
    commands.push(begun);
    begun = "";
  }
  if (begun !== "") throw new Error(`never ends: ${begun}`);
  return commands;
}

function isWhole(command: string): boolean {
  if (command.endsWith("\\")) return false;
  try {
    execFileSync("bash", ["-n"], { input: command, stdio: ["pipe", "ignore", "ignore"] });
    return true;
  } catch {
    return false;
  }
}

function sessionCommands(text: string): PageCommand[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [, command, says] = /^((?:[^\n]*\\\n)*[^\n]*)\n(.*)$/s.exec(part)!;
      return { text: command!, says: says! };
    });
}

/** What stands in backticks between the words of a page and is one of our commands. */
export function mentionsOf(page: string): string[] {
  const prose = readFileSync(page, "utf8").replaceAll(/^ *```[^\n]*\n.*?^ *```$/gms, "");
  return [...prose.matchAll(/`((?:sudo |npx )?(?:grindvakt|npm run) [^`]+)`/g)].map(([, text]) =>
    text!.replaceAll(/\s+/g, " "),
  );
}
