import { describe, expect, test } from "vitest";
import type { TapView } from "../../daemon/gate/gateway.ts";
import { REASONS } from "../../daemon/gate/reasons.ts";
import { HomeAssistant } from "../../daemon/report/home-assistant.ts";
import { discoveryMessages } from "../../daemon/report/home-assistant-entities.ts";
import { topicsOf } from "../../daemon/report/report.ts";
import type { Message, PublishOutcome } from "../../drivers/ports.ts";
import { SimWorld } from "../sim/world.ts";
import { asyncApi } from "./asyncapi-document.ts";

const NAMES = { prefix: "grindvakt", site: "slussen", gateway: "gate-07" };
const TOPICS = topicsOf({ ...NAMES, feed: "id06" });
const SITE = {
  ...NAMES,
  version: "0.1.0",
  accessPoints: [
    { id: "north-in", readers: ["north-in-1", "north-in-2"], pulseMs: 800 },
    { id: "yard", readers: ["yard-1"], pulseMs: null },
  ],
};
const PATH = "/data/announced.json";

/**
 * What Home Assistant's documentation has of MQTT discovery (its pages on the MQTT integration, `binary_sensor.mqtt` and
 * `sensor.mqtt`): the form of a topic, and the configuration variables that either platform knows.
 */
const TOPIC = /^homeassistant\/(binary_sensor|sensor)\/[a-zA-Z0-9_-]+\/[a-zA-Z0-9_-]+\/config$/;
const COMMON = [
  "availability_template",
  "availability_topic",
  "device",
  "device_class",
  "entity_category",
  "json_attributes_topic",
  "name",
  "origin",
  "qos",
  "state_topic",
  "unique_id",
  "value_template",
];
const VARIABLES: Record<string, string[]> = {
  binary_sensor: COMMON,
  sensor: [...COMMON, "options", "state_class", "unit_of_measurement"],
};
const DEVICE = ["identifiers", "manufacturer", "model", "name", "suggested_area", "sw_version"];

interface Discovered {
  topic: string;
  object: string;
  config: Record<string, string> & { device: object; options?: string[] };
}

function discovered(messages: readonly Message[]): Discovered[] {
  return messages.map(({ topic, payload }) => ({
    topic,
    object: topic.split("/")[3] ?? "",
    config: JSON.parse(payload) as Discovered["config"],
  }));
}

describe("what Home Assistant finds", () => {
  const messages = discoveryMessages(SITE, TOPICS);
  const entities = discovered(messages);

  test("is the gateway, its access points and readers, each once", () => {
    expect(entities.map(({ object }) => object)).toEqual([
      "online",
      "journal",
      "unsent",
      "list",
      "tap-north-in",
      "relay-north-in",
      "reader-north-in-1",
      "reader-north-in-2",
      "tap-yard",
      "reader-yard-1",
    ]);
    expect(new Set(entities.map(({ config }) => config.unique_id)).size).toBe(entities.length);
    expect(messages.every(({ retain }) => retain)).toBe(true);
  });

  test.each(entities)("$object is as its documentation wants it", ({ topic, config }) => {
    const platform = TOPIC.exec(topic)?.[1] ?? "";
    for (const key of Object.keys(config)) expect(VARIABLES[platform]).toContain(key);
    expect(Object.keys(config.device).sort()).toEqual(DEVICE);
    expect(config.device).toMatchObject({ identifiers: ["grindvakt-slussen-gate-07"] });
    // A list of options goes with the device class `enum`, and with neither a unit nor a state class.
    expect(config.options !== undefined).toBe(config.device_class === "enum");
    if (platform === "binary_sensor")
      expect(config.value_template).toMatch(/^\{\{ 'ON' if .* else 'OFF' \}\}$/);
  });

  test("stands on retained states alone, none of which has a card number", () => {
    const states = [TOPICS.state, TOPICS.list, ...["north-in-1", "north-in-2", "yard-1"].map(TOPICS.reader)];
    const all = [...states, ...["north-in", "yard"].map(TOPICS.accessPoint)];
    const used = entities.flatMap(({ config }) => [
      config.state_topic,
      config.json_attributes_topic ?? TOPICS.state,
      config.availability_topic ?? TOPICS.state,
    ]);
    expect([...new Set(used)].sort()).toEqual(all.sort());
    expect(entities.find(({ object }) => object === "tap-yard")?.config.options).toEqual([...REASONS]);
  });
});

