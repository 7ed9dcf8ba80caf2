/**
 * The decision (CONTRACT 4). Pure: the same question gives the same answer; no clock, no disk, no memory.
 */
import type { Reading } from "../../drivers/driver.ts";
import type { Card, CardIndex, Freshness } from "../../sync/card.ts";
import type { Direction, Whereabouts } from "../presence/presence.ts";
import { isOpen, type OpeningHours } from "../site/opening-hours.ts";
import type { SiteRules } from "../site/site-desk.ts";
import type { Reason } from "./reasons.ts";

/** What the site makes of the list, at every access point alike. */
export interface ListRules {
  admit: "listed" | "site-allowed";
  whenStale: "grant-listed" | "deny";
}

export interface DecisionRules extends ListRules {
  direction: Direction;
  hours: OpeningHours;
  passback: "off" | "report" | "deny";
}

/** What is known at the moment of the tap. */
export interface Circumstances {
  list: { index: CardIndex; freshness: Freshness } | null;
  site: SiteRules;
  /** Asked only for a card that the list knows. */
  whereabouts(card: string): Whereabouts;
  /** Today in the site's time zone, in days since 1970-01-01; of the trusted floor while the clock is not trusted. */
  day: number;
  /** Minutes since Monday 00:00 in the site's time zone; null while the clock is not trusted, and then hours do not refuse. */
  minuteOfWeek: number | null;
}

export interface Decision {
  granted: boolean;
  reason: Reason;
  /** Canonical number, where the credential led to one. */
  card: string | null;
  /** The card went the same way twice: refused, or only reported. */
  passbackViolated: boolean;
}

export function decide(reading: Reading, rules: DecisionRules, now: Circumstances): Decision {
  if (reading.kind === "misread") return refuse(reading.reason, null);
  const { credential } = reading;
  const presented = credential.kind === "number" ? credential.number : null;
  if (now.list === null) return refuse("list-missing", presented);
  const answer =
    credential.kind === "number"
      ? now.list.index.byNumber(credential.number)
      : now.list.index.byToken(credential.uid, credential.part);
  // For a reader that is new to the site the list is not there yet.
  if (answer.kind === "unready") return refuse("list-missing", presented);
  if (answer.kind !== "card") return refuse(answer.kind, presented);
  const { card } = answer;
  const refusal = refusalOfCard(card, rules, now, now.list.freshness);
  if (refusal !== null) return refuse(refusal, card.number);
  const passbackViolated = rules.passback !== "off" && goesTheSameWayTwice(card, rules, now);
  if (passbackViolated && rules.passback === "deny") {
    return { granted: false, reason: "passback", card: card.number, passbackViolated };
  }
  return { granted: true, reason: "granted", card: card.number, passbackViolated };
}

function refusalOfCard(
  card: Card,
  rules: DecisionRules,
  now: Circumstances,
  freshness: Freshness,
): Reason | null {
  if (now.site.isBlocked(card.number)) return "site-blocked";
  if (card.status !== "active") return card.status;
  if (card.validUntilDay !== null && card.validUntilDay < now.day) return "expired";
  if (rules.admit === "site-allowed" && !now.site.isAllowed(card.number)) return "not-allowed-here";
  if (freshness === "stale" && rules.whenStale === "deny") return "list-stale";
  if (now.minuteOfWeek !== null && !isOpen(rules.hours, now.minuteOfWeek)) return "outside-hours";
  return null;
}

function goesTheSameWayTwice(card: Card, rules: DecisionRules, now: Circumstances): boolean {
  const whereabouts = now.whereabouts(card.number);
  return rules.direction === "entry" ? whereabouts === "inside" : whereabouts === "outside";
}

function refuse(reason: Reason, card: string | null): Decision {
  return { granted: false, reason, card, passbackViolated: false };
}
