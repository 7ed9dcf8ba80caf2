/** The pure parts of the example's consumer: what it takes for an event, what it can prove, what it asks gateways for. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Chain, type Kept } from "../../examples/consumer/chain.ts";
import { Gaps } from "../../examples/consumer/gaps.ts";
import { readMessage, topicsOf } from "../../examples/consumer/message.ts";
import { readSettings } from "../../examples/consumer/settings.ts";
import { PaperGate } from "../fleet/paper-gate.ts";

const AT = "2026-11-23T11:00:00.000Z";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("whatever comes is a message or a refusal, and a refusal says why", () => {
  const topic = fc.oneof(
    fc.constantFrom("grindvakt/slussen/gate-07/tap", "grindvakt/slussen/gate-07/state", "grindvakt/x", ""),
    fc.string(),
  );
  const anything = fc.oneof(
    fc.uint8Array(),
    fc.json().map(bytes),
    fc.anything().map((value) => bytes(String(JSON.stringify(value)))),
  );
  fc.assert(
    fc.property(topic, anything, (topic, payload) => {
      const message = readMessage("grindvakt", topic, payload);
      if (message.kind === "refused") expect(message.why).not.toBe("");
    }),
  );
});

test("no field of a tap may be another than it is, and none keeps a NUL from the database", () => {
  const gate = new PaperGate("gate-07", "slussen");
  const { topic, payload } = gate.write(gate.tap("BB-2611-000001", "entry", AT));
  const event = JSON.parse(payload) as Record<string, unknown> & { data: Record<string, unknown> };
  const places = [...Object.keys(event), ...Object.keys(event.data).map((key) => `data.${key}`)];
  fc.assert(
    fc.property(fc.constantFrom(...places), fc.anything(), (place, value) => {
      const copy = structuredClone(event);
      if (place.startsWith("data.")) copy.data[place.slice(5)] = value;
      else (copy as Record<string, unknown>)[place] = value;
      const message = readMessage("grindvakt", topic, bytes(JSON.stringify(copy) ?? ""));
      if (message.kind !== "event") return message.kind === "refused";
      const { text: _, ...columns } = message;
      expect(Object.values(columns).join("")).not.toContain("\0");
      expect(message).toMatchObject({
        gateway: "gate-07",
        site: "slussen",
        id: expect.stringMatching(/^gate-07\//),
      });
      return true;
    }),
    { examples: [["data.chain", { toString: "" }]] },
  );
  expect(readMessage("grindvakt", topic, bytes(payload))).toMatchObject({
    kind: "event",
    seq: 1,
    card: "BB-2611-000001",
  });
  expect(topicsOf("a/b", null)).toContain("a/b/+/+/tap");
  expect(topicsOf("a/b", "g")).toEqual(expect.arrayContaining(["$share/g/a/b/+/+/tap", "a/b/+/+/state"]));
  expect(readMessage("a/b", topic.replace("grindvakt", "a/b"), bytes(payload))).toMatchObject({
    kind: "event",
  });
});

/** So many events, in groups as it comes, some of which were sent before they were written. */
const journals = fc.array(fc.record({ joins: fc.boolean(), early: fc.boolean() }), {
  minLength: 3,
  maxLength: 60,
});

function kept(lines: readonly { joins: boolean; early: boolean }[]): Kept[] {
  const gate = new PaperGate("gate-07", "slussen");
  return lines.map(({ joins, early }, n) => {
    const draft = gate.tap(`BB-2611-${String(n).padStart(6, "0")}`, "entry", AT);
    const { payload: text } = gate.write(draft, {
      joins: joins && n > 0,
      ...(early ? { id: `gate-07/boot/${n}` } : {}),
    });
    return { seq: n + 1, text, chain: (JSON.parse(text) as { data: { chain: string } }).data.chain };
  });
}

