/**
 * How many are on the site, kept up to date card by card: a status is asked for at any time, and of a large site nobody is to wait for
 * a walk over all of it.
 */

/** Judged anew in one look, in a fraction of a millisecond: of a site with more cards in a week hours pass some looks late. */
export const LOOKED_AT_MAX = 1_000;

export interface PresenceCount {
  /** Came in and have not left; those overdue apart. */
  onSite: number;
  overdue: number;
}

type Counted = keyof PresenceCount;

export class PresenceTally {
  readonly #counted = new Map<string, Counted>();
  readonly #count: PresenceCount = { onSite: 0, overdue: 0 };
  /** Of these something is known that is not counted yet. */
  readonly #changed = new Set<string>();
  #round: Iterator<string> | null = null;

  changed(card: string): void {
    this.#changed.add(card);
  }

  /** `cards`: all there are, from the first on. `judge`: as what one counts now, null: as nothing. */
  look(cards: () => Iterator<string>, judge: (card: string) => Counted | null): PresenceCount {
    let left = LOOKED_AT_MAX;
    for (const card of this.#changed) {
      if (left === 0) break;
      left -= 1;
      this.#changed.delete(card);
      this.#recount(card, judge(card));
    }
    // Time passes for the others, too: each in its turn, and at most once in one look.
    this.#round ??= cards();
    for (; left > 0; left -= 1) {
      const { value: card, done } = this.#round.next();
      if (done === true) {
        this.#round = null;
        break;
      }
      this.#recount(card, judge(card));
    }
    return { ...this.#count };
  }

  #recount(card: string, now: Counted | null): void {
    const before = this.#counted.get(card) ?? null;
    if (before === now) return;
    if (before !== null) this.#count[before] -= 1;
    if (now !== null) this.#count[now] += 1;
    if (now === null) this.#counted.delete(card);
    else this.#counted.set(card, now);
  }
}
