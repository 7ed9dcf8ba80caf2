/**
 * The client's workflow of the TUF specification 1.0, section 5: root chain, timestamp, snapshot, targets. What is
 * trusted only ever moves forward; the first thing that does not fit is refused by name and ends the refresh.
 */
import type { MetaFile } from "@tufjs/models";
import type { Clock, FeedSource } from "../drivers/ports.ts";
import { neededRoot } from "./feed-corrections.ts";
import {
  checkExpiry,
  checkSignatures,
  DOCUMENT_BYTES_MAX,
  type Document,
  isSigned,
  matches,
  parseDocument,
  type RoleName,
} from "./feed-metadata.ts";
import { FeedRefusal } from "./feed-refusal.ts";

/** What has been verified so far. Moved forward in place, so that a refusal half-way keeps what was earned. */
export interface Trusted {
  root: Document<"root">;
  timestamp: Document<"timestamp"> | null;
  snapshot: Document<"snapshot"> | null;
  targets: Document<"targets"> | null;
  /** The root whose keys the rest was last held against; null: what was stored, before the first refresh. */
  heldBy: Document<"root"> | null;
}

export interface WorkflowWorld {
  source: FeedSource;
  clock: Clock;
  /** Called with each file as soon as it is trusted; awaited before the next is fetched. */
  keep(role: RoleName, bytes: Uint8Array): Promise<void>;
}

/** The feed could not be had just now; says nothing about its content. */
export class FeedUnreachable extends Error {
  /** What its server asked for, or 0. */
  readonly retryAfterMs: number;

