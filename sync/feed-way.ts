/**
 * Which lists of a feed lead to its newest revision: pure. A delta says, of every card that changed after its base,
 * what holds at its revision; so it may be applied at its base and at any revision between the two.
 */
import type { FeedTarget } from "./feed-metadata.ts";

/** What one more request costs, as so many bytes: of two ways about as long, the one with fewer files. */
const REQUEST_BYTES = 2_048;

interface Reached {
  costBytes: number;
  way: FeedTarget[];
}

/** The newest revision of these lists, or null when there are none. */
export function newestRevision(lists: readonly FeedTarget[]): number | null {
  return lists.reduce<number | null>((most, { revision }) => Math.max(most ?? 0, revision), null);
}

/**
 * The lists to take, in order, to come from `revision` to the newest with the least to fetch: deltas, or a whole list
 * and the deltas after it. `revision` null: nothing is there yet. Empty when it is the newest; null when no way leads there.
 */
export function shortestWay(revision: number | null, lists: readonly FeedTarget[]): FeedTarget[] | null {
  const newest = newestRevision(lists);
  if (newest === null) return null;
  const reached = new Map<number, Reached>();
  if (revision !== null) reached.set(revision, { costBytes: 0, way: [] });
  // Where a list leads is reached only from before it: one pass in the order of revisions sees every way.
  for (const list of [...lists].sort((a, b) => a.revision - b.revision || (a.base ?? -1) - (b.base ?? -1))) {
    const before = list.base === null ? { costBytes: 0, way: [] } : cheapestBetween(list, reached);
    if (before === null) continue;
    const costBytes = before.costBytes + list.lengthBytes + REQUEST_BYTES;
    if (costBytes >= (reached.get(list.revision)?.costBytes ?? Number.POSITIVE_INFINITY)) continue;
    reached.set(list.revision, { costBytes, way: [...before.way, list] });
  }
  return reached.get(newest)?.way ?? null;
}

/** The cheapest to reach of the revisions where a delta may be applied. */
function cheapestBetween(
  { base, revision }: FeedTarget,
  reached: ReadonlyMap<number, Reached>,
): Reached | null {
  let best: Reached | null = null;
  for (const [at, candidate] of reached) {
    if (at < base! || at >= revision) continue;
    if (best === null || candidate.costBytes < best.costBytes) best = candidate;
  }
  return best;
}
