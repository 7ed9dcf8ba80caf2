/**
 * A centre that hears one gateway over a real broker, and what it may rely on: events in sequence, without gaps,
 * the same however often they come, and every message as `docs/asyncapi.yaml` has it.
 */
import type { IClientOptions } from "mqtt";
import { type Heard, type Mosquitto, startSubscriber } from "../peers/mosquitto.ts";
import { asyncApi } from "../unit/asyncapi-document.ts";
import { until } from "./site.ts";

const NAMES = { prefix: "grindvakt", site: "slussen", gateway: "gate-07" };
/** What all topics of the gateway begin with. */
export const P = `${NAMES.prefix}/${NAMES.site}/${NAMES.gateway}`;

/** Topics of states, of somebody's commands and of answers to them. */
const NO_EVENTS = new RegExp(`^${P}/(state|command|reply)`);

export interface Event {
  id: string;
  type: string;
  subject: string;
  // biome-ignore lint/suspicious/noExplicitAny: the document says what is in it, and every message is held against it
  data: Record<string, any>;
}

export interface Ear {
  heard: readonly Heard[];
  /** Events in the order in which they first came; fails where one came twice with another content. */
  events(): Event[];
  taps(): Event[];
  /** Resolves with the first message of `P/topic` that is it. */
  hear(topic: string, isIt?: (payload: Event["data"]) => boolean): Promise<Event["data"]>;
  /** Waits until the list of taps is so. */
  hearTaps(what: string, isEnough: (taps: Event[]) => boolean): Promise<Event[]>;
  /** Waits until everything up to the journal's head has come. */
  hearUpTo(seq: number): Promise<Event[]>;
  /** Faults of everything heard, against docs/asyncapi.yaml. */
  faults(): string[];
  stop(): Promise<void>;
}

/** Its session outlives outages, as a centre's does; the broker must be persistent then. */
export async function listen(broker: Mosquitto, who: IClientOptions = {}): Promise<Ear> {
  const subscriber = await startSubscriber(broker.url, `${P}/#`, {
    ...who,
    clientId: "centre",
    clean: false,
    properties: { sessionExpiryInterval: 3_600 },
    reconnectPeriod: 100,
  });
  subscriber.client.on("error", () => undefined);
  // Anew, to be told the retain flag as it was published; mosquitto does not change a subscription that stands.
  await subscriber.client.unsubscribeAsync(`${P}/#`);
  await subscriber.client.subscribeAsync(`${P}/#`, { qos: 1, rap: true });
  const { heard } = subscriber;
  const events = (): Event[] => firstArrivals(heard.filter(({ topic }) => !NO_EVENTS.test(topic)));
  const taps = (): Event[] => events().filter(({ type }) => type === "grindvakt.tap.v1");
  return {
    heard,
    events,
    taps,
    hear: async (topic, isIt = () => true) => {
      const isIts = (message: Heard): boolean =>
        message.topic === `${P}/${topic}` && isIt(JSON.parse(message.payload) as Event["data"]);
      return JSON.parse((await subscriber.hear(isIts)).payload) as Event["data"];
    },
    hearTaps: (what, isEnough) => until(what, () => (isEnough(taps()) ? taps() : null)),
    hearUpTo: (seq) =>
      until(`all events up to ${seq}`, () => {
        const all = events();
        return all.some(({ data }) => data.seq === seq) ? all : null;
      }),
    faults: () =>
      heard.flatMap(({ topic, payload, retained, contentType = "none" }) =>
        asyncApi.faultsOfMessage({ topic, payload, retain: retained, contentType }, NAMES),
      ),
    stop: () => subscriber.stop(),
  };
}

/**
 * Events in the order in which they first came; throws where one came twice with another content. One that was not on disk
 * (`durable` false) comes again under its id once it is; nothing else may change.
 */
export function firstArrivals(messages: readonly { payload: string }[]): Event[] {
  const byId = new Map<string, { event: Event; payload: string }>();
  for (const { payload } of messages) {
    const event = JSON.parse(payload) as Event;
    const before = byId.get(event.id);
    if (before === undefined) byId.set(event.id, { event, payload });
    else if (before.event.data.durable === false && event.data.durable === true)
      byId.set(event.id, { event, payload });
    else if (before.payload !== payload)
      throw new Error(`${event.id} came twice with another content: ${before.payload} ${payload}`);
  }
  return [...byId.values()].map(({ event }) => event);
}
