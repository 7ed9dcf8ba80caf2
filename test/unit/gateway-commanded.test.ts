import { describe, expect, test } from "vitest";
import type { Settlement } from "../../daemon/journal/journal.ts";
import { type GatewayBench, openGate } from "./gateway-bench.ts";

/** Asks to open, as a command does; `settle` says what became of its line. */
function command(bench: GatewayBench, id: string, accessPoint = "north-in") {
  let settle: (settlement: Settlement) => void = () => undefined;
  const written: object[] = [];
  const outcome = bench.gateway.turnstileOf(accessPoint)?.commanded(id, (facts) => {
    written.push(facts);
    return new Promise((resolve) => {
      settle = resolve;
    });
  });
  return { outcome, written, settle: (settlement: Settlement) => settle(settlement) };
}

const SYNCED: Settlement = { kind: "synced", id: "gate-07/9" };

describe("a command to open", () => {
  test("pulses once its line is on disk, and its passage names it", async () => {
    const bench = openGate();
    const asked = command(bench, "c-1");
    await bench.settle();
    expect([asked.written, bench.pulses]).toEqual([[{}], []]);
    asked.settle(SYNCED);
    expect(await asked.outcome).toBe("started");
    expect(bench.pulses).toEqual([{ accessPoint: "north-in", durationMs: 800 }]);
    const relay = bench.gateway.relayEvents("north-in");
    relay.energised();
    relay.released();
    await bench.settle();
    expect(bench.dataOf("passage")).toMatchObject([{ event: "opened", command: "c-1", direction: "entry" }]);
    expect([bench.dataOf("tap"), bench.taps]).toEqual([[], []]);
  });

  test.each<Settlement>([
    { kind: "failed", id: null },
    { kind: "late", id: new Promise(() => undefined) },
  ])(
    "opens nothing when its line is $kind, also where the gate opens without a journal",
    async (settlement) => {
      const bench = openGate({ accessPoints: [{ id: "north-in", whenJournalFails: "grant" }] });
      const asked = command(bench, "c-1");
      asked.settle(settlement);
      expect(await asked.outcome).toBe("withheld");
      await bench.settle();
      expect(bench.pulses).toEqual([]);
      expect(bench.dataOf("passage")).toMatchObject([
        { event: "withheld", command: "c-1", why: expect.stringContaining("a command opens nothing then") },
      ]);
    },
  );

  test("starts no second pulse while one runs, and says so beforehand", async () => {
    const bench = openGate();
    bench.presentNumber("north-in-1");
    await bench.settle();
    const asked = command(bench, "c-1");
    asked.settle(SYNCED);
    expect(await asked.outcome).toBe("running");
    expect(asked.written).toEqual([{ pulse: "running" }]);
    expect(bench.pulses).toHaveLength(1);
  });

  test("takes the pulse over from a tap whose line fails", async () => {
    const bench = openGate({ accessPoints: [{ id: "north-in", whenJournalFails: "deny" }] });
    bench.disk = "held";
    bench.presentNumber("north-in-1");
    await bench.settle();
    const asked = command(bench, "c-1");
    bench.pending[0]?.settle({ kind: "failed", id: null });
    await bench.settle();
    asked.settle(SYNCED);
    expect(await asked.outcome).toBe("started");
    expect(bench.pulses).toHaveLength(1);
  });

  test("is for access points that have a relay", () => {
    const bench = openGate({ accessPoints: [{ id: "yard", pulseMs: null }] });
    expect(bench.gateway.turnstileOf("yard")).toBeNull();
    expect(bench.gateway.turnstileOf("nowhere")).toBeNull();
  });

  test("of the run before, whose end nobody saw, is told of as unknown", async () => {
    const bench = openGate();
    bench.gateway.resume([{ accessPoint: "north-in", kind: "command", id: "c-0" }]);
    await bench.settle();
    expect(bench.dataOf("passage")).toMatchObject([{ event: "unknown", command: "c-0" }]);
    expect(bench.pulses).toEqual([]);
  });
});
