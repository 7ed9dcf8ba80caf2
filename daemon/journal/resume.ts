/**
 * What the end of the journal says of the run before: grants whose outcome was never written, and the latest time
 * that could be trusted.
 */
import type { Entry } from "./journal-segments.ts";
import type { Line } from "./record.ts";

/** How far back is looked: a pulse ends within ten seconds of its grant, so its outcome stands near it. */
export const RESUME_LINES = 2_000;

/** What may have moved a relay, and of which no outcome is written: a granted tap, a request to exit, or a command. */
export interface UnknownOutcome {
  accessPoint: string;
  kind: "tap" | "request" | "command";
  id: string;
}

export interface Resumption {
  unknownOutcomes: UnknownOutcome[];
  trustedFloorMs: number;
}

/** `entries`: the last lines of the journal. `withRelay`: the access points that have a relay. */
export async function resume(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  gateway: string,
  withRelay: ReadonlySet<string>,
): Promise<Resumption> {
  const open = new Map<string, UnknownOutcome>();
  let trustedFloorMs = 0;
  for await (const { line } of entries) {
    const { clock, accessPoint, event, tap, request, command } = line.data as {
      clock?: { trusted?: boolean; floor?: string };
      accessPoint?: string;
      event?: string;
      tap?: string;
      request?: string;
      command?: string;
    };
    const trusted = clock?.trusted === true ? line.time : clock?.floor;
    if (trusted !== undefined) trustedFloorMs = Math.max(trustedFloorMs, Date.parse(trusted) || 0);
    if (typeof accessPoint !== "string" || !withRelay.has(accessPoint)) continue;
    const kind = pulseOf(line);
    if (kind !== null) {
      const id = kind === "command" ? String(line.data.id) : (line.id ?? `${gateway}/${line.seq}`);
      open.set(id, { accessPoint, kind, id });
    }
    if (!isOutcome(line.type, event)) continue;
    const id = tap ?? request ?? command;
    if (typeof id === "string") open.delete(id);
    // What asked had no id yet. An access point has one pulse at a time, so it ended whichever is open there.
    else for (const [id, at] of open) if (at.accessPoint === accessPoint) open.delete(id);
  }
  return { unknownOutcomes: [...open.values()], trustedFloorMs };
}

function pulseOf({ type, data }: Line): UnknownOutcome["kind"] | null {
  if (data.pulse === "running") return null;
  if (type === "grindvakt.tap.v1" && data.granted === true) return "tap";
  if (type === "grindvakt.gateway.v1" && data.event === "command" && data.command === "open")
    return "command";
  return type === "grindvakt.passage.v1" && data.event === "request-to-exit" ? "request" : null;
}

/** What the relay did; who then passed, or did not, is told beside it. */
function isOutcome(type: string, event: string | undefined): boolean {
  return (
    type === "grindvakt.passage.v1" &&
    (event === "opened" || event === "failed" || event === "withheld" || event === "unknown")
  );
}
