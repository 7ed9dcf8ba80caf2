/** The power goes in every single disk call of a gate that writes everything it ever writes, all rooms at once. */
import { describe, expect, test } from "vitest";
import type { CrashPolicy } from "./disk-nodes.ts";
import { SimGate } from "./gate.ts";
import { named } from "./named.ts";
import { CARDS, type Room } from "./site.ts";

const POLICIES: readonly CrashPolicy[] = ["torn", "lose", "keep"];
/** More than any scenario makes. */
const IOS_MAX = 1_000;

interface Scenario {
  name: string;
  /** From `cut` on the power may go. */
  act(gate: SimGate, cut: () => void): Promise<void>;
  /** Fewer cuts than these would mean that it does not do what it says. */
  cutsMin: Record<Room, number>;
}

/** Taps, a site's block, a command, a delta and a whole list, with time for each to be in force and for the cursor to be written. */
async function work(gate: SimGate): Promise<void> {
  const [first, second] = [CARDS[0]!.number, CARDS[1]!.number];
  for (const how of ["delta", "whole"] as const) {
    await gate.listChange(how === "delta" ? first : second, "blocked", how);
    gate.siteChange(second, how === "delta" ? "site-blocked" : "site-unblocked");
    gate.commander.open("side", true);
    for (let tap = 0; tap < 3; tap += 1) {
      gate.tap("in-1", CARDS[2 + tap]!.number);
      gate.tap("out-1", tap === 1 ? first : second);
      await gate.world.advance(400);
      gate.check();
    }
  }
  await gate.world.advance(1_200);
}

/** Life goes on: the same cards and commands come again, and at the end nothing is missing. */
async function goOn(gate: SimGate): Promise<void> {
  if (gate.world.machine === null) gate.boot();
  gate.world.disk.cutAt(Number.POSITIVE_INFINITY);
  await gate.world.advance(1_000);
  gate.commander.again();
  for (const { number } of CARDS.slice(0, 5)) gate.tap("out-1", number);
  await gate.world.advance(3_000);
  await gate.stop();
  await gate.checkWhole();
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "working",
    act: async (gate, cut) => {
      cut();
      await work(gate);
    },
    cutsMin: { journal: 20, outbox: 8, "card list": 80, "site list": 70, commands: 20, other: 10 },
  },
  {
    name: "starting after a power cut in the midst of work",
    act: async (gate, cut) => {
      gate.powerCutAtIo(60, "torn");
      await work(gate);
      gate.boot();
      cut();
      await gate.world.advance(1_500);
    },
    cutsMin: { journal: 35, outbox: 7, "card list": 60, "site list": 4, commands: 1, other: 8 },
  },
  {
    name: "stopping",
    act: async (gate, cut) => {
      await work(gate);
      gate.tap("out-1", CARDS[2]!.number);
      await gate.world.advance(100);
      cut();
      await gate.stop();
    },
    cutsMin: { journal: 4, outbox: 4, "card list": 0, "site list": 0, commands: 0, other: 0 },
  },
];

describe("the power goes in every single disk call of", () => {
  test.each(SCENARIOS)("$name", async ({ name, act, cutsMin }) => {
    const cuts = new Map<Room, number>();
    const published = new Map();
    for (let io = 1, wasCut = true; wasCut; io += 1) {
      expect(io).toBeLessThan(IOS_MAX);
      const gate = new SimGate(1, undefined, { published });
      await named(`cut in disk call ${io}`, async () => {
        await gate.start();
        await gate.world.advance(2_000);
        await act(gate, () => {
          gate.cuts.clear();
          gate.powerCutAtIo(io, POLICIES[io % POLICIES.length]!);
        });
        wasCut = gate.world.machine === null;
        for (const [room, count] of gate.cuts) cuts.set(room, (cuts.get(room) ?? 0) + count);
        await goOn(gate);
      });
    }
    console.log(`${name}: power cuts ${JSON.stringify(Object.fromEntries(cuts))}`);
    for (const [room, least] of Object.entries(cutsMin))
      expect(cuts.get(room as Room) ?? 0, room).toBeGreaterThanOrEqual(least);
  });
});