/** One life of a gateway with Home Assistant beside its broker. */
async function live(
  world: SimWorld,
  settings: { isOn?: boolean; accessPoints?: typeof SITE.accessPoints } = {},
  answer: (message: Message) => PublishOutcome = () => ({ kind: "acknowledged" }),
) {
  const machine = world.boot();
  const published: Message[] = [];
  const homeAssistant = new HomeAssistant({ ...SITE, isOn: true, path: PATH, ...settings }, TOPICS, {
    ...machine,
    publish: async (message) => {
      published.push(message);
      return answer(message);
    },
  });
  machine.files.makeDirs("/data").then(() => homeAssistant.start());
  await world.advance(1_000);
  homeAssistant.connected();
  await world.advance(1_000);
  return { homeAssistant, published };
}

const emptied = (messages: readonly Message[]) =>
  messages.filter(({ payload, retain }) => payload === "" && retain).map(({ topic }) => topic);

describe("what was announced", () => {
  test("is announced again at each connection", async () => {
    const world = new SimWorld({ seed: 1 });
    const { homeAssistant, published } = await live(world);
    expect(published).toEqual(discoveryMessages(SITE, TOPICS));
    homeAssistant.disconnected();
    homeAssistant.connected();
    await world.advance(1_000);
    expect(published).toHaveLength(20);
  });

  test("is taken back once when it is switched off, over a power cut too, and then nothing is said", async () => {
    const world = new SimWorld({ seed: 1 });
    await live(world);
    world.powerCut("lose");
    const { published, homeAssistant } = await live(world, { isOn: false });
    const topics = discoveryMessages(SITE, TOPICS).map(({ topic }) => topic);
    expect(emptied(published)).toEqual([
      ...topics,
      TOPICS.accessPoint("north-in"),
      TOPICS.accessPoint("yard"),
    ]);
    expect(published).toHaveLength(12);
    expect(homeAssistant.states()).toEqual([]);
    world.powerCut("lose");
    expect((await live(world, { isOn: false })).published).toEqual([]);
  });

  test("is taken back again where the broker did not take that", async () => {
    const world = new SimWorld({ seed: 1 });
    await live(world);
    world.powerCut("lose");
    const refused = () => ({ kind: "refused", why: "not authorized" }) as const;
    expect(emptied((await live(world, { isOn: false }, refused)).published)).toHaveLength(12);
    world.powerCut("lose");
    expect(emptied((await live(world, { isOn: false })).published)).toHaveLength(12);
  });

  test("of a reader that is no more is taken back, and the rest stays", async () => {
    const world = new SimWorld({ seed: 1 });
    await live(world);
    world.powerCut("lose");
    const { published } = await live(world, { accessPoints: SITE.accessPoints.slice(0, 1) });
    expect(emptied(published)).toEqual([
      "homeassistant/sensor/grindvakt-slussen-gate-07/tap-yard/config",
      "homeassistant/binary_sensor/grindvakt-slussen-gate-07/reader-yard-1/config",
      TOPICS.accessPoint("yard"),
    ]);
    expect(published).toHaveLength(3 + 8);
  });

  test("is not known where the file is damaged: it is said, and what is there now is announced", async () => {
    const world = new SimWorld({ seed: 1 });
    await live(world);
    world.powerCut("lose");
    world.disk.put(PATH, "{");
    const { published } = await live(world);
    expect(published).toHaveLength(10);
    expect(world.trace.some((line) => line.includes("cannot be read"))).toBe(true);
  });
});

test("the last tap is told without who it was", async () => {
  const { homeAssistant } = await live(new SimWorld({ seed: 1 }));
  const tap = {
    accessPoint: "north-in",
    reader: "north-in-1",
    time: "2026-11-22T06:58:12.345Z",
    monotonicMs: 1,
    decision: { granted: false, reason: "blocked", card: "BB-1234-567890", passbackViolated: false },
  } satisfies TapView;
  homeAssistant.tapped(tap);
  homeAssistant.tapped({ ...tap, accessPoint: "nowhere" });
  const states = homeAssistant.states();
  expect(states.map(({ payload }) => JSON.parse(payload))).toEqual([
    { reason: "blocked", granted: false, reader: "north-in-1", time: tap.time },
    { reason: null, granted: null, reader: null, time: null },
  ]);
  for (const { topic, payload, retain } of states) {
    expect(payload).not.toContain("BB-");
    expect(asyncApi.faultsOfMessage({ topic, payload, retain }, NAMES)).toEqual([]);
  }
});
