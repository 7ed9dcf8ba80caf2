/**
 * What a supplier needs to see of a gate that does not work, in one file: findings, state, configuration, versions, the
 * last lines of journal and log. Secrets are in none of them, card numbers are shortened, chips are left out.
 */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { arch, cpus, release, totalmem, uptime, version } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { stringify } from "yaml";
import type { Configuration } from "../../config/schema.ts";
import { createMachine } from "../../drivers/machine.ts";
import type { System } from "../../drivers/system.ts";
import { pathsOf } from "../data-paths.ts";
import { countOf, type Finding } from "../doctor/finding.ts";
import { readLast } from "../journal/journal-reader.ts";
import { encodeLine } from "../journal/record.ts";
import { maskCards } from "../mask.ts";
import type { Status } from "../report/status.ts";
import { VERSION } from "../version.ts";
import { wordsOf } from "../words.ts";
import { Exit } from "./exit.ts";
import { type TarEntry, tar } from "./tar.ts";

/** A busy hour. */
const JOURNAL_LINES = 500;
const LOG_LINES = 500;
const LOG_BYTES_MAX = 4 * 1024 * 1024;
const LOG_MS_MAX = 5_000;
/** Shorter secrets would blot out ordinary words; such a one is no secret. */
const SECRET_CHARACTERS_MIN = 4;

export interface BundleFacts {
  found: readonly Finding[];
  status: Status | null;
  /** Null: it has faults, which are among the findings. */
  configuration: Configuration | null;
  /** Must not be in the bundle, wherever they might stand. */
  secrets: readonly string[];
}

/** `out`: a new file that ends in .tar.gz or .tgz, or a new directory. */
export async function writeBundle(out: string, facts: BundleFacts, system: System): Promise<void> {
  const entries = (await entriesOf(facts, system)).map(({ name, text }) => ({
    name,
    text: masked(text, facts.secrets),
  }));
  try {
    if (/\.(tar\.gz|tgz)$/.test(out)) await writeArchive(out, entries, system.clock.wallMs());
    else await writeFolder(out, entries);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST")
      throw new Exit(1, `${out} is there already: give another name`);
    throw error;
  }
}

async function writeArchive(out: string, entries: readonly TarEntry[], nowMs: number): Promise<void> {
  const folder = basename(out).replace(/\.(tar\.gz|tgz)$/, "");
  const inside = entries.map(({ name, text }) => ({ name: `${folder}/${name}`, text }));
  await writeFile(out, gzipSync(tar(inside, nowMs)), { mode: 0o600, flag: "wx" });
}

async function writeFolder(out: string, entries: readonly TarEntry[]): Promise<void> {
  await mkdir(out, { mode: 0o700 });
  for (const { name, text } of entries) await writeFile(join(out, name), text, { mode: 0o600 });
}

async function entriesOf({ found, status, configuration }: BundleFacts, system: System): Promise<TarEntry[]> {
  return [
    { name: "findings.json", text: json({ count: countOf(found), findings: found }) },
    { name: "status.json", text: json(status) },
    { name: "configuration.yaml", text: configuration === null ? "" : stringify(configuration) },
    { name: "versions.json", text: json(await versions()) },
    { name: "journal.ndjson", text: configuration === null ? "" : await journalTail(configuration, system) },
    { name: "log.txt", text: await logTail() },
  ];
}

/** A token is in none of these texts in clear; its keyed hash tells a chip apart over the years, and goes too. */
function masked(text: string, secrets: readonly string[]): string {
  const withoutChips = maskCards(text).replace(/"hash":"[0-9a-f]+"/g, '"hash":"…"');
  return secrets
    .filter(({ length }) => length >= SECRET_CHARACTERS_MIN)
    .reduce((kept, secret) => kept.replaceAll(secret, "…"), withoutChips);
}

async function versions(): Promise<Record<string, unknown>> {
  const machine = createMachine();
  const text = async (path: string): Promise<string | null> =>
    (await machine.text(path))?.replaceAll("\0", "").trim() ?? null;
  return {
    grindvakt: VERSION,
    node: process.versions,
    kernel: `${release()} ${version()}`,
    architecture: arch(),
    model: await text("/proc/device-tree/model"),
    system: await text("/etc/os-release"),
    processors: cpus().length,
    memoryBytes: totalmem(),
    uptimeSeconds: Math.round(uptime()),
    modules: await text("/proc/modules"),
    account: machine.uid,
  };
}

async function journalTail({ dataDir }: Configuration, { files }: System): Promise<string> {
  try {
    const last = await readLast(files, pathsOf(dataDir).journal, JOURNAL_LINES);
    return last.map(({ line }) => `${encodeLine(line)}\n`).join("");
  } catch (error) {
    return json({ error: wordsOf(error) });
  }
}

function logTail(): Promise<string> {
  const args = ["-u", "grindvakt*", "-n", String(LOG_LINES), "-o", "short-iso", "--no-pager"];
  const limits = { timeout: LOG_MS_MAX, maxBuffer: LOG_BYTES_MAX };
  return new Promise((done) => {
    execFile("journalctl", args, limits, (error, output) =>
      done(error === null ? output : `the log cannot be read: ${error.message}\n`),
    );
  });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
