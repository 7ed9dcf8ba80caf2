/** docs/lights-and-states.md explains every state and every event of a gate that docs/asyncapi.yaml lets it say. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";

const page = readFileSync("docs/lights-and-states.md", "utf8");
const { schemas } = parse(readFileSync("docs/asyncapi.yaml", "utf8")).components;

test.each<[what: string, states: readonly string[]]>([
  ["the gateway", ["online", "offline"]],
  ["readers and relays", schemas.readerCondition.enum],
  ["inputs", schemas.stateOnline.properties.inputs.additionalProperties.additionalProperties.enum],
  ["the list", schemas.freshness.enum],
  ["the journal", schemas.journalState.properties.state.enum],
  ["commands", schemas.stateOnline.properties.commands.additionalProperties.enum],
  ["what the turnstile did", schemas.passageData.properties.event.enum],
  ["what a reader says", schemas.readerData.properties.event.enum],
])("%s", (_, states) => {
  expect(states.length).toBeGreaterThan(1);
  expect(states.filter((state) => !page.includes(`\`${state}\``))).toEqual([]);
});

test("the gateway's own events are in docs/asyncapi.yaml, each by its name", () => {
  const sources = (readdirSync("daemon", { recursive: true }) as string[]).filter((name) =>
    name.endsWith(".ts"),
  );
  const written = sources.map((name) => readFileSync(`daemon/${name}`, "utf8")).join("\n");
  const events = [...written.matchAll(/note\(\s*"([a-z-]+)"/g)].map(([, event]) => event!);
  expect(new Set(events).size).toBeGreaterThan(15);
  const { description } = schemas.gatewayData.properties.event;
  expect(events.filter((event) => !description.includes(`\`${event}\``))).toEqual([]);
});
