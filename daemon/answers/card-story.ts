/**
 * What the journal tells of one card: its last taps, since when they end as they do, and whether it is taken away too early.
 */
import type { Reason } from "../gate/reasons.ts";
import type { CloudEvent } from "../journal/record.ts";

/** Of a card that was not read nobody knows the number: taken away too early, it is tried again at once. */
const TRY_AGAIN_MS = 10_000;
const TAPS_MAX = 20;

export interface Turn {
  reason: Reason;
  /** RFC 3339, UTC. */
  at: string;
  /** Of the list that was in force. */
  revision: number | null;
}

export interface CardStory {
  /** Newest first. */
  taps: CloudEvent[];
  /** The first of the taps that ended as the last one did; null: no taps were found. */
  since: Turn | null;
  /** The last tap before that; what changed, changed between the two. */
  before: Turn | null;
  /** Readings that failed at the same reader shortly before one of its taps, and so, in all likelihood, of this card. */
  earlyRemovals: number;
  misreads: number;
  /** RFC 3339, UTC: how far back was looked; null: to the beginning. */
  lookedBackTo: string | null;
}

/** `taps`: those of the card, and all misreads, newest first. */
export function tellStory(card: string, taps: readonly CloudEvent[], lookedBackTo: string | null): CardStory {
  const own = taps.filter(({ data }) => data.card === card);
  const [last] = own;
  const turnAt = last === undefined ? -1 : own.findIndex(({ data }) => data.reason !== last.data.reason);
  const since = turnAt < 0 ? own.at(-1) : own[turnAt - 1];
  const tries = misreadsBefore(card, taps);
  return {
    taps: own.slice(0, TAPS_MAX),
    since: since === undefined ? null : turnOf(since),
    before: turnAt < 0 ? null : turnOf(own[turnAt]!),
    earlyRemovals: tries.filter((reason) => reason === "removed-early").length,
    misreads: tries.filter((reason) => reason !== "removed-early").length,
    lookedBackTo,
  };
}

const MISREADS: readonly unknown[] = ["removed-early", "unreadable", "wrong-type"] satisfies Reason[];

function misreadsBefore(card: string, taps: readonly CloudEvent[]): unknown[] {
  const nextTap = new Map<unknown, number>();
  return taps.flatMap(({ time, data }) => {
    const atMs = Date.parse(time);
    if (data.card === card) nextTap.set(data.reader, atMs);
    else if (data.card !== null) nextTap.delete(data.reader);
    const isSoonAfter = (nextTap.get(data.reader) ?? Number.POSITIVE_INFINITY) - atMs <= TRY_AGAIN_MS;
    return isSoonAfter && MISREADS.includes(data.reason) ? [data.reason] : [];
  });
}

function turnOf({ time, data }: CloudEvent): Turn {
  const { revision } = (data.list ?? {}) as { revision?: unknown };
  return {
    reason: data.reason as Reason,
    at: time,
    revision: typeof revision === "number" ? revision : null,
  };
}
