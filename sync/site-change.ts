/**
 * The words of the site's own list: what a change of it is. The list is the fold of its changes.
 */
import { isCanonical } from "./card.ts";

/** A sentence. */
export const WHY_CHARACTERS_MAX = 200;
export const WHO_CHARACTERS_MAX = 100;
/** Of a change as JSON: a character takes up to three bytes. */
export const CHANGE_BYTES_MAX = 400 + 3 * (WHY_CHARACTERS_MAX + WHO_CHARACTERS_MAX);

export type SiteRule = "blocked" | "allowed";

const EVENTS = {
  "site-blocked": { rule: "blocked", isOn: true },
  "site-unblocked": { rule: "blocked", isOn: false },
  "site-allowed": { rule: "allowed", isOn: true },
  "site-disallowed": { rule: "allowed", isOn: false },
} as const satisfies Record<string, { rule: SiteRule; isOn: boolean }>;

export type SiteEvent = keyof typeof EVENTS;

/** By which way a change came, and who that way said it was. */
export interface Who {
  by: "command" | "console" | "mqtt";
  name: string;
}

/** One change, whole: as it stands on the list, in the journal and in its event. */
export interface SiteChange {
  event: SiteEvent;
  /** Canonical. */
  card: string;
  /** As it was said: the last day (`2026-12-24`) or an instant (RFC 3339, UTC); null: no end. */
  until: string | null;
  /** The first instant at which it does not apply any more. */
  untilMs: number | null;
  why: string | null;
  who: Who;
  /** When it was made, RFC 3339, UTC, and whether that clock could be trusted. */
  at: string;
  atTrusted: boolean;
}

/** Which rule an event changes, and whether it puts the card under it or takes it off. */
export function ruleOf(event: SiteEvent): { rule: SiteRule; isOn: boolean } {
  return EVENTS[event];
}

/** By card: the change that put it under the rule. */
export type Rules = Record<SiteRule, Map<string, SiteChange>>;

export function noRules(): Rules {
  return { blocked: new Map(), allowed: new Map() };
}

/** Does what the change says. */
export function put(rules: Rules, change: SiteChange): void {
  const { rule, isOn } = ruleOf(change.event);
  if (isOn) rules[rule].set(change.card, change);
  else rules[rule].delete(change.card);
}

/** Whether this is a change as one was made here, now or long ago. */
export function isChange(value: unknown): value is SiteChange {
  if (typeof value !== "object" || value === null) return false;
  const { event, card, until, untilMs, why, who, at, atTrusted } = value as Record<string, unknown>;
  const isTextOrNull = (field: unknown): boolean => field === null || typeof field === "string";
  const { by, name } = (who ?? {}) as Record<string, unknown>;
  return (
    typeof event === "string" &&
    Object.hasOwn(EVENTS, event) &&
    typeof card === "string" &&
    isCanonical(card) &&
    isTextOrNull(until) &&
    (untilMs === null || Number.isSafeInteger(untilMs)) &&
    isTextOrNull(why) &&
    (by === "command" || by === "console" || by === "mqtt") &&
    typeof name === "string" &&
    typeof at === "string" &&
    typeof atTrusted === "boolean"
  );
}
