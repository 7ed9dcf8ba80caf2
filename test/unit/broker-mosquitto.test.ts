import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TAKEN_OVER_PAUSE_MS_FIRST, WORDLESS_LOSSES_MAX } from "../../drivers/broker-backoff.ts";
import { type EmbeddedBroker, startEmbeddedBroker } from "../../drivers/broker-embedded.ts";
import { type Mosquitto, startMosquitto, startSubscriber } from "../peers/mosquitto.ts";
import { startTcpProxy } from "../peers/tcp-proxy.ts";
import { HurriedClock, TAP, until, type Watched, WILL, watch } from "./broker-watch.ts";

const clients: Watched[] = [];

function client(settings: Parameters<typeof watch>[0], clock?: HurriedClock): Watched {
  const watched = watch(settings, clock);
  clients.push(watched);
  return watched;
}

/** Several may stop while others come up. */
async function stopClients(): Promise<void> {
  for (const { broker, clock } of clients.splice(0)) {
    await broker.stop(WILL);
    expect(clock.owedMs).toEqual([]);
  }
}

describe("with mosquitto", () => {
  let mosquitto: Mosquitto;

  afterEach(async () => {
    await stopClients();
    await mosquitto.dispose();
  });

  test("a wrong password is said and not forgiven, the right one opens", async () => {
    mosquitto = await startMosquitto({ users: { gate: "right" } });
    const wrong = client({ urls: [mosquitto.url], username: "gate", password: "wrong" });
    await wrong.down();
    expect(wrong.downs[0]).toMatch(/check mqtt\.username, mqtt\.password/);
    expect(wrong.downs[0]).not.toContain("wrong");
    const right = client({ urls: [mosquitto.url], clientId: "other", username: "gate", password: "right" });
    await right.up();
    expect(right.sessions[0]).toMatchObject({ protocol: "5.0", receiveMaximum: 20 });
  });

  test("events carry their content type, and the will too", async () => {
    mosquitto = await startMosquitto();
    const proxy = await startTcpProxy(mosquitto.port);
    const subscriber = await startSubscriber(mosquitto.url);
    const gate = client({
      urls: [`mqtt://127.0.0.1:${proxy.port}`],
      will: { ...WILL, contentType: "application/json" },
    });
    await gate.up();
    expect(await gate.broker.publish(TAP)).toEqual({ kind: "acknowledged" });
    proxy.cut();
    const will = await subscriber.hear(({ topic }) => topic === WILL.topic);
    expect(will).toMatchObject({ payload: WILL.payload, contentType: "application/json" });
    expect(subscriber.heard[0]).toEqual({
      topic: TAP.topic,
      payload: TAP.payload,
      retained: false,
      contentType: TAP.contentType,
    });
    await subscriber.stop();
    await proxy.stop();
  });

  test("what is retained is told from what is not, however long it lies there, and its own messages are heard", async () => {
    mosquitto = await startMosquitto();
    const sender = await startSubscriber(mosquitto.url);
    await sender.client.publishAsync(TAP.topic, "old", { qos: 1, retain: true });
    const gate = client({ urls: [mosquitto.url], subscriptions: [TAP.topic] });
    await gate.up();
    expect(await gate.broker.publish({ ...TAP, payload: "own" })).toEqual({ kind: "acknowledged" });
    await sender.client.publishAsync(TAP.topic, "new", { qos: 1, retain: true });
    await until(() => gate.received.length > 2, "three messages");
    expect(gate.received.map(({ payload, retained }) => [Buffer.from(payload).toString(), retained])).toEqual(
      [
        ["old", true],
        ["own", false],
        ["new", true],
      ],
    );
    await sender.stop();
  });

  test("a response topic and its data come with a command", async () => {
    mosquitto = await startMosquitto();
    const gate = client({ urls: [mosquitto.url], subscriptions: ["p/command/+"] });
    await gate.up();
    // Subscriptions are sent before anything else: once this is acknowledged, they stand.
    await gate.broker.publish(TAP);
    const sender = await startSubscriber(mosquitto.url, "p/answers");
    const properties = { responseTopic: "p/answers", correlationData: Buffer.from([1, 2, 3]) };
    await sender.client.publishAsync("p/command/open", "{}", { qos: 1, properties });
    await until(() => gate.received.length > 0, "the command");
    expect(gate.received[0]).toMatchObject({ topic: "p/command/open", retained: false, ...properties });
    const { correlationData } = properties;
    const heard = new Promise((resolve) =>
      sender.client.once("message", (_topic, _payload, packet) => resolve(packet)),
    );
    await gate.broker.publish({ topic: "p/answers", payload: "done", retain: false, correlationData });
    expect(await heard).toMatchObject({ topic: "p/answers", properties: { correlationData } });
    await sender.stop();
  });

  test("two clients of one name, whom mosquitto does not tell, come to rest", async () => {
    mosquitto = await startMosquitto();
    const [first, second] = [
      client({ urls: [mosquitto.url] }, new HurriedClock(10)),
      client({ urls: [mosquitto.url] }),
    ];
    const atRest = () =>
      [first, second].find(({ clock }) => clock.delaysMs.includes(TAKEN_OVER_PAUSE_MS_FIRST * 0.75));
    await until(() => atRest() !== undefined, "one keeps away");
    expect(atRest()?.downs.at(-1)).toMatch(/does another client use the same client id\?$/);
    expect(first.downs.length + second.downs.length).toBeLessThanOrEqual(2 * WORDLESS_LOSSES_MAX);
  });

  test("killed with messages under way, all of them are answered, and it comes up again", async () => {
    mosquitto = await startMosquitto({ receiveMaximum: 100 });
    const gate = client({ urls: [mosquitto.url] });
    await gate.up();
    mosquitto.freeze();
    const outcomes = Promise.all(Array.from({ length: 100 }, () => gate.broker.publish(TAP)));
    await mosquitto.kill9();
    for (const outcome of await outcomes) expect(outcome.kind).toBe("lost");
    await mosquitto.restart();
    await gate.up(2);
    expect(await gate.broker.publish(TAP)).toEqual({ kind: "acknowledged" });
  });

  test("frozen, it is noticed without anything being sent", async () => {
    mosquitto = await startMosquitto();
    const gate = client({ urls: [mosquitto.url] }, new HurriedClock(10));
    await gate.up();
    mosquitto.freeze();
    await gate.down();
    expect(gate.downs).toEqual(["the broker no longer answers"]);
    mosquitto.thaw();
    await gate.up(2);
  });

  test("alive and idle, it is kept", async () => {
    mosquitto = await startMosquitto({ verbose: true });
    const gate = client({ urls: [mosquitto.url] }, new HurriedClock(20));
    await gate.up();
    const pingsBefore = mosquitto.log().split("Received PINGREQ").length;
    await until(() => mosquitto.log().split("Received PINGREQ").length >= pingsBefore + 3, "three pings");
    expect(gate.downs).toEqual([]);
  });

  test("an acknowledgement that is lost with the connection leaves the message in doubt, and it was there", async () => {
    mosquitto = await startMosquitto();
    const proxy = await startTcpProxy(mosquitto.port);
    const subscriber = await startSubscriber(mosquitto.url, TAP.topic);
    const gate = client({ urls: [`mqtt://127.0.0.1:${proxy.port}`] });
    await gate.up();
    proxy.swallowAnswers();
    const outcome = gate.broker.publish(TAP);
    await subscriber.hear(({ topic }) => topic === TAP.topic);
    proxy.cut();
    expect((await outcome).kind).toBe("lost");
    proxy.flow();
    await gate.up(2);
    expect(subscriber.heard).toHaveLength(1);
    await subscriber.stop();
    await proxy.stop();
  });

  test("a stalled wire is given up after 10 s without an acknowledgement", async () => {
    mosquitto = await startMosquitto();
    const proxy = await startTcpProxy(mosquitto.port);
    const gate = client({ urls: [`mqtt://127.0.0.1:${proxy.port}`] }, new HurriedClock(10));
    await gate.up();
    proxy.stall();
    expect(await gate.broker.publish(TAP)).toEqual({
      kind: "lost",
      why: "the broker has not acknowledged a message within 10 s",
    });
    proxy.flow();
    await gate.up(2);
    await stopClients();
    await proxy.stop();
  });

  test("nothing is sent again by itself when the connection comes back", async () => {
    mosquitto = await startMosquitto({ receiveMaximum: 100 });
    const proxy = await startTcpProxy(mosquitto.port);
    const gate = client({ urls: [`mqtt://127.0.0.1:${proxy.port}`] });
    await gate.up();
    proxy.stall();
    const outcomes = Promise.all(Array.from({ length: 20 }, () => gate.broker.publish(TAP)));
    proxy.cut();
    expect(new Set((await outcomes).map(({ kind }) => kind))).toEqual(new Set(["lost"]));
    const subscriber = await startSubscriber(mosquitto.url, "p/#");
    proxy.flow();
    await gate.up(2);
    const marker = { ...TAP, topic: "p/marker" };
    expect(await gate.broker.publish(marker)).toEqual({ kind: "acknowledged" });
    await subscriber.hear(({ topic }) => topic === marker.topic);
    expect(subscriber.heard.filter(({ topic }) => topic === TAP.topic)).toEqual([]);
    await subscriber.stop();
    await proxy.stop();
  });
});

describe("the embedded broker", () => {
  let embedded: EmbeddedBroker;

  beforeEach(async () => {
    embedded = await startEmbeddedBroker();
  });

  afterEach(async () => {
    await stopClients();
    await embedded.stop();
  });

  test("is spoken to in 3.1.1", async () => {
    const gate = client({ urls: [embedded.url] });
    await gate.up();
    expect(gate.sessions[0]?.protocol).toBe("3.1.1");
    expect(await gate.broker.publish(TAP)).toEqual({ kind: "acknowledged" });
  });

  test("takes a free port when the wanted one is taken, and gives it back when stopped", async () => {
    const other = await startEmbeddedBroker({ port: embedded.port });
    expect(other.port).not.toBe(embedded.port);
    await other.stop();
    const again = await startEmbeddedBroker({ port: other.port });
    expect(again.port).toBe(other.port);
    await again.stop();
  });

  test("stops with a client connected", async () => {
    const other = await startEmbeddedBroker();
    const gate = client({ urls: [other.url] });
    await gate.up();
    await other.stop();
    await gate.down();
  });
});
