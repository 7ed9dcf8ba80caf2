/** The site's own list in a storm: changes through the house, and what may be decided after their answers. */
import type { Decision } from "../../daemon/gate/decide.ts";
import type { House } from "../../daemon/house.ts";

/** From its answer on a change is what holds; before it, and after a crash before it, either may be. */
type Standing = "blocked" | "free" | "either";

export class SiteChanges {
  readonly #standing = new Map<string, Standing>();
  /** Cards whose change has no answer yet. */
  #asked = new Set<string>();
  #life = 0;
  /** The first thing that was decided against an answer. */
  fault: string | null = null;

  /** Blocks a card or takes its block back, one change a card at a time. */
  change(
    house: House,
    card: string,
    event: "site-blocked" | "site-unblocked",
    note: (line: string) => void,
  ): void {
    if (this.#asked.has(card)) return;
    const life = this.#life;
    const before = this.#standing.get(card) ?? "free";
    this.#asked.add(card);
    this.#standing.set(card, "either");
    const who = { by: "command", name: "anna" } as const;
    house.changeSiteList({ event, card, until: null, why: null, who }).then((answer) => {
      if (life !== this.#life) return;
      note(`${event} ${card}: ${answer.kind}`);
      this.#asked.delete(card);
      const after = event === "site-blocked" ? "blocked" : "free";
      this.#standing.set(card, answer.kind === "done" ? after : before);
    });
  }

  /** A life is over: what it had not answered may have been done. */
  lifeEnded(): void {
    this.#life += 1;
    this.#asked = new Set();
  }

  /** Held against what was answered: a block comes before whatever else the list says of a card. */
  decided({ card, granted, reason }: Decision): void {
    const standing = card === null ? "either" : (this.#standing.get(card) ?? "free");
    if (standing === "blocked" && granted) this.fault ??= `${card} is blocked by the site, and was granted`;
    if (standing === "free" && reason === "site-blocked")
      this.fault ??= `${card} is not blocked by the site, and was refused for it`;
  }
}
