import { expect, test } from "vitest";
import { LOOKED_AT_MAX, PresenceTally } from "../../daemon/presence/presence-tally.ts";

type As = "onSite" | "overdue";

class Site {
  readonly as = new Map<string, As>();
  readonly tally = new PresenceTally();
  judged = 0;

  set(card: string, as: As | null): void {
    if (as === null) this.as.delete(card);
    else this.as.set(card, as);
    this.tally.changed(card);
  }

  look() {
    this.judged = 0;
    return this.tally.look(
      () => this.as.keys(),
      (card) => {
        this.judged += 1;
        return this.as.get(card) ?? null;
      },
    );
  }
}

test("a site is counted exactly, whatever changes between two looks", () => {
  const site = new Site();
  site.set("a", "onSite");
  site.set("b", "onSite");
  expect(site.look()).toEqual({ onSite: 2, overdue: 0 });
  site.set("a", null);
  site.set("a", "overdue");
  expect(site.look()).toEqual({ onSite: 1, overdue: 1 });
  // Nobody said so: time has passed.
  site.as.set("b", "overdue");
  expect(site.look()).toEqual({ onSite: 0, overdue: 2 });
  site.set("b", null);
  expect(site.look()).toEqual({ onSite: 0, overdue: 1 });
});

test("a look at a very large site is bounded, and before long it is counted, too", () => {
  const site = new Site();
  const people = 3 * LOOKED_AT_MAX + 1;
  for (let card = 0; card < people; card += 1) site.set(String(card), "onSite");
  for (let looks = 0; looks < 4; looks += 1) {
    site.look();
    expect(site.judged).toBeLessThanOrEqual(LOOKED_AT_MAX);
  }
  expect(site.look()).toEqual({ onSite: people, overdue: 0 });
  site.as.set(String(people - 1), "overdue");
  site.set("0", null);
  expect(site.look()).toMatchObject({ onSite: people - 2 + 1 });
  for (let looks = 0; looks < 5; looks += 1) site.look();
  expect(site.look()).toEqual({ onSite: people - 2, overdue: 1 });
});
