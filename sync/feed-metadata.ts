/**
 * TUF metadata as values: parsed within bounds, signatures counted, expiry judged. The models and the
 * cryptography are those of @tufjs/models; what it lets pass and we do not is checked here, before it sees it.
 */
import { Metadata, MetadataKind, type MetaFile } from "@tufjs/models";
import { readCorrections } from "./feed-corrections.ts";
import { FeedRefusal } from "./feed-refusal.ts";

/** The roles of a feed (The Update Framework, 2.1). */
export const ROLES = ["root", "targets", "snapshot", "timestamp"] as const;
export type RoleName = (typeof ROLES)[number];

type Model<Role extends RoleName> = {
  root: ReturnType<typeof asRoot>;
  timestamp: ReturnType<typeof asTimestamp>;
  snapshot: ReturnType<typeof asSnapshot>;
  targets: ReturnType<typeof asTargets>;
}[Role];

/** A metadata file: what it says, and the bytes it was said in (a hash is over those). */
export interface Document<Role extends RoleName> {
  model: Model<Role>;
  bytes: Uint8Array;
}

/** A list target as the verified metadata describes it. `base` null: a whole list. */
export interface FeedTarget {
  path: string;
  revision: number;
  base: number | null;
  cards: number;
  lengthBytes: number;
  sha256: string;
}

/** More than any feed of ours needs, and little enough to be parsed before its signature is known to be good. */
export const DOCUMENT_BYTES_MAX: Record<RoleName, number> = {
  root: 128 * 1024,
  timestamp: 16 * 1024,
  snapshot: 256 * 1024,
  targets: 1024 * 1024,
};

/** Keys, files or targets in one file. The models copy what they have for each one more, so a feed may not have many. */
const ENTRIES_MAX = 500;

/** Largest target we would ever fetch: some ten times a whole list of ten million cards. */
const TARGET_BYTES_MAX = 2 * 1024 ** 3;

// biome-ignore lint/suspicious/noExplicitAny: the models take any JSON object and check it themselves.
type Json = any;
const asRoot = (json: Json) => Metadata.fromJSON(MetadataKind.Root, json);
const asTimestamp = (json: Json) => Metadata.fromJSON(MetadataKind.Timestamp, json);
const asSnapshot = (json: Json) => Metadata.fromJSON(MetadataKind.Snapshot, json);
const asTargets = (json: Json) => Metadata.fromJSON(MetadataKind.Targets, json);
const models: { [Role in RoleName]: (json: Json) => Model<Role> } = {
  root: asRoot,
  timestamp: asTimestamp,
  snapshot: asSnapshot,
  targets: asTargets,
};

/** Parses a metadata file of this role; its signatures are not looked at. `file` names it in the refusal. */
export function parseDocument<Role extends RoleName>(
  role: Role,
  bytes: Uint8Array,
  file: string,
): Document<Role> {
  try {
    const json: Json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    checkCounts(json?.signed);
    const model = models[role](json);
    checkSigned(model);
    return { model, bytes };
  } catch (error) {
    throw new FeedRefusal("malformed", `${file} is no ${role} metadata: ${(error as Error).message}`);
  }
}

function checkCounts(signed: Json): void {
  for (const field of ["keys", "roles", "meta", "targets"]) {
    const entries = signed?.[field];
    if (typeof entries === "object" && entries !== null && Object.keys(entries).length > ENTRIES_MAX) {
      throw new Error(`more than ${ENTRIES_MAX} ${field}`);
    }
  }
}

/** What the models let pass: a version that is no whole number, and a date that is none and so would never expire. */
function checkSigned({ signed }: Model<RoleName>): void {
  checkVersion(signed.version);
  if (
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(signed.expires) ||
    Number.isNaN(Date.parse(signed.expires))
  ) {
    throw new Error("expires is no date and time in UTC");
  }
  if (signed.type === MetadataKind.Root) checkRoot(signed);
  if (signed.type === MetadataKind.Timestamp) checkVersion(signed.snapshotMeta.version);
  if (signed.type === MetadataKind.Snapshot) {
    for (const meta of Object.values(signed.meta)) checkVersion(meta.version);
  }
}

function checkVersion(version: number): void {
  if (!Number.isSafeInteger(version) || version < 1) throw new Error("version is no whole number from 1");
}

