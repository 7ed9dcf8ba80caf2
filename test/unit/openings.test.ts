/** Openings by a person at the console, each under a name of its own, and written down first. */
import { expect, test } from "vitest";
import { Openings } from "../../daemon/console/openings.ts";
import type { Settlement } from "../../daemon/journal/journal.ts";
import { openGate } from "./gateway-bench.ts";

const CLAIMS = { who: { by: "console", name: "Alva Ek" }, why: "delivery" } as const;

function openingsAt(bench: ReturnType<typeof openGate>, run: string, settlement: Settlement | null = null) {
  return new Openings({
    run,
    turnstileOf: (accessPoint) => bench.gateway.turnstileOf(accessPoint),
    note: async (event, data) => {
      const written = await bench.gateway.note(event, data);
      return settlement ?? written;
    },
  });
}

test("it is journaled with who and why before the relay moves, and what the relay did names it", async () => {
  const bench = openGate();
  const opening = openingsAt(bench, "run-1").open("north-in", CLAIMS);
  expect(bench.pulses).toEqual([]);
  expect(await opening).toBe("started");
  const id = "console-run-1-1";
  expect(bench.dataOf("gateway")).toMatchObject([
    { event: "command", command: "open", id, accessPoint: "north-in", ...CLAIMS },
  ]);
  expect(bench.pulses).toHaveLength(1);
  const relay = bench.gateway.relayEvents("north-in");
  relay.energised();
  relay.released();
  await bench.settle();
  expect(bench.dataOf("passage")).toMatchObject([{ event: "opened", command: id }]);
});

test("two openings at once are one pulse, under two names", async () => {
  const bench = openGate();
  const openings = openingsAt(bench, "run-1");
  const both = await Promise.all([openings.open("north-in", CLAIMS), openings.open("north-in", CLAIMS)]);
  expect(both.sort()).toEqual(["running", "started"]);
  expect(bench.pulses).toHaveLength(1);
  expect(bench.dataOf("gateway").map(({ id }) => id)).toEqual(["console-run-1-1", "console-run-1-2"]);
});

test("what is not on the disk opens nothing, and an access point without a relay is none", async () => {
  const bench = openGate();
  const openings = openingsAt(bench, "run-1", { kind: "failed", id: null });
  expect(await openings.open("north-in", CLAIMS)).toBe("withheld");
  expect(await openings.open("nowhere", CLAIMS)).toBeNull();
  expect(bench.pulses).toEqual([]);
});
