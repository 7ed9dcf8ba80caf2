/**
 * The feed as the centre holds it: opened and verified, its metadata signed and written so that a gateway finds the
 * old state or the new one at any moment: targets first, timestamp last, each by rename.
 */
import { createHash } from "node:crypto";
import { Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp } from "@tufjs/models";
import type { Clock, FeedSource, Files, Random } from "../drivers/ports.ts";
import { rootNeed } from "./feed-corrections.ts";
import {
  DOCUMENT_BYTES_MAX,
  type Document,
  expiresMs,
  type FeedTarget,
  listTargets,
  parseDocument,
  publishedAtMs,
  type RoleName,
  targetFile,
} from "./feed-metadata.ts";
import { FeedRefusal } from "./feed-refusal.ts";
import { newestRevision, shortestWay } from "./feed-way.ts";
import { advance, type Trusted } from "./feed-workflow.ts";
import type { SigningKey } from "./keys.ts";

/** Where a feed and its keys are; those of the root may be in several places. `passphrase` null: keys in clear. */
export interface Place {
  dir: string;
  keysDir: string;
  rootKeysDir: string;
  moreRootKeysDirs?: readonly string[];
  passphrase: string | null;
}

/** `files` writes what a web server reads, `keyFiles` what only its owner may (0600). */
export interface CentreWorld {
  clock: Clock;
  random: Random;
  files: Files;
  keyFiles: Files;
  /** The feed in a directory, as a gateway would see it. */
  openDirectory(dir: string): FeedSource;
  /** One process at a time over a directory that is there; null when another has it. Ends with the process. */
  lock(dir: string): Promise<{ release(): Promise<void> } | null>;
}

/** Tells the person something that is no result: one line. */
export type Say = (notice: string) => void;

/** What the person at the centre can do something about; each line fit to be shown. */
export class CentreFault extends Error {
  readonly lines: readonly string[];

