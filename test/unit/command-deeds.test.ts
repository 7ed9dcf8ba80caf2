import { describe, expect, test } from "vitest";
import type { LookupAnswer } from "../../daemon/answers/lookup.ts";
import type { Command } from "../../daemon/broker/command.ts";
import type { Settlement } from "../../daemon/journal/journal.ts";
import { CommandDeeds, type DeedRooms } from "../../daemon/remote/command-deeds.ts";
import type { Outcome } from "../../daemon/remote/command-desk.ts";
import { candidatesOf } from "../../drivers/candidates.ts";
import type { Observer } from "../../drivers/driver.ts";
import { SimClock } from "../sim/clock.ts";
import { openGate } from "./gateway-bench.ts";

const UID = "04A1B2C3D4E5F6";
const STAMP = { monotonicMs: 1, wallMs: 1, trusted: true };
const LIST = { revision: 7, cards: 1, publishedAt: null, refreshedAt: null, freshness: "fresh" } as const;

/** Deeds over rooms of a line each, which the test changes. */
function bench(more: Partial<DeedRooms> = {}) {
  const clock = new SimClock();
  const watchers = new Set<Observer>();
  const lookup: DeedRooms["desk"]["lookup"] = () =>
    ({ card: null, status: null, reason: "unknown" }) as LookupAnswer;
  const deeds = new CommandDeeds({
    clock,
    turnstileOf: () => null,
    refresh: async () => undefined,
    list: () => LIST,
    changeSiteList: async () => ({
      kind: "refused",
      code: "not-kept",
      why: "the list is full",
      isUsage: false,
    }),
    resend: async () => ({ sent: 3, why: null }),
    hasReader: (reader) => reader === "in-1",
    watch: (_reader, observer) => {
      watchers.add(observer);
      return () => watchers.delete(observer);
    },
    desk: { search: () => null, lookup },
    candidatesOf: (sight) => candidatesOf(sight, ["BB"]),
    hashToken: (uid) => Buffer.from(`keyed ${uid}`).toString("hex").slice(0, 32),
    ...more,
  });
  const outcomes: (Outcome | string)[] = [];
  const carryOut = (name: Command["name"], asked: object, settlement: Settlement = SYNCED): void => {
    const command = { name, id: "c-1", expiresMs: 1, who: null, why: null, asked } as Command;
    const { fault, carryOut: act } = deeds.of(command);
    if (fault !== null) outcomes.push(fault);
    else
      act(async () => settlement).then(
        (outcome) => outcomes.push(outcome),
        (error: Error) => outcomes.push(error.message),
      );
  };
  return { clock, watchers, deeds, outcomes, carryOut };
}

const SYNCED: Settlement = { kind: "synced", id: "gate-07/1" };
const IDENTIFY = { reader: "in-1", seconds: 5 };

describe("identify", () => {
  test("answers with the next tap, tokens by their hashes, and looks no further", async () => {
    const { clock, watchers, outcomes, carryOut } = bench();
    carryOut("identify", IDENTIFY);
    await clock.advance(100);
    for (const watcher of watchers) {
      watcher({ kind: "bytes", direction: "in", bytes: Buffer.from(UID) }, STAMP);
      watcher({ kind: "text", text: UID }, STAMP);
      watcher({ kind: "text", text: "04FFFFFFFFFFFF" }, STAMP);
    }
    await clock.advance(100);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({ kind: "done", facts: { reader: "in-1" } });
    const said = JSON.stringify(outcomes).toUpperCase();
    for (const part of [UID, "F6E5D4C3B2A104", UID.slice(0, 8), UID.slice(-8)])
      expect(said).not.toContain(part);
    expect(said).toContain('"SHOWS":"HASH:');
    expect(watchers.size).toBe(0);
    await clock.runUntilIdle(0);
  });

  test("says that nobody tapped, that another is under way, or that the gateway stops", async () => {
    const { clock, watchers, deeds, outcomes, carryOut } = bench();
    carryOut("identify", IDENTIFY);
    await clock.advance(100);
    carryOut("identify", IDENTIFY);
    carryOut("identify", { ...IDENTIFY, reader: "nowhere" });
    await clock.advance(100);
    expect(outcomes).toEqual(["there is no reader nowhere", "another identify is under way"]);
    await clock.advance(5_000);
    expect(outcomes[2]).toMatchObject({ reason: "failed", why: "nobody tapped within 5 s" });
    carryOut("identify", IDENTIFY);
    await clock.advance(100);
    deeds.stop();
    await clock.advance(100);
    expect(outcomes[3]).toMatchObject({ reason: "failed", why: "the gateway stops" });
    expect(watchers.size).toBe(0);
  });

  test("of a reader that cannot be watched fails with its words, and the next may", async () => {
    const { clock, outcomes, carryOut } = bench({
      watch: () => {
        throw new Error("in-1 has a driver that cannot be watched");
      },
    });
    for (let time = 0; time < 2; time += 1) {
      carryOut("identify", IDENTIFY);
      await clock.advance(10_000);
    }
    expect(outcomes).toEqual(Array(2).fill("in-1 has a driver that cannot be watched"));
  });
});

describe("what is not on the disk is not done", () => {
  test.each([
    ["refresh", {}],
    ["identify", IDENTIFY],
    ["site-block", { card: "BB-1234-567890" }],
    ["site-unblock", { card: "BB-1234-567890" }],
    ["resend", { from: 1, to: 2 }],
  ] as const)("%s", async (name, asked) => {
    const { clock, watchers, outcomes, carryOut } = bench({
      refresh: () => Promise.reject(new Error("done")),
      changeSiteList: () => Promise.reject(new Error("done")),
      resend: () => Promise.reject(new Error("done")),
    });
    carryOut(name, asked, { kind: "failed", id: null });
    await clock.advance(100);
    expect(outcomes).toMatchObject([{ kind: "refused", reason: "not-written" }]);
    expect(watchers.size).toBe(0);
  });
});

test("a relay that is known to be down is told of, and not asked", async () => {
  const gate = openGate();
  const { clock, outcomes, carryOut } = bench({ turnstileOf: (id) => gate.gateway.turnstileOf(id) });
  gate.gateway.relayEvents("north-in").down("unplugged");
  carryOut("open", { accessPoint: "north-in" });
  carryOut("open", { accessPoint: "nowhere" });
  gate.gateway.relayEvents("north-in").up({});
  carryOut("open", { accessPoint: "north-in" });
  await clock.advance(100);
  await gate.settle();
  expect(outcomes).toEqual([
    "its relay is down: unplugged",
    "there is no access point nowhere with a relay",
    { kind: "done", facts: { pulse: "started" } },
  ]);
});

test("what was done and what was not is said", async () => {
  const { clock, outcomes, carryOut } = bench();
  carryOut("refresh", {});
  carryOut("site-block", { card: "BB-1234-567890" });
  carryOut("resend", { from: 1, to: 3 });
  await clock.advance(100);
  expect(outcomes).toEqual([
    { kind: "done", facts: { list: { revision: 7, refreshedAt: null, freshness: "fresh" } } },
    { kind: "refused", reason: "failed", why: "the list is full" },
    { kind: "done", facts: { from: 1, to: 3, sent: 3 } },
  ]);
});
