/**
 * What the end of the journal says of the run before: grants whose outcome was never written, and the latest time
 * that could be trusted.
 */
import type { Entry } from "./journal-segments.ts";
import type { Line } from "./record.ts";

/** How far back is looked: a pulse ends within ten seconds of its grant, so its outcome stands near it. */
export const RESUME_LINES = 2_000;

export interface Resumption {
  /** Grants that may have moved a relay, and of which no outcome is written. */
  unknownOutcomes: { accessPoint: string; tap: string }[];
  trustedFloorMs: number;
}

/** `entries`: the last lines of the journal. `withRelay`: the access points that have a relay. */
export async function resume(
  entries: AsyncIterable<Entry>,
  gateway: string,
  withRelay: ReadonlySet<string>,
): Promise<Resumption> {
  const open = new Map<string, string>();
  let trustedFloorMs = 0;
  for await (const { line } of entries) {
    const { clock, accessPoint, tap } = line.data as {
      clock?: { trusted?: boolean; floor?: string };
      accessPoint?: string;
      tap?: string;
    };
    const trusted = clock?.trusted === true ? line.time : clock?.floor;
    if (trusted !== undefined) trustedFloorMs = Math.max(trustedFloorMs, Date.parse(trusted) || 0);
    if (typeof accessPoint !== "string" || !withRelay.has(accessPoint)) continue;
    if (isPulse(line)) open.set(line.id ?? `${gateway}/${line.seq}`, accessPoint);
    if (line.type !== "grindvakt.passage.v1") continue;
    if (typeof tap === "string") open.delete(tap);
    // Its tap had no id yet. An access point has one pulse at a time, so it ended whichever is open there.
    else for (const [id, at] of open) if (at === accessPoint) open.delete(id);
  }
  return { unknownOutcomes: [...open].map(([tap, accessPoint]) => ({ accessPoint, tap })), trustedFloorMs };
}

function isPulse({ type, data }: Line): boolean {
  return type === "grindvakt.tap.v1" && data.granted === true && data.pulse !== "running";
}
