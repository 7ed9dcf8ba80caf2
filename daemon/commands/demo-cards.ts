/**
 * The demo's made-up cards: one for each thing that can be said of a card, and a crowd of others.
 */
import { unpackNumber } from "../../sync/card.ts";
import type { CardRow } from "../../sync/publish-csv.ts";
import type { Reason } from "../gate/reasons.ts";

const CARDS = 1_000;
const DAY_MS = 24 * 3_600_000;
/** The packed number of BB-2611-000001. */
const FIRST_NUMBER = 27 * 10_000_000_000 + 2_611_000_001;

/** Cards to try, with what the gate will say of them. */
export const SHOWCASE: readonly { card: string; reason: Reason }[] = (
  [
    "granted",
    "not-activated",
    "blocked",
    "suspended",
    "terminated",
    "superseded",
    "expired",
    "unknown",
  ] as const
).map((reason, index) => ({ card: unpackNumber(FIRST_NUMBER + index), reason }));

/** The list that says so, with active cards to fill it up. */
export function demoCards(nowMs: number): CardRow[] {
  const today = Math.floor(nowMs / DAY_MS);
  return Array.from({ length: CARDS }, (_, index) => index)
    .filter((index) => SHOWCASE[index]?.reason !== "unknown")
    .concat(CARDS)
    .map((index) => {
      const reason = SHOWCASE[index]?.reason ?? "granted";
      const isActive = reason === "granted" || reason === "expired";
      return {
        number: unpackNumber(FIRST_NUMBER + index),
        status: isActive ? "active" : (reason as CardRow["status"]),
        validUntilDay: reason === "expired" ? today - 30 : today + 365,
        tokens: [uidOf(index)],
      };
    });
}

/** A 7-byte UID of the range that begins 04, one for each card. */
function uidOf(index: number): string {
  return `04${(0x10_00_00 + index).toString(16).toUpperCase().padStart(12, "0")}`;
}