  constructor(...lines: string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

export interface Repository {
  root: Document<"root">;
  timestamp: Document<"timestamp">;
  snapshot: Document<"snapshot">;
  targets: Document<"targets">;
  /** Null before the first publish. */
  newest: Newest | null;
  lists: FeedTarget[];
}

/** The newest revision, and how it is had: a whole list, and the deltas after it. */
export interface Newest {
  revision: number;
  cards: number;
  whole: FeedTarget;
  deltas: FeedTarget[];
}

export type SignedRole = "targets" | "snapshot" | "timestamp";

/** All that are to sign for each role. */
export type SigningKeys = Record<SignedRole, readonly SigningKey[]>;

const DAY_MS = 86_400_000;

/** How long each role's word holds: the less is at stake, and the oftener it is renewed by itself, the shorter. */
export const VALID_MS: Record<RoleName, number> = {
  root: 365 * DAY_MS,
  targets: 90 * DAY_MS,
  snapshot: 90 * DAY_MS,
  timestamp: 7 * DAY_MS,
};

/** So many states back a gateway may still be fetching from; older files are removed. Root metadata stays for ever. */
const GENERATIONS_KEPT = 8;

const SPEC_VERSION = "1.0.31";

// ---------------------------------------------------------------- opening

/** Verifies the feed from its own root.json on, as a gateway would, but for expiry. */
export async function openRepository({ dir }: Place, world: CentreWorld): Promise<Repository> {
  const bytes = await world.files.read(`${dir}/root.json`, DOCUMENT_BYTES_MAX.root);
  if (bytes === null) throw new CentreFault(`${dir} has no root.json: make a feed with feed init ${dir}`);
  try {
    const root = parseDocument("root", bytes, `${dir}/root.json`);
    const trusted: Trusted = { root, timestamp: null, snapshot: null, targets: null, heldBy: null };
    await advance(trusted, null, {
      source: world.openDirectory(dir),
      clock: world.clock,
      keep: async () => {},
    });
    const { timestamp, snapshot, targets } = trusted;
    const lists = listTargets(targets!, `${targets!.model.signed.version}.targets.json`);
    return {
      root: trusted.root,
      timestamp: timestamp!,
      snapshot: snapshot!,
      targets: targets!,
      newest: newestOf(lists),
      lists,
    };
  } catch (error) {
    if (!(error instanceof FeedRefusal)) throw error;
    throw new CentreFault(`${dir} does not verify (${error.refusal}): ${error.message}`);
  }
}

function newestOf(lists: FeedTarget[]): Newest | null {
  const revision = newestRevision(lists);
  if (revision === null) return null;
  const [whole, ...deltas] = shortestWay(null, lists) ?? [];
  if (whole === undefined) {
    throw new FeedRefusal("missing-file", `no whole list and no deltas lead to revision ${revision}`);
  }
  return { revision, cards: (deltas.at(-1) ?? whole).cards, whole, deltas };
}

// ---------------------------------------------------------------- writing

/**
 * What a new state of the feed says. `lists` null: the same as before. `renew`: new expiry for what is past half of it.
 * `resign`: a role whose keys change, so that its word is signed anew.
 */
export interface Update {
  lists: FeedTarget[] | null;
  renew: boolean;
  resign?: RoleName;
}

/**
 * Signs and writes targets and snapshot where they change, and always a new timestamp, in this order. Nothing new under a root that
 * has expired: no gateway would take it.
 */
export async function writeUpdate(
  place: Place,
  repository: Partial<Repository>,
  keys: SigningKeys,
  { lists, renew, resign }: Update,
  world: CentreWorld,
): Promise<void> {
  const nowMs = world.clock.wallMs();
  if (renew && repository.root !== undefined && expiresMs(repository.root) <= nowMs)
    throw new CentreFault(
      `the root expired at ${repository.root.model.signed.expires}, and every gateway refuses what it leads to: run feed refresh, with --root-keys where its key lies elsewhere`,
    );
  const isDue = (document: Document<RoleName>, role: RoleName) =>
    role === resign || (renew && expiresMs(document) - nowMs < VALID_MS[role] / 2);
  let { targets, snapshot } = repository;
  if (lists !== null || targets === undefined || isDue(targets, "targets")) {
    const published = lists === null && targets ? publishedAtMs(targets) : nowMs;
    const metadata = new Metadata(
      new Targets({
        ...renewed("targets", targets, nowMs),
        targets: Object.fromEntries(
          (lists ?? repository.lists ?? []).map((list) => [list.path, targetModel(list)]),
        ),
        unrecognizedFields: {
          ...(published !== null && { published: timeText(published) }),
          ...(repository.root && rootNeed(repository.root.model.signed)),
        },
      }),
    );
    targets = await write(place, "targets", metadata, keys.targets, world);
  }
  if (targets !== repository.targets || snapshot === undefined || isDue(snapshot, "snapshot")) {
    const meta = { "targets.json": describe(targets) };
    const metadata = new Metadata(new Snapshot({ ...renewed("snapshot", snapshot, nowMs), meta }));
    snapshot = await write(place, "snapshot", metadata, keys.snapshot, world);
  }
  const metadata = new Metadata(
    new Timestamp({ ...renewed("timestamp", repository.timestamp, nowMs), snapshotMeta: describe(snapshot) }),
  );
  await write(place, "timestamp", metadata, keys.timestamp, world);
}

/** The part that all metadata of a role share: the next version, valid from now. */
export function renewed(role: RoleName, before: Document<RoleName> | undefined, nowMs: number) {
  return {
    specVersion: SPEC_VERSION,
    version: (before?.model.signed.version ?? 0) + 1,
    expires: timeText(nowMs + VALID_MS[role]),
  };
}

/** What a root says, as its JSON has it. */
export interface RootWords {
  keys: Record<string, unknown>;
  roles: Record<string, { keyids: string[]; threshold: number }>;
  [field: string]: unknown;
}

/** A root that says something else than this one. */
export function changedRoot(root: Root, change: (words: RootWords) => void): Root {
  const words = structuredClone(root.toJSON()) as unknown as RootWords;
  change(words);
  return Root.fromJSON(words as unknown as ReturnType<Root["toJSON"]>);
}

/** The root after this one, valid from now. */
export function nextRoot(
  { model }: Document<"root">,
  change: (words: RootWords) => void,
  { clock }: CentreWorld,
): Root {
  return changedRoot(model.signed, (words) => {
    words.version = model.signed.version + 1;
    words.expires = timeText(clock.wallMs() + VALID_MS.root);
    change(words);
  });
}

/** Signs and writes a new root, numbered, and its copy to hand to gateways. */
export async function writeRoot(
  place: Place,
  root: Root,
  keys: readonly SigningKey[],
  world: CentreWorld,
): Promise<Document<"root">> {
  const document = await write(place, "root", new Metadata(root), keys, world);
  await world.files.replace(`${place.dir}/root.json`, document.bytes);
  return document;
}

async function write<Role extends RoleName>(
  { dir }: Place,
  role: Role,
  metadata: Metadata<Document<Role>["model"]["signed"]>,
  keys: readonly SigningKey[],
  { files }: CentreWorld,
): Promise<Document<Role>> {
  for (const key of keys) metadata.sign((bytes) => key.sign(bytes));
  const bytes = Buffer.from(`${JSON.stringify(metadata.toJSON(), null, 1)}\n`);
  const name = role === "timestamp" ? "timestamp.json" : `${metadata.signed.version}.${role}.json`;
  await files.replace(`${dir}/${name}`, bytes);
  return parseDocument(role, bytes, name);
}

function describe({ model, bytes }: Document<RoleName>): MetaFile {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return new MetaFile({ version: model.signed.version, length: bytes.length, hashes: { sha256 } });
}

function targetModel({ path, revision, base, cards, lengthBytes, sha256 }: FeedTarget): TargetFile {
  return new TargetFile({
    path,
    length: lengthBytes,
    hashes: { sha256 },
    unrecognizedFields: { custom: { revision, base, cards } },
  });
}

/** As the specification writes times: UTC, to the second. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

// ---------------------------------------------------------------- tidying

/** Removes what no gateway can be fetching any more. What cannot be removed today is removed by the next one. */
export async function tidy({ dir }: Place, { files }: CentreWorld): Promise<void> {
  const names = await files.names(dir);
  const needed = new Set<string>();
  for (const role of ["targets", "snapshot"] as const) {
    const numbered = names
      .map((name) => ({
        name,
        version: Number(new RegExp(`^(\\d+)\\.${role}\\.json$`).exec(name)?.[1] ?? Number.NaN),
      }))
      .filter(({ version }) => !Number.isNaN(version))
      .sort((a, b) => b.version - a.version);
    for (const [age, { name }] of numbered.entries()) {
      if (age >= GENERATIONS_KEPT) await files.unlink(`${dir}/${name}`);
      else if (role === "targets") await need(name);
    }
  }
  for (const name of await files.names(`${dir}/targets/cards`)) {
    if (!needed.has(name)) await files.unlink(`${dir}/targets/cards/${name}`);
  }

  async function need(name: string): Promise<void> {
    const bytes = await files.read(`${dir}/${name}`, DOCUMENT_BYTES_MAX.targets);
    if (bytes === null) return;
    const lists = listTargets(parseDocument("targets", bytes, name), name);
    for (const list of lists) needed.add(targetFile(list).slice("targets/cards/".length));
  }
}

// ---------------------------------------------------------------- one at a time

/** Runs `work` while no other command is at work on the same feed. */
export async function locked<Result>(
  { keysDir }: Place,
  { keyFiles, lock }: CentreWorld,
  work: () => Promise<Result>,
): Promise<Result> {
  if ((await keyFiles.names(keysDir)).length === 0) {
    throw new CentreFault(`${keysDir} is not there or empty: the feed's keys are needed; see --keys`);
  }
  const held = await lock(keysDir);
  if (held === null) throw new CentreFault("another feed command is at work on this feed; wait for it");
  try {
    return await work();
  } finally {
    await held.release();
  }
}
