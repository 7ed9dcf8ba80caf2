/** Commands over a real broker, by the built program, to a real line's relay board. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IClientPublishOptions } from "mqtt";
import { describe, expect, onTestFinished, test } from "vitest";
import { startEmbeddedBroker } from "../../drivers/broker-embedded.ts";
import { startSubscriber } from "../peers/mosquitto.ts";
import { P } from "./ear.ts";
import { CARDS, type Configuration, relayCommands, relayTold, sharedFeed, until } from "./site.ts";
import { setStage } from "./stage.ts";

const feedDir = await sharedFeed();

const ALL = ["open", "refresh", "identify", "site-block", "site-unblock", "resend"];

type Answer = Configuration;

/** Somebody at the centre, who asks and is answered. */
async function makeCentre({ url }: { url: string }, protocolVersion: 4 | 5 = 5) {
  const subscriber = await startSubscriber(url, ["centre/answers", `${P}/reply`], { protocolVersion });
  onTestFinished(() => subscriber.stop());
  const send = async (
    name: string,
    payload: object | string,
    { properties, ...options }: IClientPublishOptions = {},
  ) => {
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    await subscriber.client.publishAsync(`${P}/command/${name}`, text, {
      qos: 1,
      ...options,
      ...(protocolVersion === 4 ? {} : { properties: { contentType: "application/json", ...properties } }),
    });
  };
  const answers = (): Answer[] => subscriber.heard.map(({ payload }) => JSON.parse(payload) as Answer);
  const ask = async (name: string, more: object = {}): Promise<Answer> => {
    const id = randomUUID();
    await send(name, { id, expires: inSeconds(20), ...more });
    return until(
      () => `an answer to ${name}; there were ${JSON.stringify(answers())}`,
      () => answers().find((answer) => answer.id === id) ?? null,
    );
  };
  return { subscriber, send, ask, answers };
}

function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1_000).toISOString();
}

const opened = (commands: string[]): number => commands.filter((command) => command === "1 on").length;

