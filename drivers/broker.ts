/**
 * The broker over MQTT: which door, which version, how long to wait. What one connection does is in
 * `broker-session.ts`. MQTT.js is loaded by `start`, beside whatever else is starting: a site without a broker
 * spares its 15 MB, and a gate decides before it is there.
 */
import { Backoff } from "./broker-backoff.ts";
import { type BrokerTls, type Door, dial, parseDoor } from "./broker-dial.ts";
import type { Protocol } from "./broker-packets.ts";
import { Session, type SessionSettings, type SessionWorld } from "./broker-session.ts";
import type { VersionRefused } from "./broker-words.ts";
import { loadMqtt } from "./mqtt.ts";
import type {
  Broker,
  BrokerEvents,
  BrokerSession,
  Clock,
  Log,
  Message,
  PublishOutcome,
  Random,
} from "./ports.ts";

/** From the look-up of the name to the broker's CONNACK, each time. */
const CONNECT_MS_MAX = 10_000;

/** A broker that had no MQTT 5 is asked for it again at a reconnection after this: it may have been replaced. */
export const FIVE_AGAIN_MS = 600_000;

export interface BrokerSettings extends SessionSettings {
  /** `mqtt://host[:port]` or `mqtts://host[:port]`: doors to one broker or cluster, tried in turn. */
  urls: string[];
  /** For `mqtts://`. What the broker shows is always verified. */
  tls?: BrokerTls;
}

export interface BrokerWorld {
  clock: Clock;
  random: Random;
  log: Log;
}

export function createBroker(settings: BrokerSettings, world: BrokerWorld): Broker {
  return new MqttBroker(settings, world);
}

type Open = { kind: "open"; session: Session; offer: BrokerSession };
type Failed = { kind: "failed"; why: string };

class MqttBroker implements Broker {
  readonly #settings: BrokerSettings;
  readonly #world: BrokerWorld;
  /** By door, on the monotonic clock. */
  readonly #fiveRefusedAtMs = new Map<string, number>();
  #running: Promise<void> | null = null;
  #session: Session | null = null;
  #turn = 0;
  #stopped = false;
  /** Ends what the loop waits for; an open session is closed instead. */
  #interrupt = new AbortController();

  constructor(settings: BrokerSettings, world: BrokerWorld) {
    this.#settings = settings;
    this.#world = world;
  }

  start(events: BrokerEvents): void {
    this.#running ??= this.#run(events);
  }

  publish(message: Message): Promise<PublishOutcome> {
    return this.#session?.publish(message) ?? Promise.resolve({ kind: "lost", why: "not connected" });
  }

  async stop(last: Message): Promise<void> {
    this.#stopped = true;
    this.#interrupt.abort("stopped");
    await this.#session?.close(last);
    await this.#running;
  }

  async #run(events: BrokerEvents): Promise<void> {
    const { clock, random, log } = this.#world;
    const mqtt = loadMqtt();
    const backoff = new Backoff(random);
    /** What the last failure of this row was said to be. */
    let said: string | null = null;
    while (!this.#stopped) {
      const opened = await this.#openADoor({ clock, log, mqtt }, events);
      if (this.#stopped) return;
      if (opened.kind === "failed") {
        if (said !== opened.why) events.down(opened.why);
        said = opened.why;
        await this.#pause(backoff.afterFailure());
        continue;
      }
      const openedAtMs = clock.monotonicMs();
      events.up(opened.offer);
      const { why, cause } = await opened.session.ended;
      if (this.#stopped) return;
      const pauseMs = backoff.afterLoss(cause, clock.monotonicMs() - openedAtMs);
      said = backoff.suspectsTakeover ? `${why}: does another client use the same client id?` : why;
      events.down(said);
      await this.#pause(pauseMs);
    }
  }

  /** Each door once, beginning with the one after the last. */
  async #openADoor(world: SessionWorld, events: BrokerEvents): Promise<Open | Failed> {
    const whys: string[] = [];
    for (const _ of this.#settings.urls) {
      const { urls } = this.#settings;
      const url = urls[this.#turn++ % urls.length]!;
      const door = parseDoor(url);
      if (door === null) {
        whys.push("an address in mqtt.urls is no mqtt://host:port or mqtts://host:port");
        continue;
      }
      const opened = await this.#open(door, world, events);
      if (opened.kind === "open" || this.#stopped) return opened;
      world.log.debug("a broker cannot be reached", { door: door.name, why: opened.why });
      whys.push(`${door.name}: ${opened.why}`);
    }
    return { kind: "failed", why: whys.join("; ") };
  }

  /**
   * MQTT 5, and 3.1.1 where that is what the broker has. Closing without a word on MQTT 5 is also how a broker, or what stands
   * before it, goes and comes, and what is spoken then is spoken for as long as the connection lasts, which may be months: a
   * broker that takes 3.1.1 after that is asked for 5 once more, now that it is there.
   */
  async #open(door: Door, world: SessionWorld, events: BrokerEvents): Promise<Open | Failed> {
    const nowMs = world.clock.monotonicMs();
    const fiveRefusedAtMs = this.#fiveRefusedAtMs.get(door.name);
    if (fiveRefusedAtMs !== undefined && nowMs - fiveRefusedAtMs < FIVE_AGAIN_MS) {
      return this.#openWith("3.1.1", door, world, events);
    }
    for (let isThere = false; ; isThere = true) {
      const five = await this.#openWith("5.0", door, world, events);
      if (five.kind === "open") this.#fiveRefusedAtMs.delete(door.name);
      if (five.kind === "open" || five.versionRefused === "no" || this.#stopped) return five;
      const isRefused = isThere || five.versionRefused === "in-words";
      // Before 3.1.1 is tried: who lets in only so many connections at once is asked for that alone the next time.
      if (isRefused) this.#fiveRefusedAtMs.set(door.name, nowMs);
      const older = await this.#openWith("3.1.1", door, world, events);
      if (isRefused || older.kind === "failed" || this.#stopped) return older;
      await older.session.leave();
      if (this.#stopped) return older;
    }
  }

  async #openWith(
    protocol: Protocol,
    door: Door,
    world: SessionWorld,
    events: BrokerEvents,
  ): Promise<Open | (Failed & { versionRefused: VersionRefused })> {
    const interrupt = new AbortController();
    this.#interrupt = interrupt;
    const limit = world.clock.after(CONNECT_MS_MAX, () =>
      interrupt.abort(`no answer within ${CONNECT_MS_MAX / 1000} s`),
    );
    const dialed = await dial(door, this.#settings.tls, interrupt.signal);
    if (dialed.kind === "failed") {
      limit.cancel();
      return { ...dialed, versionRefused: "no" };
    }
    const session = new Session(dialed.socket, door, protocol, this.#settings, world, {
      received: (message) => {
        if (!this.#stopped) events.received(message);
      },
      subscribed: (topic, why) => {
        if (!this.#stopped) events.subscribed?.(topic, why);
      },
    });
    this.#session = session;
    const opened = await session.open(interrupt.signal);
    limit.cancel();
    return opened.kind === "open" ? { kind: "open", session, offer: opened.offer } : opened;
  }

  #pause(delayMs: number): Promise<void> {
    const interrupt = new AbortController();
    this.#interrupt = interrupt;
    return new Promise((resolve) => {
      const timer = this.#world.clock.after(delayMs, resolve);
      interrupt.signal.addEventListener("abort", () => {
        timer.cancel();
        resolve();
      });
    });
  }
}