/** One key under two ids would count twice towards a threshold, so no role may list it twice. */
function checkRoot(root: Model<"root">["signed"]): void {
  if (!root.consistentSnapshot)
    throw new Error("consistent_snapshot is false; a feed here has consistent snapshots");
  for (const [name, role] of Object.entries(root.roles)) {
    const publics = role.keyIDs.map((id) => bare(root.keys[id]?.keyVal.public ?? id));
    if (new Set(publics).size !== publics.length) throw new Error(`role ${name} lists one key twice`);
  }
  readCorrections(root);
}

/** A public key, in hex or PEM, without what does not change which one it is. */
function bare(publicKey: string): string {
  return publicKey.replace(/\s/g, "").toLowerCase();
}

/** Whether enough keys of `role`, as `root` names them, signed `document` (specification, 5.3.4, 5.4.2, 5.5.3, 5.6.3). */
export function isSigned(root: Document<"root">, role: RoleName, document: Document<RoleName>): boolean {
  try {
    root.model.verifyDelegate(role, document.model);
    return true;
  } catch {
    return false;
  }
}

export function checkSignatures(
  root: Document<"root">,
  role: RoleName,
  document: Document<RoleName>,
  file: string,
): void {
  if (isSigned(root, role, document)) return;
  const needed = root.model.signed.roles[role]?.threshold ?? 1;
  throw new FeedRefusal(
    "bad-signature",
    `${file} is not signed by ${needed === 1 ? "the key" : `${needed} of the keys`} that root ${root.model.signed.version} names for ${role}`,
  );
}

/** Milliseconds since 1970. */
export function expiresMs(document: Document<RoleName>): number {
  return Date.parse(document.model.signed.expires);
}

/** `nowMs` null: the time is not trusted, and expiry is not judged. */
export function checkExpiry(document: Document<RoleName>, nowMs: number | null, file: string): void {
  if (nowMs !== null && nowMs >= expiresMs(document)) {
    throw new FeedRefusal(
      "expired",
      `${file} expired at ${document.model.signed.expires}; the centre must renew it`,
    );
  }
}

/** Whether these are the bytes that the metadata above describes. */
export function matches(meta: MetaFile, bytes: Uint8Array): boolean {
  try {
    meta.verify(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return true;
  } catch {
    return false;
  }
}

/** When the list was published, where the centre says so: a field of ours that other TUF tools keep and ignore. */
export function publishedAtMs(targets: Document<"targets">): number | null {
  const published = targets.model.signed.unrecognizedFields.published;
  const ms = typeof published === "string" ? Date.parse(published) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** The path of a list in the metadata; its file has the hash before its last part. */
export function targetPath(base: number | null, revision: number): string {
  return `cards/${base === null ? "" : `${base}-`}${revision}.csv.gz`;
}

/** Where the file of a target lies in the feed (specification, 5.7.3, with consistent snapshots). */
export function targetFile({ path, sha256 }: Pick<FeedTarget, "path" | "sha256">): string {
  const slash = path.lastIndexOf("/") + 1;
  return `targets/${path.slice(0, slash)}${sha256}.${path.slice(slash)}`;
}

/** The lists among the targets; anything outside `cards/` is another's business. */
export function listTargets(targets: Document<"targets">, file: string): FeedTarget[] {
  return Object.values(targets.model.signed.targets)
    .filter(({ path }) => path.startsWith("cards/"))
    .map(({ path, length, hashes, custom }) => {
      const { revision, base = null, cards } = custom;
      const sha256 = hashes.sha256 ?? "";
      const wellFormed =
        isCount(revision) &&
        (base === null || (isCount(base) && base < revision)) &&
        isCount(cards) &&
        path === targetPath(base, revision) &&
        isCount(length) &&
        length <= TARGET_BYTES_MAX &&
        /^[0-9a-f]{64}$/.test(sha256);
      if (!wellFormed) {
        throw new FeedRefusal(
          "malformed",
          `${file}: ${JSON.stringify(path)} is no list: R.csv.gz or B-R.csv.gz with length, sha256 and {revision, base, cards} is`,
        );
      }
      return { path, revision, base, cards, lengthBytes: length, sha256 };
    });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
