/**
 * The connection to the broker. A message is acknowledged when whoever takes it has resolved, never before: until then the broker has it,
 * and hands it over again after any crash, ours or the line's. The session outlives both.
 */
import mqtt, { type MqttClient } from "mqtt";
import { topicsOf } from "./message.ts";
import type { Settings } from "./settings.ts";

/** The broker keeps what comes while we are away; after a month nobody is coming back. */
const SESSION_SECONDS = 30 * 86_400;
/** Handed over at once, unacknowledged; one is written at a time, the others lie ready. */
const WINDOW_MESSAGES = 100;
/** The largest event is below 64 KiB. */
const PACKET_BYTES_MAX = 256 * 1024;
const CONNECT_MS_MAX = 10_000;
const BACKOFF_MS = { first: 250, most: 30_000 };

export interface Taker {
  /** Resolves once it is safe. Rejects: the line is given up and made anew, and the message comes again. */
  take(topic: string, payload: Buffer): Promise<void>;
  told(what: string, facts?: object): void;
}

export class Link {
  readonly #settings: Settings;
  readonly #taker: Taker;
  #client: MqttClient | null = null;
  #isStopped = false;
  #isTaking = false;
  #wake: () => void = () => undefined;

  constructor(settings: Settings, taker: Taker) {
    this.#settings = settings;
    this.#taker = taker;
  }

  /** Resolves after `stop`. */
  async run(): Promise<void> {
    for (let waitMs = BACKOFF_MS.first; !this.#isStopped; waitMs = Math.min(2 * waitMs, BACKOFF_MS.most)) {
      const { hasTaken, why } = await this.#visit();
      if (hasTaken) waitMs = BACKOFF_MS.first;
      if (this.#isStopped) return;
      this.#taker.told("the broker is away", { why, waitMs });
      await this.#pause(waitMs * (0.5 + Math.random() / 2));
    }
  }

  /** Connected, and nothing is being taken: what the broker had is here. */
  get isIdle(): boolean {
    return (this.#client?.connected ?? false) && !this.#isTaking;
  }

  /** At most once: what it was for is asked again where nothing comes of it. */
  publish(topic: string, payload: string): void {
    if (this.#client?.connected) this.#client.publish(topic, payload, { qos: 0 });
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake();
    this.#client?.end(true);
  }

  /**
   * One connection, from its beginning to its end. Each has a client of its own, because an acknowledgement that is late must not go
   * to the next one, where the same number stands for another message.
   */
  #visit(): Promise<{ hasTaken: boolean; why: string }> {
    const { url, clientId, tls, prefix, group } = this.#settings;
    const client = mqtt.connect(url, {
      ...tls,
      clientId,
      clean: false,
      protocolVersion: 5,
      properties: {
        sessionExpiryInterval: SESSION_SECONDS,
        receiveMaximum: WINDOW_MESSAGES,
        maximumPacketSize: PACKET_BYTES_MAX,
      },
      connectTimeout: CONNECT_MS_MAX,
      reconnectPeriod: 0,
      resubscribe: false,
      customHandleAcks: (topic, payload, _packet, done) => {
        this.#isTaking = true;
        this.#taker.take(topic, payload as Buffer).then(
          () => {
            this.#isTaking = false;
            hasTaken = true;
            done(0);
          },
          (error: Error) => end(error.message),
        );
      },
    });
    this.#client = client;
    this.#isTaking = false;
    let [hasTaken, why] = [false, "the connection was closed"];
    const end = (because: string): void => {
      why = because;
      client.end(true);
    };
    client.on("error", (error) => end(error.message));
    client.on("disconnect", ({ reasonCode }) => end(`the broker ended it: reason ${reasonCode}`));
    client.on("connect", ({ sessionPresent }) => {
      this.#taker.told("the broker is here", { url, sessionPresent });
      client.subscribe(topicsOf(prefix, group), { qos: 1 }, (error, grants = []) => {
        const refused = grants.find(({ qos }) => qos > 2);
        if (error ?? refused) end(`the broker does not let us hear: ${error?.message ?? refused?.topic}`);
      });
    });
    return new Promise((resolve) => client.once("close", () => resolve({ hasTaken, why })));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
