import type {
  Broker,
  BrokerEvents,
  BrokerSession,
  Message,
  PublishOutcome,
  Received,
  Timer,
} from "../../drivers/ports.ts";
import type { SimClock } from "./clock.ts";
import { SimRandom } from "./random.ts";

/** What the port promises: an answer, or `lost`, within this time. */
const ANSWER_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2_000;
/** After which both sides give a silent connection up (keep-alive). */
const SILENCE_MS_MAX = 15_000;

export interface Delivered extends Message {
  /** On the world's clock. */
  atMs: number;
}

export interface SimBrokerOptions {
  /** The world's clock, not a gateway's: what is on the wire goes on when a gateway dies. */
  clock: SimClock;
  random?: SimRandom;
  trace?: (line: string) => void;
}

/** A message under way, as the broker's side sees it. */
interface Flight {
  message: Message;
  answer(outcome: PublishOutcome): void;
}

/**
 * A broker and the way to it. `attach` gives a gateway's port to it, one for each life of a gateway; what all of
 * them delivered stands in `delivered`, in the order it came. Messages of one connection never overtake each
 * other, nor do their acknowledgements (MQTT 5, 4.6).
 */
export class SimBroker {
  // ---- how it behaves; may be changed at any time

  /** One way, in ms; drawn evenly from this range. */
  travelMs: [number, number] = [1, 20];
  /** From arrival to acknowledgement, beside the way back. */
  thinkMs: [number, number] = [0, 5];
  /**
   * From this message on, the wire brings no answers back: messages arrive, nobody hears of it. As on TCP nothing
   * is lost out of a row; the connection ends when it has been silent for `SILENCE_MS_MAX`.
   */
  loseAcknowledgementChance = 0;
  /** From this message on, the wire brings nothing there either. */
  loseMessageChance = 0;
  /** The message is delivered twice, as QoS 1 allows. */
  duplicateChance = 0;
  /** Why the broker refuses a message, or null. */
  refuse: (message: Message) => string | null = () => null;
  /** From losing the connection, or failing to get one, to the next attempt. */
  reconnectMs: [number, number] = [500, 5_000];
  session: BrokerSession = {
    url: "mqtt://simulated",
    protocol: "5.0",
    receiveMaximum: 20,
    maximumPacketSizeBytes: 1_048_576,
  };

  // ---- what it saw

  readonly delivered: Delivered[] = [];
  readonly retained = new Map<string, Message>();
  /** What a real broker would have ended the connection for. Expected to stay empty. */
  readonly violations: string[] = [];

  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly #trace: ((line: string) => void) | undefined;
  #whyDown: string | null = null;
  #attached: AttachedBroker | null = null;

  constructor(options: SimBrokerOptions) {
    this.clock = options.clock;
    this.random = options.random ?? new SimRandom("broker");
    this.#trace = options.trace;
  }

  /** The port for one life of a gateway. The one before is as if its process were gone: its will is sent. */
  attach(clock: SimClock, will?: Message): Broker {
    this.vanish();
    this.#attached = new AttachedBroker(this, clock, will);
    return this.#attached;
  }

  /** The gateway is gone without a word: its connection breaks, and nobody is told anything but the will. */
  vanish(): void {
    this.#attached?.vanish();
    this.#attached = null;
  }

  goDown(why = "connection refused"): void {
    this.#whyDown = why;
    this.note(`is down: ${why}`);
    this.#attached?.breakConnection(why);
  }

  comeUp(): void {
    this.#whyDown = null;
    this.note("is up");
  }

  /** Breaks the connection once; the gateway may come back at once. */
  drop(why = "connection reset"): void {
    this.note(`drops the connection: ${why}`);
    this.#attached?.breakConnection(why);
  }

  /** Sends a message to the gateway, as far as it is connected. */
  send(message: Received): void {
    this.#attached?.receive(message);
  }

  /** Why nobody can connect, or null. */
  get whyDown(): string | null {
    return this.#whyDown;
  }

  get isConnected(): boolean {
    return this.#attached?.isConnected ?? false;
  }

  /** Payloads delivered on a topic (or on all that `topic` matches), in order. */
  payloads(topic: string | RegExp): string[] {
    const matches = (name: string) => (typeof topic === "string" ? name === topic : topic.test(name));
    return this.delivered.filter((message) => matches(message.topic)).map((message) => message.payload);
  }

  /** Takes a message in. For `attach`ed ports. */
  deliver(message: Message): void {
    this.note(`has ${message.topic} ${message.payload}`);
    this.delivered.push({ ...message, atMs: this.clock.monotonicMs() });
    if (!message.retain) return;
    if (message.payload === "") this.retained.delete(message.topic);
    else this.retained.set(message.topic, message);
  }

  note(text: string): void {
    this.#trace?.(`broker ${text}`);
  }
}

/** One gateway life's connection: the port, and the wire between. */
class AttachedBroker implements Broker {
  readonly #broker: SimBroker;
  readonly #clock: SimClock;
  readonly #will: Message | undefined;
  #events: BrokerEvents | null = null;
  /** Unanswered messages of this connection; empty while there is none. */
  #flights = new Set<Flight>();
  #connected = false;
  /** The wire of this connection: what was under way on an earlier one is gone with it. */
  #wire = { bringsThere: true, bringsBack: true };
  #stopped = false;
  /** A row of failures has been told of. */
  #toldDown = false;
  #retry: Timer | null = null;
  /** No message arrives, and no answer, before these instants: the wire keeps the order. */
  #arriveAtMs = 0;
  #answerAtMs = 0;

