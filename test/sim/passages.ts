/** What must hold of passages, seen from a whole journal, and who is on the site by it: see daemon/gate/passage.ts and daemon/presence/presence.ts. */

import type { Line } from "../../daemon/journal/record.ts";
import { isOpenCommand } from "./commands.ts";

/** `heard`: closings of the access point's passage contact that a gateway was told of. The first fault, in words, or null. */
export function passageFault(
  lines: readonly Line[],
  gateway: string,
  heard: ReadonlyMap<string, number>,
): string | null {
  const openings = new Map<string, string>();
  const answered = new Set<string>();
  const closings = new Map<string, number>();
  for (const line of lines) {
    const { seq, id = `${gateway}/${seq}`, type, data } = line;
    const accessPoint = String(data.accessPoint);
    if (type === "grindvakt.tap.v1" && data.granted === true) openings.set(id, accessPoint);
    if (isOpenCommand(line)) openings.set(String(data.id), accessPoint);
    if (type !== "grindvakt.passage.v1") continue;
    if (data.event === "request-to-exit") openings.set(id, accessPoint);
    const isPassed = data.event === "passed";
    if (isPassed || data.event === "not-passed") {
      const opening = data.tap ?? data.request ?? data.command;
      if (typeof opening === "string") {
        if (openings.get(opening) !== accessPoint)
          return `${id}: ${data.event} by ${opening}, which opened nothing here`;
        if (answered.has(opening)) return `${id}: ${opening} is answered twice`;
        answered.add(opening);
      }
    }
    if (isPassed || data.event === "passed-without-grant") {
      closings.set(accessPoint, (closings.get(accessPoint) ?? 0) + Number(data.count ?? 1));
    }
  }
  for (const [accessPoint, count] of closings) {
    const moved = heard.get(accessPoint) ?? 0;
    if (count > moved) return `${accessPoint}: ${count} have passed, and the contact closed ${moved} times`;
  }
  return null;
}

/** Cards whose last granted tap that was not taken back was an entry, sorted. */
export function onSite(lines: readonly Line[], gateway: string): string[] {
  const taps = new Map<string, { card: unknown; direction: unknown }>();
  for (const { seq, id = `${gateway}/${seq}`, type, data } of lines) {
    const { granted, card, direction, event, tap, heldMs } = data;
    if (type === "grindvakt.tap.v1" && granted === true) taps.set(id, { card, direction });
    const isTakenBack =
      event === "not-passed" || event === "withheld" || (event === "failed" && heldMs === 0);
    if (type === "grindvakt.passage.v1" && isTakenBack) taps.delete(String(tap));
  }
  const last = new Map([...taps.values()].map(({ card, direction }) => [String(card), direction]));
  return [...last].flatMap(([card, direction]) => (direction === "entry" ? [card] : [])).sort();
}
