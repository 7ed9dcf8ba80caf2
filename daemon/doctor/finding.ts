/**
 * What `doctor` finds: each thing it looked at, how bad it is, and what to do.
 */

/** In the order in which a site is walked through. */
const GROUPS = [
  "configuration",
  "gateway",
  "permissions",
  "devices",
  "pcsc",
  "clock",
  "disk",
  "broker",
  "certificates",
  "feed",
  "list",
] as const;
export type Group = (typeof GROUPS)[number];

/** `warning`: the gate works, and something will go wrong or cannot be told. `wrong`: something does not work. */
export type Level = "ok" | "warning" | "wrong";

export interface Finding {
  group: Group;
  /** What was looked at: a reader, a file, an address. */
  subject: string;
  level: Level;
  what: string;
  /** What to do about it; null where nothing is to be done. */
  todo: string | null;
}

/** The words of one group. */
export function findings(group: Group) {
  return {
    ok: (subject: string, what: string): Finding => ({ group, subject, level: "ok", what, todo: null }),
    warning: (subject: string, what: string, todo: string): Finding => ({
      group,
      subject,
      level: "warning",
      what,
      todo,
    }),
    wrong: (subject: string, what: string, todo: string): Finding => ({
      group,
      subject,
      level: "wrong",
      what,
      todo,
    }),
  };
}

/** How many of each level. */
export function countOf(found: readonly Finding[]): Record<Level, number> {
  const count = { ok: 0, warning: 0, wrong: 0 };
  for (const { level } of found) count[level] += 1;
  return count;
}
