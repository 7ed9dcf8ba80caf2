/**
 * What the list says of a credential, and what the person who carries it should do.
 */
import type { Reading } from "../../drivers/driver.ts";
import type { RevisionSpan } from "../../sync/card.ts";
import type { ListAge, ListInForce } from "../../sync/sync.ts";
import { decide, type ListRules } from "../gate/decide.ts";
import { type Reason, TEXTS } from "../gate/reasons.ts";
import { type ListStatus, listStatus } from "../report/status.ts";
import type { SiteRules, SiteStanding } from "../site/site-desk.ts";
import type { SiteTime } from "../site/site-time.ts";

export interface LookupAnswer {
  /** The card number, where the credential led to one. */
  card: string | null;
  /** What the list says; null where it does not know the card. */
  status: string | null;
  /** `YYYY-MM-DD`, inclusive; null: no end, or not known. */
  validUntil: string | null;
  /** Since which revision the list says so; null where it does not know the card. */
  since: RevisionSpan | null;
  /** What a gate that is open at all hours would decide now. */
  granted: boolean;
  reason: Reason;
  texts: { sv: string; en: string };
  list: ListStatus;
  /** What the site's own list says; left out where there is no number, and for who may not read it. */
  site?: SiteStanding;
}

export interface LookupCircumstances extends ListRules {
  list: ListInForce | null;
  age: ListAge;
  site: SiteRules & { standing(card: string): SiteStanding };
  siteTime: SiteTime;
  /** The floor, while the clock is not trusted. */
  nowMs: number;
}

/** Where one asks what the list says. */
export interface LookupDesk {
  /** What must be done before a reading is looked up, a step a turn of the loop; null: nothing. */
  search(reading: Reading): Iterator<void, void> | null;
  lookup(reading: Reading): LookupAnswer;
}

const DAY_MS = 24 * 3_600_000;

export function searchFor(reading: Reading, list: ListInForce | null): Iterator<void, void> | null {
  if (reading.kind !== "credential" || reading.credential.kind !== "token") return null;
  const { uid, part } = reading.credential;
  return list?.index.search(uid, part) ?? null;
}

export function lookup(reading: Reading, now: LookupCircumstances): LookupAnswer {
  const rules = {
    direction: "entry",
    admit: now.admit,
    whenStale: now.whenStale,
    hours: [],
    passback: "off",
  } as const;
  const { granted, reason, card } = decide(reading, rules, {
    list: now.list === null ? null : { index: now.list.index, freshness: now.age.freshness },
    site: now.site,
    whereabouts: () => "unknown",
    day: now.siteTime.dayOf(now.nowMs),
    minuteOfWeek: null,
  });
  const listed = card === null ? undefined : now.list?.index.byNumber(card);
  const known = listed?.kind === "card" ? listed.card : null;
  const day = known?.validUntilDay ?? null;
  return {
    card,
    status: known?.status ?? null,
    since: known === null ? null : (now.list?.index.sinceOf(known.number) ?? null),
    validUntil: day === null ? null : new Date(day * DAY_MS).toISOString().slice(0, 10),
    granted,
    reason,
    texts: { ...TEXTS[reason] },
    list: listStatus(now.list, now.age),
    ...(card === null ? {} : { site: now.site.standing(card) }),
  };
}
