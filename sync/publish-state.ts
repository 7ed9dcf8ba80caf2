/** What the feed says now: the newest whole list, and what the deltas after it change. */
import type { FeedTarget } from "./feed-metadata.ts";
import { copyRow } from "./publish-lines.ts";
import { requireList } from "./publish-list.ts";
import type { CentreWorld, Place } from "./publish-repository.ts";
import { REMOVED, type Row, type TakeRow } from "./rows.ts";

/** Rows by packed number; a card that was taken off has the status `REMOVED`. */
export type Overlay = ReadonlyMap<number, Row>;

/** What deltas say together, the later of two rows being the one that holds. */
export async function readOverlay(
  deltas: readonly FeedTarget[],
  place: Pick<Place, "dir">,
  world: CentreWorld,
): Promise<Overlay> {
  const overlay = new Map<number, Row>();
  for (const delta of deltas) {
    await requireList(delta, place, world, (row) => {
      overlay.set(row.packed, copyRow(row));
      return null;
    });
  }
  return overlay;
}

/** Hands every row that holds to `take`, in the order of numbers. */
export async function readState(
  whole: FeedTarget,
  overlay: Overlay,
  place: Pick<Place, "dir">,
  world: CentreWorld,
  take: TakeRow,
): Promise<void> {
  const changed = [...overlay.values()].sort((a, b) => a.packed - b.packed);
  let next = 0;
  const takeUpTo = (packed: number): string | null => {
    for (; next < changed.length && changed[next]!.packed < packed; next++) {
      const row = changed[next]!;
      const why = row.status === REMOVED ? null : take(row);
      if (why !== null) return why;
    }
    return null;
  };
  await requireList(whole, place, world, (row) => {
    const why = takeUpTo(row.packed);
    if (why !== null || overlay.has(row.packed)) return why;
    return take(row);
  });
  takeUpTo(Number.POSITIVE_INFINITY);
}