test("a whole chain is proven, whatever was synced together, and from any place on", () => {
  fc.assert(
    fc.property(journals, fc.nat(), (lines, from) => {
      const start = from % lines.length;
      const chain = new Chain("gate-07");
      const verdicts = kept(lines)
        .slice(start)
        .map((event) => chain.add(event));
      const [first, ...others] = verdicts;
      expect(first).toBe(start === 0 ? "proven" : "unproven");
      expect(others).toEqual(others.map(() => "proven"));
    }),
    { numRuns: 50 },
  );
});

test("one that was changed, or changed places, is found", () => {
  fc.assert(
    fc.property(journals, fc.nat(), fc.boolean(), (lines, at, isSwap) => {
      const events = kept(lines);
      const n = at % (events.length - 1);
      const [one, two] = [events[n]!, events[n + 1]!];
      if (isSwap) {
        events[n] = { ...one, text: two.text };
        events[n + 1] = { ...two, text: one.text };
      } else events[n] = { ...one, text: one.text.replace('"granted":true', '"granted":false') };
      const chain = new Chain("gate-07");
      const verdicts = events.map((event) => chain.add(event));
      expect(verdicts[n]).toBe("broken");
      expect(verdicts.filter((verdict) => verdict === "broken")).toHaveLength(isSwap ? 2 : 1);
    }),
    { numRuns: 50 },
  );
});

test("a gateway is asked for one hole at a time, within what it takes, and ever more seldom", () => {
  const gaps = new Gaps(60_000);
  const holes = [
    { gateway: "gate-01", site: "a", fromSeq: 5, toSeq: 40_000 },
    { gateway: "gate-01", site: "a", fromSeq: 50_000, toSeq: 50_001 },
    { gateway: "gate-02", site: "b", fromSeq: 7, toSeq: 7 },
  ];
  const asked = (minutes: number, holesLeft = holes) =>
    gaps
      .commands(holesLeft, { wallMs: Date.parse(AT), steadyMs: minutes * 60_000 })
      .map(({ gateway, payload }) => [gateway, JSON.parse(payload).from, JSON.parse(payload).to]);
  const first = ["gate-01", 5, 10_004];
  expect(asked(0)).toEqual([first, ["gate-02", 7, 7]]);
  expect(asked(0.5)).toEqual([["gate-01", 50_000, 50_001]]);
  expect(asked(1)).toEqual([first, ["gate-02", 7, 7]]);
  expect(asked(2)).toEqual([["gate-01", 50_000, 50_001]]);
  expect(asked(2.5)).toEqual([]);
  expect(asked(3, holes.slice(0, 1))).toEqual([first]);
  // While it is being filled it is left alone; when that stops, what is left is asked for.
  const left = [{ ...holes[0]!, fromSeq: 900 }];
  expect(asked(8, left)).toEqual([]);
  expect(asked(8.5, left)).toEqual([]);
  expect(asked(9, left)).toEqual([["gate-01", 900, 10_899]]);
  const [{ payload } = { payload: "" }] = new Gaps(1).commands(holes, {
    wallMs: Date.parse(AT),
    steadyMs: 0,
  });
  expect(JSON.parse(payload)).toMatchObject({ expires: "2026-11-23T11:00:15.000Z", who: "consumer" });
});

test("its environment is held against what it may say", () => {
  expect(readSettings({ MQTT_URL: "mqtts://centre.example.se:8883" })).toMatchObject({
    prefix: "grindvakt",
    gapSeconds: 60,
  });
  const wrong: NodeJS.ProcessEnv[] = [
    {},
    { MQTT_URL: "mqtts://user:word@centre" },
    { MQTT_URL: "mqtts://centre", MQTT_PREFIX: "#" },
    { MQTT_URL: "mqtts://centre", MQTT_GROUP: "a/b" },
    { MQTT_URL: "mqtts://centre", GAP_SECONDS: "soon" },
  ];
  for (const env of wrong) expect(() => readSettings(env)).toThrow(/^[A-Z_]+: /);
});
