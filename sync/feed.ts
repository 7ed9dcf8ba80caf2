/**
 * The feed's client: verifies what a feed holds (`feed-workflow.ts`) from what was trusted before, which it keeps in
 * a folder of its own as root.json, timestamp.json, snapshot.json and targets.json.
 */
import type { Clock, FeedSource, Files, Log } from "../drivers/ports.ts";
import { type Correction, readCorrections } from "./feed-corrections.ts";
import { downloadTarget } from "./feed-download.ts";
import {
  checkSignatures,
  DOCUMENT_BYTES_MAX,
  type Document,
  type FeedTarget,
  listTargets,
  parseDocument,
  publishedAtMs,
  type RoleName,
} from "./feed-metadata.ts";
import { FeedRefusal, type RefusalName } from "./feed-refusal.ts";
import { advance, FeedUnreachable, type Trusted } from "./feed-workflow.ts";

export type { FeedTarget } from "./feed-metadata.ts";
export { FeedRefusal, type RefusalName } from "./feed-refusal.ts";

/** `publishedAtMs`: null where the centre does not say. `corrections`: the root's, oldest first. */
export type RefreshOutcome =
  | {
      kind: "verified";
      targets: FeedTarget[];
      publishedAtMs: number | null;
      rootVersion: number;
      corrections?: readonly Correction[];
    }
  | { kind: "refused"; name: RefusalName; why: string }
  | { kind: "unreachable"; why: string; retryAfterMs?: number };

export interface Feed {
  /**
   * TUF specification, section 5: root chain, timestamp, snapshot, targets. While the clock is not trusted, expiry is
   * not judged (roll-back is). What it trusts is on disk before it answers. Never rejects: a disk that fails is
   * `unreachable` with its word. One at a time; a call during another shares its outcome.
   */
  refresh(): Promise<RefreshOutcome>;
  /**
   * The bytes of a target (gzip, as served). Rejects with `FeedRefusal` as soon as it is too long, at its end when
   * length or hash is wrong, or when it is not there; with another error when the transfer breaks.
   */
  download(target: FeedTarget): AsyncIterable<Uint8Array>;
}

export interface FeedWorld {
  clock: Clock;
  files: Files;
  source: FeedSource;
  log: Log;
}

/** `rootPath`: the root the site was given. `metadataDir`: made when missing. */
export function createFeed(settings: { rootPath: string; metadataDir: string }, world: FeedWorld): Feed {
  const { clock, files, source } = world;
  let trusted: Trusted | null = null;
  let running: Promise<RefreshOutcome> | null = null;

  async function refresh(): Promise<RefreshOutcome> {
    const nowMs = clock.trusted() ? clock.wallMs() : null;
    try {
      trusted ??= await loadTrusted(settings, world);
      await advance(trusted, nowMs, {
        source,
        clock,
        keep: (role, bytes) => files.replace(`${settings.metadataDir}/${role}.json`, bytes),
      });
      const targets = trusted.targets!;
      return {
        kind: "verified",
        targets: listTargets(targets, `${targets.model.signed.version}.targets.json`),
        publishedAtMs: publishedAtMs(targets),
        rootVersion: trusted.root.model.signed.version,
        corrections: readCorrections(trusted.root.model.signed),
      };
    } catch (error) {
      if (error instanceof FeedRefusal) return { kind: "refused", name: error.refusal, why: error.message };
      const why = (error as Error).message;
      if (!(error instanceof FeedUnreachable))
        return { kind: "unreachable", why: `trusted metadata: ${why}` };
      const { retryAfterMs } = error;
      return { kind: "unreachable", why, ...(retryAfterMs > 0 && { retryAfterMs }) };
    }
  }

  return {
    refresh() {
      running ??= refresh().finally(() => {
        running = null;
      });
      return running;
    },
    download: (target) => downloadTarget(target, world),
  };
}

/** The newer of the shipped and the stored root, and the rest of what is stored; whether it still holds, `advance` judges. */
async function loadTrusted(
  { rootPath, metadataDir }: { rootPath: string; metadataDir: string },
  { files, log }: FeedWorld,
): Promise<Trusted> {
  const bytes = await files.read(rootPath, DOCUMENT_BYTES_MAX.root);
  if (bytes === null) {
    throw new FeedRefusal("missing-file", `${rootPath} is not there: copy the feed's root.json to it`);
  }
  const shipped = parseDocument("root", bytes, rootPath);
  checkSignatures(shipped, "root", shipped, rootPath);

  await files.makeDirs(metadataDir);
  const load = async <Role extends RoleName>(role: Role): Promise<Document<Role> | null> => {
    const path = `${metadataDir}/${role}.json`;
    try {
      const stored = await files.read(path, DOCUMENT_BYTES_MAX[role]);
      return stored === null ? null : parseDocument(role, stored, path);
    } catch (error) {
      log.warn("stored feed metadata cannot be read and is fetched anew", { why: (error as Error).message });
      return null;
    }
  };
  const stored = await load("root");
  const isNewer = stored !== null && stored.model.signed.version > shipped.model.signed.version;
  return {
    root: isNewer ? stored : shipped,
    timestamp: await load("timestamp"),
    snapshot: await load("snapshot"),
    targets: await load("targets"),
    heldBy: null,
  };
}
