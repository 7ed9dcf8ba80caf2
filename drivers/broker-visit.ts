/**
 * A short visit to a broker, for commands: in, a question or a word, and out again. Without a will and without
 * reconnecting; each visit has an end in time. What a gateway does all its life is in `broker.ts`.
 */
import type { Socket } from "node:net";
import type { IClientOptions, MqttClient } from "mqtt";
import { type BrokerTls, type Door, dial, parseDoor } from "./broker-dial.ts";
import { guardPackets, PACKET_BYTES_MAX, RECEIVED_BYTES_MAX } from "./broker-guard.ts";
import { DISCONNECT, type Protocol, propertiesOf } from "./broker-packets.ts";
import { connectRefusal, errorWord, reasonWord, refusesVersion } from "./broker-words.ts";
import { loadMqtt, type Mqtt } from "./mqtt.ts";
import type { Clock, Message, PublishOutcome } from "./ports.ts";
import { within } from "./within.ts";

/** From the look-up of the name to the broker's CONNACK, each time; and for each answer after it. */
const ANSWER_MS_MAX = 10_000;

/** A broker that does not close its end is left alone with it. */
const FAREWELL_MS_MAX = 500;

export interface VisitSettings {
  /** `mqtt://host[:port]` or `mqtts://host[:port]`. */
  url: string;
  clientId: string;
  username?: string;
  password?: string;
  tls?: BrokerTls;
}

/** The broker while one is there. Neither call rejects. */
export interface Visit {
  protocol: Protocol;
  /** QoS 1; resolves at the broker's answer. */
  publish(message: Message): Promise<PublishOutcome>;
  /**
   * Null, or why the broker refuses. All messages come to `received` from then on, the retained ones first. A broker drops
   * what it has retained where it is more at once than it queues for one reader (mosquitto: 1,000): ask for a part at a time.
   */
  subscribe(topics: string[], received: (topic: string, payload: Uint8Array) => void): Promise<string | null>;
}

export type Visited<Result> = { kind: "visited"; result: Result } | { kind: "failed"; why: string };

/** Connects with MQTT 5, or 3.1.1 where that is what the broker has, does `work`, and leaves. Rejects only if `work` does. */
export async function visitBroker<Result>(
  settings: VisitSettings,
  clock: Clock,
  work: (visit: Visit) => Promise<Result>,
): Promise<Visited<Result>> {
  const door = parseDoor(settings.url);
  if (door === null)
    return { kind: "failed", why: "that is no address like mqtt://host:1883 or mqtts://host:8883" };
  const mqtt = loadMqtt();
  let opened = await open(mqtt, door, "5.0", settings, clock);
  if (opened.kind === "failed" && opened.versionRefused)
    opened = await open(mqtt, door, "3.1.1", settings, clock);
  if (opened.kind === "failed") return { kind: "failed", why: `${door.name}: ${opened.why}` };
  try {
    return { kind: "visited", result: await work(opened.visit) };
  } finally {
    await opened.leave();
  }
}

type Opened =
  | { kind: "open"; visit: Visit; leave(): Promise<void> }
  | { kind: "failed"; why: string; versionRefused: boolean };

async function open(
  mqtt: Mqtt,
  door: Door,
  protocol: Protocol,
  settings: VisitSettings,
  clock: Clock,
): Promise<Opened> {
  const late = new AbortController();
  const timer = clock.after(ANSWER_MS_MAX, () => late.abort(`no answer within ${ANSWER_MS_MAX / 1000} s`));
  try {
    const dialed = await dial(door, settings.tls, late.signal);
    if (dialed.kind === "failed") return { ...dialed, versionRefused: false };
    return await greet(mqtt, dialed.socket, door, protocol, settings, { clock, signal: late.signal });
  } finally {
    timer.cancel();
  }
}

