/**
 * What goes to the broker and by what name (CONTRACT 7), and the retained states: what a centre reads without having
 * listened. They are published when they change, at most once a second, and all of them anew at each connection; only
 * the latest counts, so nothing is queued.
 */
import type { Clock, Message, PublishOutcome, Timer } from "../../drivers/ports.ts";
import type { CommandName } from "../broker/command-schema.ts";
import type { CloudEvent, EventType } from "../journal/record.ts";
import type { Status } from "./status.ts";

const INTERVAL_MS = 1_000;
/** Time alone changes a list's freshness: looked at this often. */
const GLANCE_MS = 10_000;

/** The topics of one gateway. */
export interface Topics {
  /** What all of them but the announcement begin with, without the slash. */
  own: string;
  state: string;
  list: string;
  reader(id: string): string;
  /** Its last tap, without who it was; only where Home Assistant is told. */
  accessPoint(id: string): string;
  event(type: EventType): string;
  command(name: CommandName): string;
  /** Where a command is answered that names no other place. */
  reply: string;
  /** Where the centre announces a new revision of the feed. */
  announcement: string;
}

export function topicsOf(settings: { prefix: string; site: string; gateway: string; feed: string }): Topics {
  const own = `${settings.prefix}/${settings.site}/${settings.gateway}`;
  return {
    own,
    state: `${own}/state`,
    list: `${own}/state/list`,
    reader: (id) => `${own}/state/readers/${id}`,
    accessPoint: (id) => `${own}/state/access-points/${id}`,
    // "grindvakt.tap.v1" goes to ".../tap".
    event: (type) => `${own}/${type.split(".")[1]}`,
    command: (name) => `${own}/command/${name}`,
    reply: `${own}/reply`,
    announcement: `${settings.prefix}/feeds/${settings.feed}`,
  };
}

/** The will, published on a clean stop too. */
export function offlineMessage(topics: Topics, version: string, boot: string): Message {
  return stateMessage(topics.state, { state: "offline", version, boot });
}

/** An event on its way to those who listen. */
export function eventMessage(topics: Topics, event: CloudEvent): Message {
  return {
    topic: topics.event(event.type),
    payload: JSON.stringify(event),
    retain: false,
    contentType: "application/cloudevents+json",
  };
}

export interface Report {
  /** Something may have changed. */
  changed(): void;
  connected(): void;
  disconnected(): void;
  stop(): void;
}

export function createReport(
  world: { clock: Clock; publish(message: Message): Promise<PublishOutcome> },
  messages: () => readonly Message[],
): Report {
  const published = new Map<string, string>();
  /** Raised at each connection and its end; a look that began before is over. */
  let round = 0;
  let isConnected = false;
  let isStopped = false;
  let isLooking = false;
  let soon = false;
  let timer: Timer | null = null;
  let lastMs = Number.NEGATIVE_INFINITY;

  // One message at a time: what the broker takes at once is for the events.
  const look = async (): Promise<void> => {
    const ours = round;
    isLooking = true;
    soon = false;
    lastMs = world.clock.monotonicMs();
    for (const message of messages()) {
      if (published.get(message.topic) === message.payload) continue;
      const outcome = await world.publish(message);
      if (ours !== round) return;
      // Of one that was lost nobody knows what the broker keeps: it is published again, even when it says the same.
      if (outcome.kind === "acknowledged") published.set(message.topic, message.payload);
      else published.delete(message.topic);
    }
    isLooking = false;
    schedule(soon ? INTERVAL_MS : GLANCE_MS);
  };
  const schedule = (intervalMs: number): void => {
    timer?.cancel();
    const dueMs = Math.max(0, lastMs + intervalMs - world.clock.monotonicMs());
    timer = world.clock.after(dueMs, () => void look());
  };
  const end = (): void => {
    round += 1;
    isConnected = false;
    isLooking = false;
    timer?.cancel();
  };
  return {
    changed() {
      if (!isConnected || soon) return;
      soon = true;
      if (!isLooking) schedule(INTERVAL_MS);
    },
    connected() {
      end();
      if (isStopped) return;
      isConnected = true;
      published.clear();
      lastMs = Number.NEGATIVE_INFINITY;
      schedule(0);
    },
    disconnected: end,
    stop() {
      isStopped = true;
      end();
    },
  };
}

/** How the gateway is, by topic. */
export function stateMessages(topics: Topics, status: Status): Message[] {
  const {
    version,
    boot,
    since,
    list,
    siteList,
    presence,
    readers,
    relays,
    inputs,
    commands,
    outbox,
    journal,
  } = status;
  const state = {
    state: "online",
    version,
    boot,
    since,
    unsent: outbox.unsent,
    list,
    siteList,
    presence,
    readers: statesOf(readers),
    relays: statesOf(relays),
    inputs: Object.fromEntries(Object.entries(inputs).map(([id, contacts]) => [id, statesOf(contacts)])),
    commands: statesOf(commands),
    journal,
    refused: outbox.refused,
    clockTrusted: status.clockTrusted,
  };
  return [
    stateMessage(topics.state, state),
    stateMessage(topics.list, list),
    ...Object.entries(readers).map(([id, reader]) => stateMessage(topics.reader(id), reader)),
  ];
}

export function stateMessage(topic: string, value: unknown): Message {
  return { topic, payload: JSON.stringify(value), retain: true, contentType: "application/json" };
}

function statesOf(things: Readonly<Record<string, { state: string }>>): Record<string, string> {
  return Object.fromEntries(Object.entries(things).map(([name, { state }]) => [name, state]));
}
