/**
 * A card's standing: its status and its last valid day in one 32-bit word, and the one-way rule on such words.
 * Beside the places in `STATUSES` one code stands for a card that is no longer on the list: it hides what an older
 * layer says of it, and remembers its final status, so that taking a card off is no way around the rule.
 */
import { isFinal, mayBecome, STATUSES } from "./card.ts";

const GONE = STATUSES.length;
/** In the place of a final status: there was none. */
const NOTHING_REMEMBERED = -1;

/** `status`: a place in `STATUSES`; `day`: days since 1970-01-01, or -1 for no end. */
export function packStanding(status: number, day: number): number {
  return (day + 1) * 8 + status;
}

/** A place in `STATUSES`, or one beyond them for a card that is no longer on the list. */
export function statusCodeOf(standing: number): number {
  return standing & 7;
}

export function dayOf(standing: number): number {
  return (standing >>> 3) - 1;
}

/** Whether a card that stands so is on the list. */
export function isListed(standing: number): boolean {
  return statusCodeOf(standing) < GONE;
}

/** What is kept of a card that leaves the list. `standing`: how it stood before, or -1. */
export function goneStanding(standing: number): number {
  const status = standing < 0 ? NOTHING_REMEMBERED : finalStatusOf(standing);
  return packStanding(GONE, status);
}

/** Whether the card must be kept in mind even where nothing of it is on the list. */
export function isFinalStanding(standing: number): boolean {
  return finalStatusOf(standing) !== NOTHING_REMEMBERED;
}

/**
 * What holds of a card that stood `before` (-1: not at all) when a list says `after`, which may be `goneStanding`. Where the
 * list may not say so it is ignored, and the card stands as it last stood, listed again if it was gone.
 */
export function settleStanding(before: number, after: number): { standing: number; ignored: boolean } {
  if (!isListed(after)) return { standing: goneStanding(before), ignored: false };
  const final = before < 0 ? NOTHING_REMEMBERED : finalStatusOf(before);
  if (final === NOTHING_REMEMBERED || mayBecome(STATUSES[final]!, STATUSES[statusCodeOf(after)]!)) {
    return { standing: after, ignored: false };
  }
  return { standing: isListed(before) ? before : packStanding(final, -1), ignored: true };
}

/** The final status of a card that has or had one, a place in `STATUSES`; else `NOTHING_REMEMBERED`. */
export function finalStatusOf(standing: number): number {
  const status = statusCodeOf(standing);
  if (status === GONE) return dayOf(standing);
  return isFinal(STATUSES[status]!) ? status : NOTHING_REMEMBERED;
}