  constructor(broker: SimBroker, clock: SimClock, will: Message | undefined) {
    this.#broker = broker;
    this.#clock = clock;
    this.#will = will;
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  // ---------------------------------------------------------------- the port

  start(events: BrokerEvents): void {
    this.#events = events;
    this.#connectAfter(this.#draw(this.#broker.travelMs));
  }

  publish(message: Message): Promise<PublishOutcome> {
    if (!this.#connected) return Promise.resolve({ kind: "lost", why: "not connected" });
    if (this.#flights.size >= this.#broker.session.receiveMaximum) {
      this.#broker.violations.push(
        `more than ${this.#broker.session.receiveMaximum} unacknowledged messages`,
      );
    }
    return new Promise((resolve) => {
      // A broker that keeps one message that long holds up all behind it: the connection is given up.
      const timeout = this.#clock.after(ANSWER_TIMEOUT_MS, () => this.breakConnection("no answer"));
      const flight: Flight = {
        message,
        answer: (outcome) => {
          timeout.cancel();
          if (this.#flights.delete(flight)) resolve(outcome);
        },
      };
      this.#flights.add(flight);
      this.#fly(flight);
    });
  }

  async stop(last: Message): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#retry?.cancel();
    if (this.#connected) {
      const timedOut = new Promise((resolve) => this.#clock.after(STOP_TIMEOUT_MS, () => resolve(null)));
      await Promise.race([this.publish(last), timedOut]);
    }
    this.#connected = false;
    this.#lose("stopped");
    this.#events = null;
    this.#broker.note("was left cleanly");
  }

  // ---------------------------------------------------------------- what happens to it

  breakConnection(why: string): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#sendWill();
    this.#lose(why);
    if (this.#stopped) return;
    this.#tellDown(why);
    this.#connectAfter(this.#draw(this.#broker.reconnectMs));
  }

  vanish(): void {
    if (this.#connected) this.#sendWill();
    this.#connected = false;
    this.#stopped = true;
    this.#flights.clear();
    this.#retry?.cancel();
    this.#events = null;
  }

  receive(message: Received): void {
    const delayMs = this.#draw(this.#broker.travelMs);
    this.#clock.after(delayMs, () => {
      if (this.#connected) this.#events?.received(message);
    });
  }

  // ---------------------------------------------------------------- the wire

  /** There, unless the connection breaks on the way; and back, unless the way back fails. */
  #fly(flight: Flight): void {
    const broker = this.#broker;
    const world = broker.clock;
    const wire = this.#wire;
    if (broker.random.chance(broker.loseMessageChance)) this.#goSilent("there");
    if (broker.random.chance(broker.loseAcknowledgementChance)) this.#goSilent("back");
    if (!wire.bringsThere) return;
    const twice = broker.random.chance(broker.duplicateChance);

    this.#arriveAtMs = Math.max(this.#arriveAtMs, world.monotonicMs() + this.#draw(broker.travelMs));
    world.after(this.#arriveAtMs - world.monotonicMs(), () => {
      if (!this.#connected || this.#wire !== wire) return;
      const refusal = broker.refuse(flight.message);
      if (refusal === null) {
        broker.deliver(flight.message);
        if (twice) broker.deliver(flight.message);
      }
      if (!wire.bringsBack) return;
      const backMs = this.#draw(broker.thinkMs) + this.#draw(broker.travelMs);
      this.#answerAtMs = Math.max(this.#answerAtMs, world.monotonicMs() + backMs);
      this.#clock.after(this.#answerAtMs - world.monotonicMs(), () => {
        flight.answer(refusal === null ? { kind: "acknowledged" } : { kind: "refused", why: refusal });
      });
    });
  }

  /** A connection that looks alive and is not, until somebody notices. */
  #goSilent(way: "there" | "back"): void {
    const wire = this.#wire;
    if (!wire.bringsBack && (way === "back" || !wire.bringsThere)) return;
    this.#broker.note(`is not heard any more${way === "there" ? ", nor does it hear" : ""}`);
    wire.bringsBack = false;
    if (way === "there") wire.bringsThere = false;
    this.#broker.clock.after(SILENCE_MS_MAX, () => {
      if (this.#wire === wire) this.breakConnection("keep-alive: no answer");
    });
  }

  #connectAfter(delayMs: number): void {
    this.#retry = this.#clock.after(delayMs, () => this.#connect());
  }

  #connect(): void {
    const why = this.#broker.whyDown;
    if (why === null) {
      this.#connected = true;
      this.#wire = { bringsThere: true, bringsBack: true };
      this.#toldDown = false;
      this.#broker.note("is connected to");
      this.#events?.up(this.#broker.session);
    } else {
      this.#tellDown(why);
      this.#connectAfter(this.#draw(this.#broker.reconnectMs));
    }
  }

  #tellDown(why: string): void {
    if (this.#toldDown) return;
    this.#toldDown = true;
    this.#events?.down(why);
  }

  #lose(why: string): void {
    for (const flight of [...this.#flights]) flight.answer({ kind: "lost", why });
  }

  #sendWill(): void {
    if (this.#will !== undefined) this.#broker.deliver(this.#will);
  }

  #draw([low, high]: [number, number]): number {
    return this.#broker.random.between(low, high);
  }
}
