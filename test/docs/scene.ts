/**
 * A folder in which the commands of a page are carried out, one after the other, by one shell, as somebody would who reads it from top
 * to bottom. `grindvakt` there is the built program; `sudo` only says whose account asks, as the tests may be root already.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import { until } from "../e2e/site.ts";
import { ELSEWHERE } from "./elsewhere.ts";
import { commandsOf, type PageCommand } from "./pages.ts";

const PROGRAM = resolve("dist/daemon/cli.js");
/** Stands between what two commands say. */
const MARK = "\u001e";

/** Some compile first, on a machine that does much else. */
const COMMAND_MS_MAX = 150_000;

const SHIMS: Readonly<Record<string, string>> = {
  grindvakt: `exec env $CLOCK '${process.execPath}' '${PROGRAM}' "$@"`,
  date: `exec env $CLOCK /bin/date "$@"`,
  sudo: `[ "$1" != -u ] || shift 2; SUDO_USER=anna exec "$@"`,
};

export interface Ran {
  code: number;
  /** Standard output and standard error, as on a terminal. */
  said: string;
}

export class Scene {
  readonly dir: string;
  readonly #shell: ChildProcess;
  #heard = "";

  private constructor(dir: string, shell: ChildProcess) {
    this.dir = dir;
    this.#shell = shell;
    shell.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#heard += text;
    });
  }

  /**
   * `clock`: the variables of a wall clock (test/peers/wall-clock.ts), for the commands that tell the time and not for the shell:
   * libfaketime hands its semaphore on to what is started, and takes it away meanwhile.
   */
  static async set(env: NodeJS.ProcessEnv = {}, clock: NodeJS.ProcessEnv = {}): Promise<Scene> {
    const place = await mkdtemp(join(tmpdir(), "grindvakt-docs-"));
    const bin = join(place, ".bin");
    await mkdir(bin, { recursive: true });
    const words = Object.entries(clock).map(([name, value]) => `'${name}=${value}'`);
    for (const [name, text] of Object.entries(SHIMS)) {
      const script = text.replace("$CLOCK", () => words.join(" "));
      await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
      await chmod(join(bin, name), 0o755);
    }
    const shell = spawn("bash", ["--noprofile", "--norc"], {
      cwd: place,
      env: { ...process.env, ...env, PATH: `${bin}:${process.env.PATH}:/usr/sbin:/sbin` },
      stdio: ["pipe", "pipe", "ignore"],
      // A group of its own, so that what is left in the background ends with it.
      detached: true,
    });
    return new Scene(place, shell);
  }

  async run(command: string): Promise<Ran> {
    this.#heard = "";
    this.#shell.stdin?.write(`{ ${command}\n} </dev/null 2>&1; printf '${MARK}%d${MARK}' $?\n`);
    const ended = new RegExp(`^(.*)${MARK}(\\d+)${MARK}`, "s");
    const [, said, code] = await until(
      () => `the end of ${command}; it said: ${this.#heard}`,
      () => {
        if (this.#shell.exitCode !== null) throw new Error(`the shell ended at ${command}: ${this.#heard}`);
        return ended.exec(this.#heard);
      },
      COMMAND_MS_MAX,
    );
    return { code: Number(code), said: said! };
  }

  async must(command: string): Promise<void> {
    const { code, said } = await this.run(command);
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${said}`);
  }

  async dispose(): Promise<void> {
    const { pid } = this.#shell;
    if (pid !== undefined && this.#shell.exitCode === null) {
      const ended = new Promise((done) => this.#shell.once("close", done));
      process.kill(-pid, "SIGKILL");
      await ended;
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** What is put in place of a word of the page, in the command and in what it says. */
export type Replacement = readonly [words: string | RegExp, by: string];

export interface Reading {
  /** Hosts, ports and placeholders of the page, and what they are here. */
  replace?: readonly Replacement[];
  // Commands are named here by their first words, or by the first words of what they say.
  /** What a command ends with; 0 where nothing is said. */
  codes?: Readonly<Record<string, number>>;
  /** Commands that are carried out in a way of their own: they go on until they are ended. */
  by?: Readonly<Record<string, (command: string, says: string | null) => Promise<void>>>;
  /** Done before a command. */
  before?: Readonly<Record<string, () => Promise<void>>>;
}

/** Carries out every command of the page that `elsewhere.ts` does not name, and holds what it says against the page. */
export async function readPage(page: string, scene: Scene, reading: Reading = {}): Promise<void> {
  const elsewhere = Object.keys(ELSEWHERE[page] ?? {});
  const met = new Set<string>();
  const find = <Value>(
    table: Readonly<Record<string, Value>> = {},
    { text, says }: PageCommand,
  ): Value | undefined => {
    const key = Object.keys(table).find((words) => text.startsWith(words) || says?.startsWith(words));
    if (key !== undefined) met.add(key);
    return key === undefined ? undefined : table[key];
  };
  for (const each of commandsOf(page)) {
    const { text, says } = each;
    if (elsewhere.some((words) => text.startsWith(words))) continue;
    await find(reading.before, each)?.();
    const command = replaced(text, reading.replace);
    const own = find(reading.by, each);
    const code = find(reading.codes, each) ?? 0;
    if (own !== undefined) {
      await own(command, says);
      continue;
    }
    const ran = await scene.run(command);
    expect(ran.code, `${page}: ${text}\n${ran.said}`).toBe(code);
    if (says !== null)
      expect(ran.said.split(scene.dir).join("/srv"), `${page}: ${text}`).toMatch(
        asSaid(says, reading.replace),
      );
  }
  const named = [reading.codes, reading.by, reading.before].flatMap((table) => Object.keys(table ?? {}));
  expect(
    named.filter((words) => !met.has(words)),
    `${page} has no such command`,
  ).toEqual([]);
}

export function replaced(text: string, replacements: readonly Replacement[] = []): string {
  return replacements.reduce((all, [words, by]) => all.replaceAll(words, by), text);
}

/** What the page shows, as a pattern: `…` is anything, and times, hashes and numbers of bytes are others each time. */
export function asSaid(says: string, replacements: readonly Replacement[] = []): RegExp {
  const pattern = replaced(says.trimEnd(), replacements)
    .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\\\.\d{3})?Z/g, "[-\\d:.TZ]+")
    .replaceAll(/\d\d:\d\d:\d\d\\\.\d{3}/g, "[\\d:.]+")
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d(?=$)/gm, "[-\\d: ?]+")
    .replaceAll(/\b\d+ bytes/g, "\\d+ bytes")
    .replaceAll(/\b[0-9a-f]{8}\b/g, "[0-9a-f]{8}")
    .replaceAll(/\b[0-9a-f]{4}…/g, "…")
    .replaceAll(/^ *…$/gm, "[^]*")
    .replaceAll("…", ".*");
  return new RegExp(`^${pattern}\\s*$`);
}
