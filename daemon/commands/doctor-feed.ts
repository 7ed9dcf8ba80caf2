/**
 * Whether the feed can be reached and verifies, asked beside the gateway: from a copy of what it trusts, in a folder
 * that is thrown away, so that nothing of the gateway's is changed.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Configuration } from "../../config/schema.ts";
import { createFeedSource } from "../../drivers/feed-source.ts";
import type { Log } from "../../drivers/ports.ts";
import type { System } from "../../drivers/system.ts";
import { createFeed, type RefreshOutcome } from "../../sync/feed.ts";
import { newestRevision } from "../../sync/feed-way.ts";
import { createStore } from "../../sync/store.ts";
import { ageOf } from "../../sync/sync-age.ts";
import { pathsOf } from "../data-paths.ts";
import { type Finding, findings } from "../doctor/finding.ts";
import type { ListFacts } from "../doctor/running.ts";

const { ok, warning, wrong } = findings("feed");
const DAY_MS = 24 * 3_600_000;
/** A timestamp with less time left was not renewed when it should have been; the others are signed by hand. */
const WARNING_DAYS = { timestamp: 2, snapshot: 14, targets: 14, root: 30 } as const;
type Role = keyof typeof WARNING_DAYS;
type Signed = { version: number; expires: string };
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export type FeedCredentials = Parameters<typeof createFeedSource>[1];

export async function lookAtFeed(
  { cards, dataDir }: Configuration,
  credentials: FeedCredentials,
  system: System,
): Promise<Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-doctor-"));
  try {
    await copyTrusted(join(pathsOf(dataDir).cards, "metadata"), folder, system);
    const source = createFeedSource(cards.feed, credentials);
    const feed = createFeed(
      { rootPath: cards.root, metadataDir: folder },
      { ...system, source, log: SILENT },
    );
    const outcome = await feed.refresh();
    return [judge(source.name, outcome), ...(await expiries(folder, cards.root, outcome, system))];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Roll-back shows only against what was seen before. What another account keeps to itself cannot be compared with. */
async function copyTrusted(from: string, to: string, { files }: System): Promise<void> {
  for (const role of Object.keys(WARNING_DAYS)) {
    const bytes = await files.read(join(from, `${role}.json`), DOCUMENT_BYTES_MAX).catch(() => null);
    if (bytes !== null) await files.replace(join(to, `${role}.json`), bytes);
  }
}

function judge(name: string, outcome: RefreshOutcome): Finding {
  switch (outcome.kind) {
    case "verified": {
      const revision = newestRevision(outcome.targets);
      const holds = revision === null ? "no list yet" : `revision ${revision}`;
      const published =
        outcome.publishedAtMs === null ? "" : `, published ${new Date(outcome.publishedAtMs).toISOString()}`;
      const what = `verifies: ${holds}${published}, root ${outcome.rootVersion}`;
      return revision === null
        ? wrong(name, what, "publish a list at the centre: grindvakt feed publish DIR --cards FILE.csv")
        : ok(name, what);
    }
    case "refused":
      return wrong(name, `${outcome.name}: ${outcome.why}`, remedyOf(outcome));
    case "unreachable":
      return wrong(
        name,
        outcome.why,
        "check the network, the address in cards.feed and, where asked for, cards.username",
      );
  }
}

function remedyOf({ name, why }: { name: string; why: string }): string {
  if (name === "expired")
    return `${renewal(why.startsWith("root.json") ? "root" : "timestamp")}; and is this clock right?`;
  return "are cards.feed and cards.root those of one feed? If so, ask the centre what it published: grindvakt feed verify DIR shows it there; a list in force stays so";
}

function renewal(role: Role): string {
  return role === "root"
    ? "at the centre, with the root's key: grindvakt feed refresh DIR --root-keys DIR2"
    : "at the centre: grindvakt feed refresh DIR, in a daily timer";
}

/** What will expire soon, while there is time to sign it anew. */
async function expiries(
  folder: string,
  givenRoot: string,
  outcome: RefreshOutcome,
  { files, clock }: System,
): Promise<Finding[]> {
  if (outcome.kind !== "verified" || !clock.trusted()) return [];
  const found: Finding[] = [];
  for (const [role, days] of Object.entries(WARNING_DAYS) as [Role, number][]) {
    // The root that the site was given lies where it was given, until a newer one has followed.
    for (const path of [join(folder, `${role}.json`), ...(role === "root" ? [givenRoot] : [])]) {
      const bytes = await files.read(path, DOCUMENT_BYTES_MAX);
      if (bytes === null) continue;
      const { signed } = JSON.parse(Buffer.from(bytes).toString()) as { signed: Signed };
      if (role === "root" && signed.version !== outcome.rootVersion) continue;
      const leftMs = Date.parse(signed.expires) - clock.wallMs();
      if (leftMs < days * DAY_MS)
        found.push(warning(`${role}.json`, `expires ${signed.expires}`, renewal(role)));
      break;
    }
  }
  return found;
}

/** The list as it lies on disk, with no gateway to ask; null where there is none. */
export async function listOnDisk(
  { cards, dataDir }: Configuration,
  system: System,
): Promise<ListFacts | null> {
  const { clock, files } = system;
  const inForce = await createStore(pathsOf(dataDir).cards, files, SILENT).read();
  if (inForce === null) return null;
  const restoredAtMs = inForce.refreshedAtMs;
  const facts = { refreshed: null, restoredAtMs, startedMonotonicMs: clock.monotonicMs(), hasList: true };
  const { freshness, refreshedAtMs } = ageOf(facts, cards, clock);
  const refreshedAt = refreshedAtMs === null ? null : new Date(refreshedAtMs).toISOString();
  return { revision: inForce.revision, freshness, refreshedAt };
}
