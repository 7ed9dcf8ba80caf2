/** The broker as the house has it: how it stands, what is published to it, and its part in a clean stop. */
import type {
  Broker,
  BrokerSession,
  Clock,
  Log,
  Message,
  PublishOutcome,
  Received,
} from "../../drivers/ports.ts";

/** How long a clean stop waits for the last events to be acknowledged. */
const LAST_EVENTS_MS = 1_000;
const LAST_EVENTS_LOOK_MS = 10;

export interface BrokerStatus {
  /** `none`: no broker is configured. */
  state: "up" | "down" | "none";
  url: string | null;
  protocol: BrokerSession["protocol"] | null;
  why: string | null;
}

export interface UplinkEvents {
  up(session: BrokerSession): void;
  down(): void;
  received(message: Received): void;
  subscribed(topic: string, why: string | null): void;
}

export class Uplink {
  readonly #broker: Broker | null;
  readonly #offline: Message;
  readonly #world: { clock: Clock; log: Log };
  readonly #status: BrokerStatus;

  /** `broker`: null where none is configured. `offline`: its last message. */
  constructor(broker: Broker | null, offline: Message, world: { clock: Clock; log: Log }) {
    this.#broker = broker;
    this.#offline = offline;
    this.#world = world;
    this.#status = { state: broker === null ? "none" : "down", url: null, protocol: null, why: null };
  }

  get status(): BrokerStatus {
    return { ...this.#status };
  }

  start({ up, down, received, subscribed }: UplinkEvents): void {
    const { log } = this.#world;
    this.#broker?.start({
      up: (session) => {
        const { url, protocol } = session;
        Object.assign(this.#status, { state: "up", url, protocol, why: null });
        log.info("broker is up", { url, protocol });
        up(session);
      },
      down: (words) => {
        const why = `${words}${this.#clockWords()}`;
        Object.assign(this.#status, { state: "down", why });
        log.warn("broker is down", { why });
        down();
      },
      received,
      subscribed,
    });
  }

  /** Whatever else it is: certificates are judged by a clock that is far off, and the broker is out of reach until it is set. */
  #clockWords(): string {
    const { clock } = this.#world;
    if (clock.trusted()) return "";
    const time = new Date(clock.wallMs()).toISOString();
    return ` (this machine's clock says ${time}, and has not been set since it started)`;
  }

  publish(message: Message): Promise<PublishOutcome> {
    return (
      this.#broker?.publish(message) ??
      Promise.resolve({ kind: "lost", why: "no broker is configured" } as const)
    );
  }

  /** Resolves when `isSent`, or when there is nothing more to wait for. */
  lastEventsSent(isSent: () => boolean): Promise<void> {
    const { clock } = this.#world;
    const deadlineMs = clock.monotonicMs() + LAST_EVENTS_MS;
    return new Promise((done) => {
      const look = (): void => {
        const isOver = this.#status.state !== "up" || clock.monotonicMs() >= deadlineMs;
        if (isOver || isSent()) done();
        else clock.after(LAST_EVENTS_LOOK_MS, look);
      };
      look();
    });
  }

  async stop(): Promise<void> {
    await this.#broker?.stop(this.#offline);
  }
}
