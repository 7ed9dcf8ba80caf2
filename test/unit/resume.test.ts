import { describe, expect, test } from "vitest";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import { type EventType, GENESIS } from "../../daemon/journal/record.ts";
import { resume } from "../../daemon/journal/resume.ts";

const WITH_RELAY = new Set(["in", "out"]);

async function* lines(
  ...drafts: { type?: EventType; id?: string; time?: string; data: Record<string, unknown> }[]
) {
  for (const [
    index,
    { type = "grindvakt.tap.v1", id, time = "2026-11-22T06:00:00.000Z", data },
  ] of drafts.entries()) {
    const line = { seq: index + 1, prev: GENESIS, batch: 1, type, subject: "s", time, data };
    yield { line: id === undefined ? line : { ...line, id }, chain: GENESIS } satisfies Entry;
  }
}

const grant = (accessPoint: string, more: Record<string, unknown> = {}) => ({
  data: { accessPoint, granted: true, ...more },
});
const passage = (tap: string | null, accessPoint = "in") => ({
  type: "grindvakt.passage.v1" as const,
  data: { event: "opened", accessPoint, tap },
});

async function unknown(...drafts: Parameters<typeof lines>) {
  return (await resume(lines(...drafts), "gate-07", WITH_RELAY)).unknownOutcomes;
}

describe("grants without an outcome", () => {
  test("are those whose passage was never written", async () => {
    expect(await unknown(grant("in"), passage("gate-07/1"), grant("in"))).toEqual([
      { accessPoint: "in", kind: "tap", id: "gate-07/3" },
    ]);
    expect(await unknown(grant("in"), grant("out"), passage("gate-07/2", "out"))).toEqual([
      { accessPoint: "in", kind: "tap", id: "gate-07/1" },
    ]);
  });

  test("are not refusals, grants during a pulse, grants without a relay, nor those told as unknown before", async () => {
    expect(await unknown({ data: { accessPoint: "in", granted: false } })).toEqual([]);
    expect(await unknown(grant("in", { pulse: "running" }))).toEqual([]);
    expect(await unknown(grant("side"))).toEqual([]);
    expect(await unknown(grant("in"), passage("gate-07/1"))).toEqual([]);
  });

  test("are not those whose relay moved before the number was known, while the disk was late", async () => {
    expect(await unknown(grant("out"), grant("in"), passage(null))).toEqual([
      { accessPoint: "out", kind: "tap", id: "gate-07/1" },
    ]);
    expect(await unknown(passage(null))).toEqual([]);
  });

  test("are commands to open, too, by the command's id, but for those during a pulse", async () => {
    const command = (id: string, more: object = {}) => ({
      type: "grindvakt.gateway.v1" as const,
      data: { event: "command", command: "open", id, accessPoint: "in", ...more },
    });
    const outcome = (id: string) => ({
      type: "grindvakt.passage.v1" as const,
      data: { event: "opened", accessPoint: "in", command: id },
    });
    expect(await unknown(command("c-1"), outcome("c-1"), command("c-2"))).toEqual([
      { accessPoint: "in", kind: "command", id: "c-2" },
    ]);
    expect(
      await unknown(command("c-1", { pulse: "running" }), command("c-2", { command: "refresh" })),
    ).toEqual([]);
    expect(await unknown(grant("in"), command("c-1"), passage("gate-07/1"))).toEqual([
      { accessPoint: "in", kind: "command", id: "c-1" },
    ]);
  });

  test("are requests to exit, too, but for those during a pulse", async () => {
    const request = (more: object = {}) => ({
      type: "grindvakt.passage.v1" as const,
      data: { event: "request-to-exit", accessPoint: "in", ...more },
    });
    const outcome = (more: object) => ({
      ...request(),
      data: { event: "opened", accessPoint: "in", ...more },
    });
    expect(await unknown(request())).toEqual([{ accessPoint: "in", kind: "request", id: "gate-07/1" }]);
    expect(await unknown(request(), outcome({ request: "gate-07/1" }))).toEqual([]);
    expect(await unknown(request({ pulse: "running" }))).toEqual([]);
  });

  test("have none in who passed: that says nothing of the relay", async () => {
    for (const event of ["passed", "not-passed", "passed-without-grant"]) {
      const line = { ...passage("gate-07/1"), data: { event, accessPoint: "in", tap: "gate-07/1" } };
      expect(await unknown(grant("in"), line)).toHaveLength(1);
    }
  });

  test("are known by the id they were sent with", async () => {
    expect(await unknown({ id: "gate-07/boot/1", ...grant("in") })).toEqual([
      { accessPoint: "in", kind: "tap", id: "gate-07/boot/1" },
    ]);
    expect(await unknown({ id: "gate-07/boot/1", ...grant("in") }, passage("gate-07/boot/1"))).toEqual([]);
  });
});

test("the floor is the latest time that was trusted, wherever it stands", async () => {
  const at = (time: string, trusted: boolean) => ({ time, data: { clock: { trusted } } });
  const { trustedFloorMs } = await resume(
    lines(
      at("2026-11-22T06:00:00.000Z", true),
      at("2026-11-23T06:00:00.000Z", true),
      at("2026-11-22T07:00:00.000Z", true),
      at("2030-01-01T00:00:00.000Z", false),
      at("not a time", true),
      { data: {} },
    ),
    "gate-07",
    WITH_RELAY,
  );
  expect(trustedFloorMs).toBe(Date.parse("2026-11-23T06:00:00.000Z"));
});
