import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AccessPointState,
  grant,
  IDLE_ACCESS_POINT,
  present,
  pulseEnded,
  settle,
} from "../../daemon/gate/access-point.ts";

const A = "BB-1234-567890";
const B = "BB-1234-567891";

/** What is presented, in turn: whether each was taken for the same tap as before. */
function repeats(repeatMs: number, sights: readonly (readonly [string, number])[]): boolean[] {
  let state = IDLE_ACCESS_POINT;
  return sights.map(([credential, atMs]) => {
    const seen = present(state, credential, atMs, repeatMs);
    state = seen.state;
    return seen.repeated;
  });
}

describe("the same credential again", () => {
  test.each([
    [
      "within the time is the same tap",
      2_000,
      [
        [A, 0],
        [A, 1_999],
      ],
      [false, true],
    ],
    [
      "after the time is another",
      2_000,
      [
        [A, 0],
        [A, 2_000],
      ],
      [false, false],
    ],
    [
      "left on the reader stays one tap",
      2_000,
      [
        [A, 0],
        [A, 1_500],
        [A, 3_000],
        [A, 4_500],
      ],
      [false, true, true, true],
    ],
    [
      "is told from another's between",
      2_000,
      [
        [A, 0],
        [B, 100],
        [A, 200],
        [B, 300],
      ],
      [false, false, true, true],
    ],
    [
      "is another tap where repeats are off",
      0,
      [
        [A, 0],
        [A, 0],
        [A, 1],
      ],
      [false, false, false],
    ],
    [
      "seen out of order by two readers is the same tap",
      2_000,
      [
        [A, 1_000],
        [A, 900],
      ],
      [false, true],
    ],
  ] as const)("%s", (_name, repeatMs, sights, repeated) => {
    expect(repeats(repeatMs, sights)).toEqual(repeated);
  });

  test("is as a memory without bounds would say, while a handful are about", () => {
    const sight = fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.nat(3_000));
    fc.assert(
      fc.property(
        fc.array(sight, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4_000 }),
        (steps, repeatMs) => {
          let nowMs = 0;
          const sights = steps.map(([credential, passedMs]) => {
            nowMs += passedMs;
            return [credential, nowMs] as const;
          });
          const lastSeen = new Map<string, number>();
          const expected = sights.map(([credential, atMs]) => {
            const before = lastSeen.get(credential);
            lastSeen.set(credential, atMs);
            return before !== undefined && atMs - before < repeatMs;
          });
          expect(repeats(repeatMs, sights)).toEqual(expected);
        },
      ),
    );
  });

  test("is remembered for no more than 64 credentials, the latest", () => {
    let state = IDLE_ACCESS_POINT;
    for (let count = 0; count < 10_000; count += 1)
      state = present(state, `card ${count}`, count / 100, 60_000).state;
    expect(state.recent.length).toBe(64);
    expect(present(state, "card 9936", 100, 60_000).repeated).toBe(true);
    expect(present(state, "card 9935", 100, 60_000).repeated).toBe(false);
  });
});

// ---------------------------------------------------------------- who may pulse

type Step =
  | { do: "grant" }
  | { do: "settle"; which: number; mayOpen: boolean }
  | { do: "end" }
  | { do: "present"; which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constant({ do: "grant" } as const),
  fc.record({ do: fc.constant("settle" as const), which: fc.nat(), mayOpen: fc.boolean() }),
  fc.constant({ do: "end" } as const),
  fc.record({ do: fc.constant("present" as const), which: fc.nat(3) }),
);

/** One walk of the machine beside what a person at the turnstile would note down. */
class Walk {
  state: AccessPointState = IDLE_ACCESS_POINT;
  /** Granted and not settled, in the order of their grants. */
  readonly unsettled: number[] = [];
  readonly pulsed: number[] = [];
  /** The pulse that is running. */
  running: number | null = null;
  #nextTicket = 1;
  #nowMs = 0;