function greet(
  mqtt: Mqtt,
  socket: Socket,
  door: Door,
  protocol: Protocol,
  settings: VisitSettings,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Opened> {
  // MQTT.js is given the socket and no means to make another.
  const client = new mqtt.MqttClient(() => socket, optionsOf(settings, protocol));
  guardPackets(client, socket, (why) => socket.destroy(new Error(why)));
  return new Promise((resolve) => {
    const fail = (why: string, versionRefused = false) => {
      socket.destroy();
      resolve({ kind: "failed", why, versionRefused: versionRefused && protocol === "5.0" });
    };
    signal.addEventListener("abort", () => fail(String(signal.reason)));
    const onError = (error: Error) => {
      const code = "code" in error ? error.code : undefined;
      const why = typeof code === "number" ? connectRefusal(code) : errorWord(error, door.host);
      fail(why, refusesVersion(code) !== "no");
    };
    client.on("error", onError);
    socket.on("error", onError);
    socket.on("close", () => fail("the broker closed the connection", true));
    client.on("connect", () => {
      resolve({
        kind: "open",
        visit: visitOf(client, protocol, socket, clock),
        leave: () => leave(socket, clock),
      });
    });
  });
}

function optionsOf({ clientId, username, password }: VisitSettings, protocol: Protocol): IClientOptions {
  return {
    clientId,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    protocolVersion: protocol === "5.0" ? 5 : 4,
    clean: true,
    // A visit is shorter than any keepalive.
    keepalive: 0,
    reconnectPeriod: 0,
    resubscribe: false,
    connectTimeout: 2 ** 31 - 1,
    // Never to the debug log of MQTT.js: it would show the password.
    log: () => {},
    ...(protocol === "5.0" ? { properties: { maximumPacketSize: PACKET_BYTES_MAX } } : {}),
  };
}

function visitOf(client: MqttClient, protocol: Protocol, socket: Socket, clock: Clock): Visit {
  let ended = "";
  const closed = new Promise<void>((resolve) => {
    socket.once("error", (error) => {
      ended = error.message;
    });
    socket.once("close", () => {
      ended ||= "the broker closed the connection";
      resolve();
    });
  });
  let hear: (topic: string, payload: Uint8Array) => void = () => undefined;
  client.on("message", (topic, payload) => {
    if (payload.length <= RECEIVED_BYTES_MAX) hear(topic, payload);
  });
  /** The answer, or null when none came in time or the connection ended before it. */
  const answered = async <Answer>(
    ask: (answer: (answer: Answer) => void) => void,
  ): Promise<Answer | null> => {
    const answer = new Promise<Answer>((resolve) => ask(resolve));
    const first = await within(clock, ANSWER_MS_MAX, Promise.race([answer, closed.then(() => null)]));
    // Neither an answer nor the end of the connection, which brings its own words.
    if (first === null) ended ||= `no answer within ${ANSWER_MS_MAX / 1000} s`;
    return first;
  };

  return {
    protocol,
    async publish(message) {
      const options = {
        qos: 1 as const,
        retain: message.retain,
        ...propertiesOf(message, protocol),
      };
      const outcome = await answered<PublishOutcome>((answer) => {
        client.publish(message.topic, message.payload, options, (error) => {
          const code = error !== undefined && error !== null && "code" in error ? error.code : null;
          if (typeof code === "number") answer({ kind: "refused", why: reasonWord(code) });
          // An error without a code is the end of the connection.
          else if (!error) answer({ kind: "acknowledged" });
        });
      });
      return outcome ?? { kind: "lost", why: ended };
    },
    async subscribe(topics, received) {
      hear = received;
      const why = await answered<{ why: string | null }>((answer) => {
        client.subscribe(topics, { qos: 0 }, (error, granted) => {
          const refused = granted?.find(({ qos }) => (qos as number) >= 0x80);
          if (error) answer({ why: error.message });
          else answer({ why: refused === undefined ? null : `${refused.topic}: not authorized` });
        });
      });
      return why === null ? ended : why.why;
    },
  };
}

async function leave(socket: Socket, clock: Clock): Promise<void> {
  if (socket.destroyed) return;
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const timer = clock.after(FAREWELL_MS_MAX, () => socket.destroy());
  socket.end(DISCONNECT);
  await closed;
  timer.cancel();
}