describe("a gateway that takes commands", () => {
  test("opens, refreshes, blocks, identifies and sends again, each once and journaled before", async () => {
    const { broker, line, board, ear, site } = await setStage(feedDir, (configuration) => {
      configuration.mqtt.commands = ALL;
      configuration.accessPoints[0].relay.pulseMs = 5_000;
    });
    const daemon = await (await site.run()).healthy();
    const taken = Object.fromEntries(ALL.map((name) => [name, "taken"]));
    await ear.hear("state", ({ commands }) => JSON.stringify(commands) === JSON.stringify(taken));
    const centre = await makeCentre(broker);

    const first = { id: randomUUID(), expires: inSeconds(20), accessPoint: "north-in", who: "Åsa" };
    const properties = { responseTopic: "centre/answers", correlationData: Buffer.from("7") };
    await centre.send("open", first, { properties });
    const second = centre.ask("open", { accessPoint: "north-in" });
    const answer = await centre.subscriber.hear(({ topic }) => topic === "centre/answers");
    expect(JSON.parse(answer.payload)).toEqual({ id: first.id, command: "open", ok: true, pulse: "started" });
    expect(await second).toMatchObject({ ok: true, pulse: "running" });
    const passage = await ear.hear("passage", ({ data }) => data.command === first.id);
    expect(passage.data).toMatchObject({ event: "opened", accessPoint: "north-in" });
    await relayTold(board, "one pulse", ({ length }) => length >= 3);
    expect(opened(relayCommands(board))).toBe(1);

    await centre.send("open", first);
    await until(
      "the same is refused",
      () => centre.answers().find(({ reason }) => reason === "repeated") ?? null,
    );

    expect(await centre.ask("refresh")).toMatchObject({
      ok: true,
      list: { revision: 1, freshness: "fresh" },
    });
    const card = CARDS.granted;
    expect(await centre.ask("site-block", { card, why: "lost" })).toMatchObject({
      ok: true,
      card,
      until: null,
    });
    await line.send(`${card}\r\n`);
    await ear.hearTaps("a refusal", (taps) => taps.some(({ data }) => data.reason === "site-blocked"));
    expect(await centre.ask("site-unblock", { card })).toMatchObject({ ok: true, card });
    expect(await centre.ask("site-unblock", { card })).toMatchObject({ ok: false, reason: "failed" });

    const identified = centre.ask("identify", { reader: "north-in-1" });
    await until("the line is watched", async () => {
      const events = ear
        .events()
        .filter(({ data }) => data.event === "command" && data.command === "identify");
      return events.length > 0 || null;
    });
    await line.send("04A1B2C3D4E5F6\r\n");
    const { ways, ...rest } = await identified;
    expect(rest).toMatchObject({ ok: true, reader: "north-in-1" });
    expect(ways[0]).toMatchObject({
      card: CARDS.granted,
      shows: expect.stringMatching(/^hash:[0-9a-f]{32}$/),
    });
    for (const { payload } of centre.subscriber.heard)
      expect(payload.toUpperCase()).not.toContain("A1B2C3D4");

    const headSeq = (await daemon.status()).journal.headSeq;
    await ear.hearUpTo(headSeq);
    const before = ear.heard.filter(({ topic }) => topic === `${P}/gateway`).length;
    const resent = await centre.ask("resend", { from: 1, to: headSeq });
    expect(resent).toMatchObject({ ok: true, sent: headSeq });
    expect(ear.heard.filter(({ topic }) => topic === `${P}/gateway`).length).toBeGreaterThan(before);
    const unsent = await daemon.become("all is acknowledged", ({ outbox }) => outbox.unsent === 0);
    expect(unsent.outbox.acknowledgedSeq).toBeGreaterThanOrEqual(headSeq);

    const notes = (await site.journal()).filter(({ data }) => data.event === "command");
    expect(notes[0]?.data).toMatchObject({ command: "open", id: first.id, who: { by: "mqtt", name: "Åsa" } });
    expect(notes.filter(({ data }) => data.command === "open").map(({ data }) => data.pulse)).toEqual([
      undefined,
      "running",
    ]);
    expect(ear.faults()).toEqual([]);
  });

  test("refuses one that is retained, live and at each connection, and what is hostile; and takes the next, an id once over kill -9 and a start", async () => {
    const { broker, board, ear, site } = await setStage(feedDir, (configuration) => {
      configuration.mqtt.commands = ["open"];
    });
    const daemon = await (await site.run()).healthy();
    await ear.hear("state", ({ commands }) => commands?.open === "taken");
    const centre = await makeCentre(broker);
    const retained = { id: "kept", expires: inSeconds(29), accessPoint: "north-in" };
    await centre.send("open", retained, { retain: true });
    await until("it is refused", () => centre.answers().find(({ reason }) => reason === "retained") ?? null);
    const hostile = ["", "null", "[", "[".repeat(8_000), `{"id":"${"x".repeat(60_000)}"}`, '{"__proto__":1}'];
    for (const payload of hostile) await centre.send("open", payload);
    // Never subscribed to: not refused, not heard.
    await centre.send("refresh", { id: "r-1", expires: inSeconds(20) });
    await until(
      () => `refusals; there were ${JSON.stringify(centre.answers())}`,
      () => (centre.answers().length === hostile.length ? true : null),
    );
    await broker.restart();
    await until("it is refused again", () =>
      centre.answers().filter(({ reason }) => reason === "retained").length > 0 ? true : null,
    );
    await daemon.become("the broker is back", ({ broker: { state } }) => state === "up");
    expect(opened(relayCommands(board))).toBe(0);
    const again = await makeCentre(broker);
    expect(await again.ask("open", { accessPoint: "north-in" })).toMatchObject({
      ok: true,
      pulse: "started",
    });
    expect(await again.ask("open", { accessPoint: "nowhere" })).toMatchObject({ reason: "impossible" });
    await relayTold(board, "one pulse", (commands) => opened(commands) === 1);

    const command = { id: "once", expires: inSeconds(29), accessPoint: "north-in" };
    await again.send("open", command);
    await relayTold(board, "a second", (commands) => opened(commands) === 2);
    await daemon.end("SIGKILL");
    await (await site.run()).healthy();
    await until("it is there again", async () => {
      await again.send("open", command);
      // On a machine that is slow to start it again, it has expired by then.
      return again.answers().some(({ reason }) => reason === "repeated" || reason === "expired") || null;
    });
    expect(opened(relayCommands(board))).toBe(2);
  });

  test("says which of its commands the broker does not let it hear, and takes the others", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grindvakt-acl-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const rights = join(dir, "rights.json");
    await writeFile(rights, JSON.stringify(DENYING_OPEN));
    const lines = [`plugin ${await dynamicSecurity()}`, `plugin_opt_config_file ${rights}`];
    const { broker, ear, site } = await setStage(
      feedDir,
      (configuration) => {
        configuration.mqtt.commands = ["open", "refresh"];
      },
      { lines },
    );
    const daemon = await (await site.run()).healthy();
    await ear.hear("state", ({ commands }) => commands?.open === "refused" && commands.refresh === "taken");
    expect((await daemon.status()).commands).toEqual({
      open: { state: "refused", why: "not authorized" },
      refresh: { state: "taken", why: null },
    });
    const centre = await makeCentre(broker);
    expect(await centre.ask("refresh")).toMatchObject({ ok: true });
    const doctor = await site.command("doctor");
    expect(doctor.stdout).toMatch(/may not hear commands on \S+\/command\/open/);
  });

  test("of a broker without MQTT 5 are answered on the reply topic", async () => {
    const { broker, board, site } = await setStage(feedDir, (configuration) => {
      configuration.mqtt.commands = ["open"];
    });
    const embedded = await startEmbeddedBroker();
    onTestFinished(() => embedded.stop());
    await writeFile(site.file, (await readFile(site.file, "utf8")).replace(broker.url, embedded.url));
    const daemon = await (await site.run()).healthy();
    await daemon.become("it is connected", ({ commands }) => commands.open?.state === "taken");
    expect((await daemon.status()).broker.protocol).toBe("3.1.1");
    const centre = await makeCentre(embedded, 4);
    const answer = await centre.ask("open", { accessPoint: "north-in" });
    expect(answer).toMatchObject({ ok: true, pulse: "started" });
    await relayTold(board, "one pulse", (commands) => opened(commands) === 1);
  });
});

/** Everybody may do everything but hear `open`; by mosquitto's own plugin, as its `acl_file` refuses no subscription. */
const DENYING_OPEN = {
  defaultACLAccess: {
    publishClientSend: true,
    publishClientReceive: true,
    subscribe: true,
    unsubscribe: true,
  },
  anonymousGroup: "everybody",
  groups: [{ groupname: "everybody", roles: [{ rolename: "deaf" }] }],
  roles: [
    {
      rolename: "deaf",
      acls: [{ acltype: "subscribeLiteral", topic: `${P}/command/open`, priority: 1, allow: false }],
    },
  ],
};

/** Where Debian has put the plugin; each architecture has a directory of its own. */
async function dynamicSecurity(): Promise<string> {
  for (const directory of await readdir("/usr/lib")) {
    const path = join("/usr/lib", directory, "mosquitto_dynamic_security.so");
    if (existsSync(path)) return path;
  }
  throw new Error("mosquitto's dynamic security plugin is not installed: apt-get install mosquitto");
}