  take(next: Step): void {
    switch (next.do) {
      case "grant":
        return this.grant();
      case "settle":
        if (this.unsettled.length > 0) this.settle(next.which % this.unsettled.length, next.mayOpen);
        return;
      case "end":
        this.state = pulseEnded(this.state);
        this.running = null;
        return;
      case "present":
        this.#nowMs += 1;
        this.state = present(this.state, `card ${next.which}`, this.#nowMs, 2_000).state;
    }
  }

  grant(): void {
    const ticket = this.#nextTicket;
    this.#nextTicket += 1;
    const isFree = this.running === null && this.contenders.length === 0;
    const { state, riding } = grant(this.state, ticket);
    expect(riding).toBe(!isFree);
    this.state = state;
    this.unsettled.push(ticket);
  }

  settle(index: number, mayOpen: boolean): void {
    const [ticket = 0] = this.unsettled.splice(index, 1);
    const contends = this.contenders.includes(ticket);
    const { state, start } = settle(this.state, ticket, mayOpen);
    this.state = state;
    // One that may open, with nothing running and none that ran since its grant, opens; no other does.
    expect(start).toBe(mayOpen && contends && this.running === null);
    if (!start) return;
    expect(this.pulsed).not.toContain(ticket);
    this.pulsed.push(ticket);
    this.running = ticket;
  }

  get contenders(): readonly number[] {
    return this.state.pulse.kind === "waiting" ? this.state.pulse.tickets : [];
  }

  check(): void {
    const { pulse } = this.state;
    expect(pulse.kind === "running" ? pulse.ticket : null).toBe(this.running);
    // Who waits is waiting for the disk; nobody is left behind.
    for (const ticket of this.contenders) expect(this.unsettled).toContain(ticket);
    expect(new Set(this.contenders).size).toBe(this.contenders.length);
  }
}

describe("the pulse", () => {
  test("whatever comes in whatever order, there is one at a time, and one a grant at most", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const walk = new Walk();
        for (const next of steps) {
          walk.take(next);
          walk.check();
        }
        // The world comes to rest: every line is settled, every pulse ends.
        while (walk.unsettled.length > 0) walk.settle(0, false);
        walk.take({ do: "end" });
        expect(walk.state.pulse).toEqual({ kind: "idle" });
      }),
      { numRuns: 1_000 },
    );
  });

  test("of grants that came together, the first whose line may open has it, and exactly one has", () => {
    const settlements = fc.array(fc.record({ order: fc.nat(), mayOpen: fc.boolean() }), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(settlements, (grants) => {
        let state = IDLE_ACCESS_POINT;
        for (const ticket of grants.keys()) state = grant(state, ticket).state;
        const order = [...grants.entries()].sort(([, a], [, b]) => a.order - b.order);
        const started: number[] = [];
        for (const [ticket, { mayOpen }] of order) {
          const settled = settle(state, ticket, mayOpen);
          state = settled.state;
          if (settled.start) started.push(ticket);
        }
        const first = order.find(([, { mayOpen }]) => mayOpen)?.[0];
        expect(started).toEqual(first === undefined ? [] : [first]);
        expect(state.pulse).toEqual(
          first === undefined ? { kind: "idle" } : { kind: "running", ticket: first },
        );
      }),
    );
  });

  test("is not had again by a grant that rode along and was settled after its end", () => {
    let { state } = grant(IDLE_ACCESS_POINT, 1);
    state = grant(state, 2).state;
    state = settle(state, 1, true).state;
    state = pulseEnded(state);
    expect(settle(state, 2, true)).toEqual({ state, start: false });
    // Nor does it take the turn of who came later.
    const later = grant(state, 3).state;
    expect(settle(later, 2, true)).toEqual({ state: later, start: false });
  });

  test("ends but once, and only when it runs", () => {
    expect(pulseEnded(IDLE_ACCESS_POINT)).toBe(IDLE_ACCESS_POINT);
    const { state } = grant(IDLE_ACCESS_POINT, 1);
    expect(pulseEnded(state)).toBe(state);
  });
});
