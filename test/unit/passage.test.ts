import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  awaitPassage,
  giveUp,
  NO_PASSAGE,
  opened,
  type PassageState,
  passed,
  stayedShut,
} from "../../daemon/gate/passage.ts";

const WAIT_MS = 5_000;
const awaiting = (state: PassageState, ticket: number, ownPulse = true) =>
  awaitPassage(state, ticket, ownPulse).state;

describe("a passage", () => {
  test("answers the opening it belongs to, once", () => {
    const open = opened(awaiting(NO_PASSAGE, 1), WAIT_MS);
    const first = passed(open, 100);
    expect(first.ticket).toBe(1);
    expect(passed(first.state, 200).ticket).toBeNull();
  });

  test("up to the last moment, and not after it", () => {
    const open = opened(awaiting(NO_PASSAGE, 1), WAIT_MS);
    expect(passed(open, WAIT_MS).ticket).toBe(1);
    expect(passed(open, WAIT_MS + 1).ticket).toBeNull();
    expect(giveUp(open, WAIT_MS).missed).toEqual([]);
    expect(giveUp(open, WAIT_MS + 1)).toEqual({ state: { awaited: [], untilMs: WAIT_MS }, missed: [1] });
  });

  test("may be quicker than the relay's own answer", () => {
    expect(passed(awaiting(NO_PASSAGE, 1), 50).ticket).toBe(1);
  });

  test("without an opening answers none", () => {
    expect(passed(NO_PASSAGE, 0).ticket).toBeNull();
  });
});

describe("openings that ride along in a pulse", () => {
  test("are answered in turn, and awaited no longer than the first", () => {
    const open = opened(awaiting(awaiting(NO_PASSAGE, 1), 2, false), WAIT_MS);
    const riding = awaiting(open, 3, false);
    const tickets = [100, 200, 300].reduce<{ state: PassageState; tickets: unknown[] }>(
      ({ state, tickets }, atMs) => {
        const answer = passed(state, atMs);
        return { state: answer.state, tickets: [...tickets, answer.ticket] };
      },
      { state: riding, tickets: [] },
    );
    expect(tickets.tickets).toEqual([1, 2, 3]);
    expect(giveUp(riding, WAIT_MS + 1).missed).toEqual([1, 2, 3]);
  });

  test("whose line comes when the time is over are missed at once", () => {
    const over = giveUp(opened(awaiting(NO_PASSAGE, 1), WAIT_MS), WAIT_MS + 1).state;
    expect(giveUp(awaiting(over, 2, false), WAIT_MS + 2).missed).toEqual([2]);
  });

  test("are missed when the relay did not move", () => {
    const { state, missed } = stayedShut(awaiting(awaiting(NO_PASSAGE, 1), 2, false));
    expect(missed).toEqual([1, 2]);
    expect(state.awaited).toEqual([]);
  });
});

test("however many are granted, as many are answered as contacts closed, and none twice", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("grant" as const), own: fc.boolean() }),
    fc.constantFrom({ kind: "open" as const }, { kind: "shut" as const }, { kind: "pass" as const }),
    fc.record({ kind: fc.constant("time" as const), ms: fc.nat({ max: 8_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let state = NO_PASSAGE;
      let nowMs = 0;
      let granted = 0;
      const ended: number[] = [];
      const missed = (outcome: { state: PassageState; missed: readonly number[] }) => {
        state = outcome.state;
        ended.push(...outcome.missed);
      };
      for (const event of steps) {
        switch (event.kind) {
          case "grant":
            granted += 1;
            missed(awaitPassage(state, granted, event.own));
            break;
          case "open":
            state = opened(state, nowMs + WAIT_MS);
            break;
          case "shut":
            missed(stayedShut(state));
            break;
          case "pass": {
            const answer = passed(state, nowMs);
            state = answer.state;
            if (answer.ticket !== null) ended.push(answer.ticket);
            break;
          }
          case "time":
            nowMs += event.ms;
            missed(giveUp(state, nowMs));
        }
        expect(state.awaited.length).toBeLessThanOrEqual(64);
      }
      const left = state.awaited.map(({ ticket }) => ticket);
      expect([...ended, ...left].sort((a, b) => a - b)).toEqual(
        Array.from({ length: granted }, (_, i) => i + 1),
      );
    }),
    { numRuns: 2_000 },
  );
});
