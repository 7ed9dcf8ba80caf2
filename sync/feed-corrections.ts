/**
 * Corrections: the only way back for a card that was terminated or superseded by mistake. They stand in the root, as a
 * signed field of ours that other TUF tools keep and ignore, so that nothing less than the root's threshold makes one:
 *
 *     "x-grindvakt-corrections": [{ "number": "BB-1234-567890", "from": "terminated", "revision": 17 }]
 *
 * says: what was known of this card's end before revision 17 is forgotten at revision 17. It brings nothing back by
 * itself; the list of that revision may. An end that is said at 17 or later holds as ever, so no correction serves twice.
 */
import type { Root, Targets } from "@tufjs/models";
import { isCanonical, isFinal, packNumber, STATUSES, type Status } from "./card.ts";

/** `from`: the end that was wrong. */
export interface Correction {
  number: string;
  from: Status;
  revision: number;
}

const FIELD = "x-grindvakt-corrections";

/** In the lists' metadata: the root without which they are not to be taken, because it corrects something they say. */
const ROOT_FIELD = "x-grindvakt-root";

/** Some 40 KB of a root. The oldest go first: by then every gateway has been through their revision. */
export const CORRECTIONS_MAX = 500;

/** The corrections of a root, oldest first. Throws for what are none. */
export function readCorrections(root: Root): Correction[] {
  const entries: unknown = root.unrecognizedFields[FIELD] ?? [];
  if (!Array.isArray(entries) || entries.length > CORRECTIONS_MAX) {
    throw new Error(`${FIELD} is no list of at most ${CORRECTIONS_MAX}`);
  }
  return entries.map(({ number, from, revision }) => {
    const isOne =
      typeof number === "string" &&
      isCanonical(number) &&
      STATUSES.includes(from) &&
      isFinal(from) &&
      Number.isSafeInteger(revision) &&
      revision >= 1;
    if (!isOne) throw new Error(`an entry of ${FIELD} is not {number, from, revision}`);
    return { number, from, revision };
  });
}

/** Makes a root say one correction more. */
export function addCorrection(words: Record<string, unknown>, correction: Correction): void {
  const before = (words[FIELD] ?? []) as Correction[];
  words[FIELD] = [...before, correction].slice(-CORRECTIONS_MAX);
}

/** What a list's metadata must say so that no gateway takes it before it has this root's corrections. */
export function rootNeed(root: Root): Record<string, unknown> {
  return readCorrections(root).length === 0 ? {} : { [ROOT_FIELD]: root.version };
}

/** The version of the root that these lists need; 0: any. */
export function neededRoot(targets: Targets): number {
  const version: unknown = targets.unrecognizedFields[ROOT_FIELD];
  return Number.isSafeInteger(version) ? (version as number) : 0;
}

/**
 * The cards, by packed number, whose end is forgotten on the way from revision `before` to `after`, and which ends these are (places
 * in `STATUSES`): a card may have been corrected twice. An index that goes from the one to the other applies them before the
 * one-way rule.
 */
export function forgottenBetween(
  corrections: readonly Correction[],
  before: number,
  after: number,
): Map<number, ReadonlySet<number>> {
  const forgotten = new Map<number, Set<number>>();
  for (const { number, from, revision } of corrections) {
    if (revision <= before || revision > after) continue;
    const packed = packNumber(number);
    const ends = forgotten.get(packed) ?? new Set();
    forgotten.set(packed, ends.add(STATUSES.indexOf(from)));
  }
  return forgotten;
}
