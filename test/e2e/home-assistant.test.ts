/** What Home Assistant would hear of a gateway from a real broker, with only the rights that docs/home-assistant.md gives it. */
import { readFile, writeFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { startSubscriber } from "../peers/mosquitto.ts";
import { P } from "./ear.ts";
import { CARDS, sharedFeed, until } from "./site.ts";
import { setStage } from "./stage.ts";

const feedDir = await sharedFeed();

const PASSWORD = "secret";
const NODE = "grindvakt-slussen-gate-07";

test("a gateway is found, shown and taken back, and no card number is heard", async () => {
  const { broker, line, site } = await setStage(
    feedDir,
    (configuration) => {
      Object.assign(configuration.mqtt, {
        homeAssistant: true,
        username: "gate-07",
        password: { env: "GATE_PASSWORD" },
      });
      process.env.GATE_PASSWORD = PASSWORD;
    },
    {
      users: { "gate-07": PASSWORD, homeassistant: PASSWORD, centre: PASSWORD },
      acl: [
        "user gate-07",
        "topic readwrite grindvakt/slussen/gate-07/#",
        `topic write homeassistant/+/${NODE}/#`,
        "user homeassistant",
        "topic read homeassistant/#",
        "topic read grindvakt/+/+/state/#",
        "user centre",
        "topic read grindvakt/#",
      ],
      centre: { username: "centre", password: PASSWORD },
    },
  );
  onTestFinished(() => {
    delete process.env.GATE_PASSWORD;
  });
  const credentials = { username: "homeassistant", password: PASSWORD };
  const topics = ["homeassistant/#", "grindvakt/#"];
  const daemon = await (await site.run()).healthy();
  const home = await startSubscriber(broker.url, topics, credentials);
  onTestFinished(() => home.stop());

  const config = await home.hear(({ topic }) => topic === `homeassistant/sensor/${NODE}/tap-north-in/config`);
  const { state_topic } = JSON.parse(config.payload) as { state_topic: string };
  await line.send(`${CARDS.blocked}\r\n`);
  const tap = await home.hear(({ topic, payload }) => topic === state_topic && payload.includes("blocked"));
  expect(JSON.parse(tap.payload)).toMatchObject({ reason: "blocked", granted: false, reader: "north-in-1" });
  await home.hear(({ topic }) => topic === `${P}/state/readers/north-in-1`);
  for (const { topic, payload } of home.heard) {
    expect(topic).toMatch(/^(homeassistant|grindvakt\/slussen\/gate-07\/state)/);
    expect(payload).not.toContain(CARDS.blocked);
  }

  await daemon.end("SIGTERM");
  await writeFile(site.file, (await readFile(site.file, "utf8")).replace("homeAssistant: true", ""));
  await (await site.run()).healthy();
  await until("the broker keeps nothing of it", async () => {
    const later = await startSubscriber(broker.url, topics, credentials);
    await later.hear(({ topic }) => topic === `${P}/state`);
    await later.stop();
    const kept = later.heard.map(({ topic }) => topic);
    return kept.every((topic) => !topic.startsWith("homeassistant/") && topic !== state_topic) || null;
  });
});
