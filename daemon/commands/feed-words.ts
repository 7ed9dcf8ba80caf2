/** What the commands of the centre share: how arguments are read, where a feed and its keys are, how faults are told. */
import { basename, resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { createFiles } from "../../drivers/files.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../../drivers/system.ts";
import type { Status } from "../../sync/card.ts";
import { ROLES, type RoleName } from "../../sync/feed-metadata.ts";
import { readDay, readNumber, readStatus, statusFault } from "../../sync/publish-csv.ts";
import { NAME_PATTERN } from "../../sync/publish-feed.ts";
import { CentreFault, type CentreWorld, type Place } from "../../sync/publish-repository.ts";
import { fileWords } from "../words.ts";
import { centreWorld } from "./centre.ts";
import { Exit } from "./exit.ts";

const PASSPHRASE_BYTES_MAX = 4_096;

export interface PlaceOptions {
  keys?: string;
  rootKeys?: string[];
  passphraseFile?: string;
  json?: true;
}

// ---------------------------------------------------------------- the world

export function createWorld(): CentreWorld {
  return centreWorld({ clock: createSystemClock(), random: systemRandom });
}

export async function placeOf(dir: string, { keys, rootKeys, passphraseFile }: PlaceOptions): Promise<Place> {
  const keysDir = resolve(keys ?? `${resolve(dir)}.keys`);
  const [rootKeysDir = keysDir, ...moreRootKeysDirs] = (rootKeys ?? []).map((path) => resolve(path));
  return {
    dir: resolve(dir),
    keysDir,
    rootKeysDir,
    moreRootKeysDirs,
    passphrase: await readPassphrase(passphraseFile),
  };
}

/** There is never a prompt: what runs in a timer must not wait for somebody. */
async function readPassphrase(path: string | undefined): Promise<string | null> {
  if (path === undefined) return process.env.GRINDVAKT_FEED_PASSPHRASE || null;
  const bytes = await createFiles(createSystemDisk(), systemRandom).read(path, PASSPHRASE_BYTES_MAX);
  if (bytes === null) throw new Exit(2, `${path} is not there`);
  const passphrase = Buffer.from(bytes)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (passphrase === "") throw new Exit(2, `${path} is empty`);
  return passphrase;
}

// ---------------------------------------------------------------- what is told

/** Turns what a person can mend into lines on standard error and exit 1. */
export async function act(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CentreFault) throw fault(error.lines);
    const { code } = error as NodeJS.ErrnoException;
    // The disk's own words (no space, not permitted) say it all; anything else is a fault of ours.
    if (typeof code === "string" && /^E[A-Z]+$/.test(code)) throw fault([fileWords(error)]);
    throw error;
  }
}

export function fault(lines: readonly string[]): Exit {
  for (const line of lines.slice(0, -1)) process.stderr.write(`grindvakt: ${line}\n`);
  return new Exit(1, lines.at(-1) ?? "");
}

export function warn(notice: string): void {
  process.stderr.write(`warning: ${notice}\n`);
}

// ---------------------------------------------------------------- arguments

export function feedName(text: string): string {
  if (!NAME_PATTERN.test(text))
    throw new InvalidArgumentError("it must be a-z, 0-9 and hyphens, at most 40.");
  return text;
}

/** The name of a feed in this directory, where none was given. */
export function nameAfter(dir: string): string {
  const name = basename(dir).toLowerCase();
  return NAME_PATTERN.test(name) ? name : "cards";
}

/** For options that may be given several times. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** A small number of keys. */
export function keyCount(text: string): number {
  if (!/^[1-9]$/.test(text)) throw new InvalidArgumentError("it must be a number from 1 to 9.");
  return Number(text);
}

export function keyRole(text: string): RoleName {
  const role = ROLES.find((each) => each === text);
  if (role === undefined) throw new InvalidArgumentError(`it must be one of ${ROLES.join(", ")}.`);
  return role;
}

export function cardNumber(text: string): string {
  const number = readNumber(text);
  if (number === null) throw new InvalidArgumentError("it must be a card number like BB-1234-567890.");
  return number;
}

export function cardStatus(text: string): Status | "removed" {
  const status = text === "removed" ? text : readStatus(text);
  if (status === null) throw new InvalidArgumentError(`${statusFault(text)}, or removed`);
  return status;
}

export function lastDay(text: string): number | null {
  const day = text === "none" ? null : readDay(text);
  if (day === undefined || text === "")
    throw new InvalidArgumentError("it must be a day like 2027-12-31, or none.");
  return day;
}
