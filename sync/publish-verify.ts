/** A feed proved as a gateway would prove it, and a little more: every list read, the chain of deltas walked. */
import {
  DOCUMENT_BYTES_MAX,
  expiresMs,
  type FeedTarget,
  listTargets,
  parseDocument,
  publishedAtMs,
} from "./feed-metadata.ts";
import { FeedRefusal } from "./feed-refusal.ts";
import { newestRevision, shortestWay } from "./feed-way.ts";
import { advance, FeedUnreachable, type Trusted } from "./feed-workflow.ts";
import { readList } from "./publish-list.ts";
import { CentreFault, type CentreWorld, type Place } from "./publish-repository.ts";
import { readOverlay } from "./publish-state.ts";
import { REMOVED, type Row } from "./rows.ts";

/** `faults`: what a gateway would refuse or miss. `warnings`: what soon will be. Times in milliseconds since 1970. */
export interface VerifyReport {
  revision: number | null;
  cards: number | null;
  publishedAtMs: number | null;
  rootVersion: number;
  timestampExpiresMs: number;
  lists: FeedTarget[];
  faults: string[];
  warnings: string[];
}

/** A timestamp with less time left was not renewed when it should have been. */
const TIMESTAMP_WARNING_MS = 2 * 86_400_000;

/** Rejects with `CentreFault` where the metadata itself does not verify. */
export async function verifyFeed({ dir }: Pick<Place, "dir">, world: CentreWorld): Promise<VerifyReport> {
  const nowMs = world.clock.wallMs();
  const source = world.openDirectory(dir);
  const bytes = await world.files.read(`${dir}/root.json`, DOCUMENT_BYTES_MAX.root);
  if (bytes === null) throw new CentreFault(`${dir} has no root.json`);
  const { trusted, lists } = await verifyMetadata();
  const rootVersion = trusted.root.model.signed.version;
  const faults: string[] = [];
  if (!Buffer.from(bytes).equals(trusted.root.bytes)) {
    faults.push(`root.json is no copy of ${rootVersion}.root.json, the newest`);
  }
  const revision = newestRevision(lists);
  const [whole, ...deltas] = shortestWay(null, lists) ?? [];
  if (revision !== null && whole === undefined) {
    faults.push(`no whole list and no deltas after it lead to revision ${revision}`);
  }
  for (const list of lists) if (list !== whole) faults.push(...(await verifyList(list, () => {})));
  if (whole !== undefined) faults.push(...(await verifyState(whole, faults.length === 0 ? deltas : [])));
  const timestampExpiresMs = expiresMs(trusted.timestamp!);
  return {
    revision,
    cards: lists.find((list) => list.revision === revision)?.cards ?? null,
    publishedAtMs: publishedAtMs(trusted.targets!),
    rootVersion,
    timestampExpiresMs,
    lists,
    faults,
    warnings:
      timestampExpiresMs - nowMs < TIMESTAMP_WARNING_MS
        ? ["timestamp.json expires soon: is feed refresh in a timer?"]
        : [],
  };

  async function verifyMetadata(): Promise<{ trusted: Trusted; lists: FeedTarget[] }> {
    try {
      const root = parseDocument("root", bytes!, "root.json");
      const trusted: Trusted = { root, timestamp: null, snapshot: null, targets: null, heldBy: null };
      await advance(trusted, nowMs, { source, clock: world.clock, keep: async () => {} });
      return {
        trusted,
        lists: listTargets(trusted.targets!, `${trusted.targets!.model.signed.version}.targets.json`),
      };
    } catch (error) {
      if (!(error instanceof FeedRefusal)) throw error;
      throw new CentreFault(`${error.refusal}: ${error.message}`);
    }
  }

  async function verifyList(list: FeedTarget, see: (row: Row) => void): Promise<string[]> {
    let rows = 0;
    try {
      await readList(list, { source, clock: world.clock }, (row) => {
        rows += 1;
        see(row);
        return null;
      });
    } catch (error) {
      if (error instanceof FeedRefusal) return [`${error.refusal}: ${error.message}`];
      if (error instanceof CentreFault || error instanceof FeedUnreachable) return [error.message];
      throw error;
    }
    if (list.base !== null || rows === list.cards) return [];
    return [`${list.path} has ${rows} cards, and says ${list.cards}`];
  }

  /** A whole list, and whether with the deltas after it there are as many cards as they say. */
  async function verifyState(whole: FeedTarget, deltas: FeedTarget[]): Promise<string[]> {
    const overlay = await readOverlay(deltas, { dir }, world);
    let cards = 0;
    for (const { status } of overlay.values()) if (status !== REMOVED) cards += 1;
    const found = await verifyList(whole, ({ packed }) => {
      if (!overlay.has(packed)) cards += 1;
    });
    const last = deltas.at(-1);
    if (found.length > 0 || last === undefined || cards === last.cards) return found;
    return [`${last.path} leads to ${cards} cards, and says ${last.cards}`];
  }
}
