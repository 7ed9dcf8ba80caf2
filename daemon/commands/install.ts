import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Command } from "commander";
import type { Configuration } from "../../config/schema.ts";
import { type Credential, ENVIRONMENT_FILE, sealedOf } from "../install/needs.ts";
import { type Paper, papersOf, type Standing, standingOf, stepsOf } from "../install/papers.ts";
import { Exit } from "./exit.ts";
import { isThere, type KeyStanding, makeTokenKey, tokenKeyFile } from "./install-key.ts";
import { needsOf, programOf } from "./install-site.ts";
import { CONFIGURATION_OPTION, print, printJson, withSite } from "./terms.ts";

interface Options {
  config: string;
  print?: true;
  force?: true;
  json?: true;
}

export function installCommand(): Command {
  return new Command("install")
    .description("writes the systemd unit, udev rules and module blacklist for this configuration")
    .requiredOption(...CONFIGURATION_OPTION)
    .option("--print", "only show what would be written")
    .option("--force", "also over files that somebody else has written or changed")
    .option("--json", "facts for a program")
    .action(install);
}

function install(options: Options): Promise<void> {
  return withSite(options.config, async (configuration) => {
    const program = programOf(process.argv0, process.execPath, process.argv[1] ?? "");
    const known = needsOf(options.config, configuration, program);
    const needs = { ...known, credentials: await Promise.all(known.credentials.map(asItLies)) };
    const hidden = [needs.configFile, needs.dataDir, ...needs.paths].filter((path) =>
      /^\/(var\/)?tmp\//.test(path),
    );
    if (hidden.length > 0)
      throw new Exit(2, `a service does not see other programs' files under /tmp: move ${hidden.join(", ")}`);
    const papers = papersOf(needs);
    const steps = stepsOf(needs);
    if (options.print === true) return show(papers, options.json === true);
    if (process.getuid?.() !== 0)
      throw new Exit(
        1,
        `only root may write to /etc: sudo grindvakt install -c ${options.config}, or --print`,
      );
    const found = await Promise.all(
      papers.map(async (paper) => ({ paper, standing: await standing(paper) })),
    );
    const kept = found.filter(({ standing }) => standing === "foreign" || standing === "changed");
    if (kept.length > 0 && options.force !== true) throw new Exit(1, kept.map(keptWords).join("; "));
    const keyFile = tokenKeyFile(configuration);
    const key = keyFile === null ? null : { path: keyFile, was: await makeTokenKey(keyFile) };
    for (const { paper, standing } of found) if (standing !== "same") await put(paper);
    if (options.json === true)
      return printJson({
        ok: true,
        files: found.map(({ paper, standing }) => ({ path: paper.path, was: standing })),
        tokenKey: key,
        next: steps,
      });
    for (const { paper, standing } of found)
      print(`${standing === "same" ? "as it was" : "written"}  ${paper.path}`);
    print(keyWords(key, configuration));
    if (needs.variables.length > 0)
      print(
        `put ${needs.variables.map((name) => `${name}=…`).join(" and ")} into ${ENVIRONMENT_FILE}, mode 0600`,
      );
    print("for it to count, as root:");
    for (const step of steps) print(`  ${step}`);
  });
}

/** A secret whose file is not there and that lies there encrypted. */
async function asItLies(credential: Credential): Promise<Credential> {
  const { file } = credential;
  return { ...credential, encrypted: !(await isThere(file)) && (await isThere(sealedOf(file))) };
}

function keyWords(key: { path: string; was: KeyStanding } | null, { cards, dataDir }: Configuration): string {
  if (key !== null) return `${KEY_WORDS[key.was]}  ${key.path}`;
  if (cards.tokenKey !== undefined) return "the token key comes from the environment";
  return `the token key is made in ${dataDir}, beside the chip UIDs that it hides: better cards.tokenKey: { file: ./token.key }, and install again`;
}

const KEY_WORDS: Readonly<Record<KeyStanding, string>> = {
  made: "made   ",
  kept: "as it was",
  encrypted: "encrypted, as it was",
};

function show(papers: readonly Paper[], isJson: boolean): void {
  if (isJson) return printJson({ ok: true, files: papers });
  for (const { path, content } of papers) print(`# ---- ${path}\n${content}`);
}

async function standing(paper: Paper): Promise<Standing> {
  const found = await readFile(paper.path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  return standingOf(found, paper);
}

function keptWords({ paper, standing }: { paper: Paper; standing: Standing }): string {
  const who =
    standing === "changed" ? "has been changed since it was written" : "was written by somebody else";
  return `${paper.path} ${who}: nothing is written; see install --print, and --force to write over it`;
}

/** Whole or not at all, and open to be read: there is no secret in any of them. */
async function put({ path, content }: Paper): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const beside = `${path}.grindvakt-new`;
  await writeFile(beside, content, { flush: true });
  await chmod(beside, 0o644);
  await rename(beside, path);
}
