/**
 * A new revision of the feed: its lists are written, described, and those that no longer pay are dropped. From a whole
 * list W to the newest revision R there is always one delta W-R, so that a gateway needs two files at most, however many
 * cards were set one by one in between; and from whole list to whole list one delta, for gateways that were away.
 */
import type { FeedTarget } from "./feed-metadata.ts";
import { writeList } from "./publish-list.ts";
import { keepMembers } from "./publish-members.ts";
import {
  type CentreWorld,
  type Newest,
  type Place,
  type Repository,
  type Say,
  type SigningKeys,
  tidy,
  writeUpdate,
} from "./publish-repository.ts";
import type { Overlay } from "./publish-state.ts";
import type { CardTable } from "./publish-table.ts";
import type { Row } from "./rows.ts";

/** Of each kind. A gateway this far behind takes the whole list rather than make so many requests. */
const DELTAS_KEPT_MAX = 64;

/** How far the work has come. */
export type Progress = (step: "comparing" | "writing", done: number, of: number) => void;

/** Told so seldom, it costs nothing. */
export const PROGRESS_ROWS = 10_000;

/** What every writing needs. */
export interface Work {
  place: Place;
  repository: Repository;
  keys: SigningKeys;
  world: CentreWorld;
  say: Say;
  progress: Progress;
}

/**
 * Writes the whole list that `table` is, as the next revision, and the deltas to it. `changed`: the numbers of the
 * cards that changed, null where a delta does not pay. `overlay`: what the deltas before it say.
 */
export async function writeWhole(
  work: Work,
  table: CardTable,
  changed: readonly number[] | null,
  overlay: Overlay,
): Promise<void> {
  const { place, repository, world, progress } = work;
  const { newest } = repository;
  const revision = (newest?.revision ?? 0) + 1;
  const { cards } = table;
  const rows = counted(table.rows(), cards, progress);
  const written = await writeList(place, { revision, base: null, cards }, rows, world);
  await keepMembers(place, written, world);
  const deltas: FeedTarget[] = [];
  const writeDelta = async (base: number, numbers: Iterable<number>) =>
    deltas.push((await writeList(place, { revision, base, cards }, table.rowsOf(numbers), world)).target);
  if (newest !== null && changed !== null) {
    await writeDelta(newest.revision, changed);
    if (newest.whole.revision < newest.revision) {
      const numbers = new Set([...changed, ...overlay.keys()]);
      await writeDelta(newest.whole.revision, Float64Array.from(numbers).sort());
    }
  }
  await writeRevision(work, written.target, deltas);
}

/** Writes what `rows` change as the next revision, without a whole list. `overlay`: what the deltas before it say. */
export async function writeStep(
  work: Work,
  newest: Newest,
  rows: readonly Row[],
  cards: number,
  overlay: Overlay,
): Promise<void> {
  const { place, world } = work;
  const revision = newest.revision + 1;
  const { target } = await writeList(place, { revision, base: newest.revision, cards }, rows, world);
  const deltas = [target];
  if (newest.whole.revision < newest.revision) {
    const together = new Map([...overlay, ...rows.map((row) => [row.packed, row] as const)]);
    const sorted = [...together.values()].sort((a, b) => a.packed - b.packed);
    const base = newest.whole.revision;
    deltas.push((await writeList(place, { revision, base, cards }, sorted, world)).target);
  }
  await writeRevision(work, newest.whole, deltas);
}

async function writeRevision(work: Work, whole: FeedTarget, deltas: FeedTarget[]): Promise<void> {
  const { place, repository, keys, world, say } = work;
  const all = [...deltas, ...repository.lists.filter(({ base }) => base !== null)];
  const revision = deltas[0]?.revision ?? whole.revision;
  const lists = deltas.length === 0 ? [whole] : [whole, ...worthKeeping(all, revision, whole.lengthBytes)];
  await writeUpdate(place, repository, keys, { lists, renew: true }, world);
  await tidy(place, world).catch((error: Error) => say(`old files stay for now: ${error.message}`));
}

/** The deltas that lead to `revision`, as far back as taking them is less to fetch than the whole list. */
function worthKeeping(deltas: readonly FeedTarget[], revision: number, wholeBytes: number): FeedTarget[] {
  const narrow = chainTo(revision, deltas, wholeBytes, (a, b) => b.base! - a.base!);
  const wide = chainTo(revision, deltas, wholeBytes, (a, b) => a.base! - b.base!);
  return [...new Set([...narrow, ...wide])];
}

/** Back from `revision`, at each step by the delta that comes first in `order`. */
function chainTo(
  revision: number,
  deltas: readonly FeedTarget[],
  bytesMax: number,
  order: (a: FeedTarget, b: FeedTarget) => number,
): FeedTarget[] {
  const chain: FeedTarget[] = [];
  let bytes = 0;
  for (let at = revision; chain.length < DELTAS_KEPT_MAX; ) {
    const [delta] = deltas.filter((each) => each.revision === at).sort(order);
    if (delta === undefined) break;
    bytes += delta.lengthBytes;
    if (bytes > bytesMax) break;
    chain.push(delta);
    at = delta.base!;
  }
  return chain;
}

function* counted<Item>(items: Iterable<Item>, of: number, progress: Progress): Generator<Item, void, void> {
  let done = 0;
  for (const item of items) {
    yield item;
    if (++done % PROGRESS_ROWS === 0) progress("writing", done, of);
  }
}
