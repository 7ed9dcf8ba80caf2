import { expect } from "vitest";
import { createBroker } from "../../drivers/broker.ts";
import { startEmbeddedBroker } from "../../drivers/broker-embedded.ts";
import type { Log } from "../../drivers/ports.ts";
import { createSystemClock, systemRandom } from "../../drivers/system.ts";
import { type Subscriber, startMosquitto, startSubscriber } from "../peers/mosquitto.ts";
import { startTcpProxy } from "../peers/tcp-proxy.ts";
import { SimBroker } from "../sim/broker.ts";
import { SimClock } from "../sim/clock.ts";
import { type BrokerSide, type Observed, testBroker } from "./broker.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const untilMsMax = 20_000;

interface Server {
  port: number;
  url: string;
  stop(): Promise<void>;
  start(): Promise<void>;
  dispose(): Promise<void>;
}

async function makeSide(
  server: Server,
  protocolVersion: 4 | 5,
  refusedTopic: string | null,
): Promise<BrokerSide> {
  const proxy = await startTcpProxy(server.port);
  let observer: Subscriber = await startSubscriber(server.url, "#", { protocolVersion });
  let before: Observed[] = [];
  return {
    makeBroker: (settings) =>
      createBroker(
        { urls: [`mqtt://127.0.0.1:${proxy.port}`], ...settings },
        { clock: createSystemClock(), random: systemRandom, log },
      ),
    stopBrokerSide: async () => {
      before = [...before, ...observer.heard];
      await observer.stop();
      await server.stop();
    },
    startBrokerSide: async () => {
      await server.start();
      observer = await startSubscriber(server.url, "#", { protocolVersion });
    },
    cutWire: async () => {
      proxy.refuse();
      proxy.cut();
    },
    mendWire: async () => proxy.accept(),
    observed: () => [...before, ...observer.heard],
    retained: async (topic) => {
      const reader = await startSubscriber(server.url, topic, { protocolVersion });
      const { payload } = await reader.hear((message) => message.retained);
      await reader.stop();
      return payload;
    },
    publishFromOutside: async ({ topic, payload, retain }) => {
      await observer.client.publishAsync(topic, payload, { qos: 1, retain });
    },
    until: async (isSo, what) => {
      const endMs = performance.now() + untilMsMax;
      while (!isSo()) {
        if (performance.now() > endMs) throw new Error(`not within ${untilMsMax} ms: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    refusedTopic,
    dispose: async () => {
      await observer.stop();
      await proxy.stop();
      await server.dispose();
    },
  };
}

testBroker("the real one, with mosquitto,", async () => {
  const acl = ["topic deny secret/#", "topic readwrite #"];
  const mosquitto = await startMosquitto({ acl });
  return makeSide(
    { ...mosquitto, stop: mosquitto.stop, start: mosquitto.restart, dispose: mosquitto.dispose },
    5,
    "secret/1",
  );
});

testBroker("the real one, with the embedded broker,", async () => {
  let embedded = await startEmbeddedBroker();
  const { port, url } = embedded;
  const stop = () => embedded.stop();
  const start = async () => {
    embedded = await startEmbeddedBroker({ port });
  };
  return makeSide({ port, url, stop, start, dispose: stop }, 4, null);
});

testBroker("the simulated one", async () => {
  const clock = new SimClock();
  const broker = new SimBroker({ clock });
  const refusedTopic = "secret/1";
  broker.refuse = ({ topic }) => (topic === refusedTopic ? "not authorized" : null);
  const goDown = async () => broker.goDown();
  const comeUp = async () => broker.comeUp();
  return {
    makeBroker: ({ will }) => broker.attach(clock, will),
    stopBrokerSide: goDown,
    startBrokerSide: comeUp,
    cutWire: goDown,
    mendWire: comeUp,
    observed: () => broker.delivered,
    retained: async (topic) => broker.retained.get(topic)?.payload ?? null,
    publishFromOutside: async ({ topic, payload }) =>
      broker.send({ topic, payload: Buffer.from(payload), retained: false }),
    until: async (isSo, what) => {
      const endMs = clock.monotonicMs() + untilMsMax;
      while (!isSo()) {
        if (clock.monotonicMs() > endMs) throw new Error(`not within ${untilMsMax} ms: ${what}`);
        await clock.advance(5);
      }
    },
    refusedTopic,
    dispose: async () => expect(broker.violations).toEqual([]),
  };
});