  constructor(why: string, retryAfterMs = 0) {
    super(why);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A source that never answers must not hold the refresh for ever. */
const REPLY_MS_MAX = 30_000;

/** New roots in one refresh: decades of yearly renewal. Should there be more, the next refresh goes on from there. */
const ROOT_STEPS_MAX = 64;

/** A whole metadata file takes milliseconds; a server that drips it out byte by byte is given up (slow retrieval). */
const DOCUMENT_MS_MAX = 30_000;

/**
 * Moves `trusted` forward to what the feed holds, or rejects with `FeedRefusal` or `FeedUnreachable`.
 * `nowMs` is the start of the update, fixed for all of it (5.1); null: time is not trusted, expiry is not judged.
 */
export async function advance(trusted: Trusted, nowMs: number | null, world: WorkflowWorld): Promise<void> {
  for (let round = 1; ; round++) {
    await advanceRoot(trusted, nowMs, world);
    await advanceTimestamp(trusted, nowMs, world);
    await advanceSnapshot(trusted, nowMs, world);
    await advanceTargets(trusted, nowMs, world);
    const { version } = trusted.root.model.signed;
    const needed = neededRoot(trusted.targets!.model.signed);
    if (needed <= version) return;
    // The centre wrote both while we were between them; or a cache still says that there is no newer root.
    if (round === 2)
      throw new FeedRefusal(
        "missing-file",
        `the lists need root ${needed}, and ${version} is the newest there is`,
      );
  }
}

/** 5.3: each next root is signed by the one before it and by itself. */
async function advanceRoot(trusted: Trusted, nowMs: number | null, world: WorkflowWorld): Promise<void> {
  for (let step = 0; step < ROOT_STEPS_MAX; step++) {
    const version = trusted.root.model.signed.version + 1;
    const file = `${version}.root.json`;
    const bytes = await fetchDocument("root", file, world);
    if (bytes === null) break;
    const root = parseDocument("root", bytes, file);
    checkSignatures(trusted.root, "root", root, file);
    checkSignatures(root, "root", root, file);
    if (root.model.signed.version !== version) {
      throw new FeedRefusal("rollback", `${file} is version ${root.model.signed.version}`);
    }
    await world.keep("root", bytes);
    trusted.root = root;
  }
  checkExpiry(trusted.root, nowMs, "root.json");
  if (trusted.heldBy !== trusted.root) forgetRotated(trusted);
}

/**
 * 5.3.11: when the keys of timestamp or snapshot were replaced, both files start anew, or versions pushed far
 * ahead with a stolen key would lock the feed out for ever. Targets only have to be fetched again.
 */
function forgetRotated(trusted: Trusted): void {
  const { root, timestamp, snapshot, targets } = trusted;
  const holds =
    (timestamp === null || isSigned(root, "timestamp", timestamp)) &&
    (snapshot === null || isSigned(root, "snapshot", snapshot));
  if (!holds) {
    trusted.timestamp = null;
    trusted.snapshot = null;
  }
  if (targets !== null && !isSigned(root, "targets", targets)) trusted.targets = null;
  trusted.heldBy = root;
}

/** 5.4. */
async function advanceTimestamp(trusted: Trusted, nowMs: number | null, world: WorkflowWorld): Promise<void> {
  const file = "timestamp.json";
  const bytes = await requireDocument("timestamp", file, world);
  // Nothing new, as nearly always: those bytes have been verified, under this root.
  if (trusted.timestamp !== null && Buffer.compare(bytes, trusted.timestamp.bytes) === 0)
    return checkExpiry(trusted.timestamp, nowMs, file);
  const next = parseDocument("timestamp", bytes, file);
  checkSignatures(trusted.root, "timestamp", next, file);
  const known = trusted.timestamp?.model.signed ?? null;
  const { version, snapshotMeta } = next.model.signed;
  if (known !== null && version < known.version) {
    throw new FeedRefusal("rollback", `${file} is version ${version}, after ${known.version} was seen`);
  }
  if (known !== null && snapshotMeta.version < known.snapshotMeta.version) {
    const seen = known.snapshotMeta.version;
    throw new FeedRefusal(
      "rollback",
      `${file} names snapshot ${snapshotMeta.version}, after ${seen} was seen`,
    );
  }
  if (known !== null && version === known.version && !next.model.signed.equals(known)) {
    // The specification says to ignore it; but then a centre restored from a backup would be followed by nobody, unseen.
    throw new FeedRefusal(
      "rollback",
      `${file} is version ${version} again with other content: was the feed restored?`,
    );
  }
  checkExpiry(next, nowMs, file);
  await world.keep("timestamp", bytes);
  trusted.timestamp = next;
}

/** 5.5. */
async function advanceSnapshot(trusted: Trusted, nowMs: number | null, world: WorkflowWorld): Promise<void> {
  const meta = trusted.timestamp!.model.signed.snapshotMeta;
  const next = await follow("snapshot", meta, trusted.snapshot, trusted.root, world);
  const file = `${meta.version}.snapshot.json`;
  if (next !== trusted.snapshot) {
    for (const [name, { version }] of Object.entries(trusted.snapshot?.model.signed.meta ?? {})) {
      const now = next.model.signed.meta[name]?.version ?? 0;
      if (now < version)
        throw new FeedRefusal("rollback", `${file} names ${name} ${now}, after ${version} was seen`);
    }
  }
  checkExpiry(next, nowMs, file);
  if (next === trusted.snapshot) return;
  await world.keep("snapshot", next.bytes);
  trusted.snapshot = next;
}

/** 5.6, the top-level role only: lists are not delegated. */
async function advanceTargets(trusted: Trusted, nowMs: number | null, world: WorkflowWorld): Promise<void> {
  const snapshot = trusted.snapshot!.model.signed;
  const meta = snapshot.meta["targets.json"];
  if (meta === undefined) {
    throw new FeedRefusal("malformed", `${snapshot.version}.snapshot.json does not name targets.json`);
  }
  const next = await follow("targets", meta, trusted.targets, trusted.root, world);
  checkExpiry(next, nowMs, `${meta.version}.targets.json`);
  if (next === trusted.targets) return;
  await world.keep("targets", next.bytes);
  trusted.targets = next;
}

/** The file that `meta` describes: the trusted one if it is that, else fetched and verified. */
async function follow<Role extends "snapshot" | "targets">(
  role: Role,
  meta: MetaFile,
  known: Document<Role> | null,
  root: Document<"root">,
  world: WorkflowWorld,
): Promise<Document<Role>> {
  if (known !== null && known.model.signed.version === meta.version && matches(meta, known.bytes))
    return known;

  const file = `${meta.version}.${role}.json`;
  const bytes = await requireDocument(role, file, world);
  if (!matches(meta, bytes)) refuseMismatch(role, meta, bytes, root, file);
  const next = parseDocument(role, bytes, file);
  checkSignatures(root, role, next, file);
  if (next.model.signed.version !== meta.version) {
    throw new FeedRefusal("mix-and-match", `${file} is version ${next.model.signed.version}`);
  }
  return next;
}

/** Tells a rightly signed file of another day (mix-and-match) from damage, which look the same to a hash. */
function refuseMismatch(
  role: RoleName,
  meta: MetaFile,
  bytes: Uint8Array,
  root: Document<"root">,
  file: string,
): never {
  let other: Document<RoleName> | null = null;
  try {
    other = parseDocument(role, bytes, file);
  } catch {
    // Damage, then: named below by what differs.
  }
  if (other !== null && isSigned(root, role, other)) {
    throw new FeedRefusal("mix-and-match", `${file} is another ${role} than the one named for this moment`);
  }
  if (meta.length !== undefined && meta.length !== bytes.length) {
    throw new FeedRefusal("wrong-length", `${file} has ${bytes.length} bytes, not ${meta.length}`);
  }
  throw new FeedRefusal("wrong-hash", `${file} has another hash than the one named for it`);
}

async function requireDocument(role: RoleName, file: string, world: WorkflowWorld): Promise<Uint8Array> {
  const bytes = await fetchDocument(role, file, world);
  if (bytes === null) {
    throw new FeedRefusal("missing-file", `${world.source.name} has no ${file}, or does not let us read it`);
  }
  return bytes;
}

/** The bytes of a metadata file within its bound, or null when there is none. */
async function fetchDocument(role: RoleName, file: string, world: WorkflowWorld): Promise<Uint8Array | null> {
  const body = await openFile(file, world);
  if (body === null) return null;
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of timed(body, DOCUMENT_MS_MAX, world.clock, file)) {
    sizeBytes += piece.length;
    if (sizeBytes > DOCUMENT_BYTES_MAX[role]) {
      throw new FeedRefusal("endless-data", `${file} is longer than ${DOCUMENT_BYTES_MAX[role]} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The body of a file, or null when there is none; rejects with `FeedUnreachable`. */
export async function openFile(
  file: string,
  { source, clock }: Pick<WorkflowWorld, "source" | "clock">,
): Promise<AsyncIterable<Uint8Array> | null> {
  const deadline = startDeadline(REPLY_MS_MAX, clock);
  try {
    const reply = await deadline.before(source.fetch(file));
    if (reply.kind === "unreachable") throw new FeedUnreachable(reply.why, reply.retryAfterMs);
    return reply.kind === "missing" ? null : reply.body;
  } catch (error) {
    throw error instanceof FeedUnreachable ? error : new FeedUnreachable((error as Error).message);
  } finally {
    deadline.cancel();
  }
}

/** `body` until `limitMs` have passed; a transfer that breaks or takes longer rejects with `FeedUnreachable`. */
export async function* timed(
  body: AsyncIterable<Uint8Array>,
  limitMs: number,
  clock: Clock,
  file: string,
): AsyncGenerator<Uint8Array, void, void> {
  const iterator = body[Symbol.asyncIterator]();
  const deadline = startDeadline(limitMs, clock);
  try {
    for (;;) {
      const next = await deadline.before(iterator.next());
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    throw new FeedUnreachable(`${file}: ${(error as Error).message}`);
  } finally {
    deadline.cancel();
    // Not awaited: a transfer that hangs would hold us as long as it hangs.
    iterator.return?.().catch(() => {});
  }
}

/** `before` gives what `work` comes to, or rejects when the time is over. For one piece of work after the other. */
interface Deadline {
  before<T>(work: Promise<T>): Promise<T>;
  cancel(): void;
}

/** A race of promises for each piece would do the same, and hold every piece of a list until the last has come. */
function startDeadline(limitMs: number, clock: Clock): Deadline {
  let late: Error | null = null;
  let giveUp: (why: Error) => void = () => {};
  const timer = clock.after(limitMs, () => {
    late = new Error(`not done after ${Math.round(limitMs / 1000)} s`);
    giveUp(late);
  });
  return {
    before: (work) =>
      new Promise((resolve, reject) => {
        giveUp = reject;
        if (late !== null) reject(late);
        work.then(resolve, reject);
      }),
    cancel: () => timer.cancel(),
  };
}
