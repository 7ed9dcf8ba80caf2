/**
 * How old the list is: pure. Age counts from the last refresh that verified and left nothing newer to fetch; by
 * the monotonic clock while the process lives, by the wall clock across a restart.
 */
import type { Clock } from "../drivers/ports.ts";
import type { Freshness } from "./card.ts";

/** `ageSeconds` null: not known. `refreshedAtMs`: wall time, null where no clock could be trusted. */
export interface ListAge {
  freshness: Freshness;
  ageSeconds: number | null;
  refreshedAtMs: number | null;
}

/** The instant of a refresh. `wallMs` null: the wall clock was not trusted, nor could expiry be judged. */
export interface RefreshInstant {
  monotonicMs: number;
  wallMs: number | null;
}

export interface AgeFacts {
  /** The last good refresh of this process. */
  refreshed: RefreshInstant | null;
  /** The last good refresh of an earlier process, in wall time. */
  restoredAtMs: number | null;
  startedMonotonicMs: number;
  hasList: boolean;
}

export interface AgeLimits {
  lateAfterMinutes: number;
  staleAfterHours: number;
}

export function ageOf(facts: AgeFacts, limits: AgeLimits, clock: Clock): ListAge {
  const { ageMs, refreshedAtMs } = knownAge(facts, clock);
  const ageSeconds = ageMs === null ? null : Math.floor(ageMs / 1000);
  if (ageMs === null && !facts.hasList) return { freshness: "stale", ageSeconds, refreshedAtMs };
  // Not known: at least as old as this process.
  const atLeastMs = ageMs ?? clock.monotonicMs() - facts.startedMonotonicMs;
  if (atLeastMs >= limits.staleAfterHours * 3_600_000)
    return { freshness: "stale", ageSeconds, refreshedAtMs };
  // Without a trusted clock nobody could tell whether the metadata had expired.
  const isSure = refreshedAtMs !== null && clock.trusted();
  const late = !isSure || atLeastMs >= limits.lateAfterMinutes * 60_000;
  return { freshness: late ? "late" : "fresh", ageSeconds, refreshedAtMs };
}

/** The wall time is that of the refresh itself, and not reckoned back, or it would be another at each look. */
function knownAge(facts: AgeFacts, clock: Clock): { ageMs: number | null; refreshedAtMs: number | null } {
  if (facts.refreshed !== null) {
    const { monotonicMs, wallMs } = facts.refreshed;
    return { ageMs: clock.monotonicMs() - monotonicMs, refreshedAtMs: wallMs };
  }
  if (facts.restoredAtMs === null || !clock.trusted()) return { ageMs: null, refreshedAtMs: null };
  const ageMs = clock.wallMs() - facts.restoredAtMs;
  // A refresh in the future: one of the two clocks was wrong, and nobody knows which.
  if (ageMs < 0) return { ageMs: null, refreshedAtMs: null };
  return { ageMs, refreshedAtMs: facts.restoredAtMs };
}
