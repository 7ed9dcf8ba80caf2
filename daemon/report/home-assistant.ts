/**
 * Home Assistant beside the broker: what it finds this gateway by, and the last tap at each access point, without who it was. Where it
 * is switched off, what was announced before is taken back.
 */
import type { Files, Log, Message, PublishOutcome } from "../../drivers/ports.ts";
import type { TapView } from "../gate/gateway.ts";
import { Announcer } from "./announcer.ts";
import { type AnnouncedSite, discoveryMessages } from "./home-assistant-entities.ts";
import { stateMessage, type Topics } from "./report.ts";

export interface HomeAssistantSettings extends AnnouncedSite {
  isOn: boolean;
  /** Where it is written down what was announced. */
  path: string;
}

/** Null: nothing has been tapped in this run. */
interface LastTap {
  reason: string | null;
  granted: boolean | null;
  reader: string | null;
  time: string | null;
}

const NO_TAP: LastTap = { reason: null, granted: null, reader: null, time: null };

export class HomeAssistant {
  readonly #topics: Topics;
  readonly #announcer: Announcer;
  /** By access point; empty where it is switched off. */
  readonly #lastTaps: Map<string, LastTap>;

  constructor(
    settings: HomeAssistantSettings,
    topics: Topics,
    world: { files: Files; log: Log; publish(message: Message): Promise<PublishOutcome> },
  ) {
    const { isOn, accessPoints, path } = settings;
    this.#topics = topics;
    this.#lastTaps = new Map(isOn ? accessPoints.map(({ id }) => [id, NO_TAP]) : []);
    const messages = isOn ? discoveryMessages(settings, topics) : [];
    this.#announcer = new Announcer(
      path,
      { messages, kept: [...this.#lastTaps.keys()].map(topics.accessPoint) },
      world,
    );
  }

  start(): void {
    this.#announcer.start();
  }

  connected(): void {
    this.#announcer.connected();
  }

  disconnected(): void {
    this.#announcer.disconnected();
  }

  tapped({ accessPoint, reader, time, decision: { reason, granted } }: TapView): void {
    if (this.#lastTaps.has(accessPoint)) this.#lastTaps.set(accessPoint, { reason, granted, reader, time });
  }

  /** What stands retained beside the gateway's other states. */
  states(): Message[] {
    return [...this.#lastTaps].map(([id, tap]) => stateMessage(this.#topics.accessPoint(id), tap));
  }
}
