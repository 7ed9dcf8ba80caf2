/** Somebody at the centre who sends commands, and a wire that brings them again; and what must hold of them, seen from outside. */
import type { Line } from "../../daemon/journal/record.ts";
import type { Received } from "../../drivers/ports.ts";
import type { SimRandom } from "./random.ts";
import { Violation } from "./violation.ts";
import type { SimWorld } from "./world.ts";

/** Good for so long, by a clock that is right. */
const EXPIRES_MS = 20_000;
/** Of those that were sent, so many may come again, also after the gateway has been started anew. */
const REMEMBERED_MAX = 8;

/** Answers that are kept to be compared: of many more than may still come again. */
const DONE_MAX = 1_000;

export class SimCommander {
  readonly #world: SimWorld;
  readonly #base: string;
  readonly #openable: readonly string[];
  readonly #sent: Received[] = [];
  #count = 0;
  #heardCount = 0;
  /** By id: the answer that said it was done. */
  readonly #done = new Map<string, string>();

  /** `base`: what the gateway's topics begin with. `openable`: access points that have a relay. */
  constructor(world: SimWorld, base: string, openable: readonly string[]) {
    this.#world = world;
    this.#base = base;
    this.#openable = openable;
  }

  /** What somebody may send in a second. */
  second(random: SimRandom): void {
    if (random.chance(0.3)) this.open(random.pick(this.#openable), random.chance(0.05));
    if (random.chance(0.03)) this.#send("refresh", {});
    if (random.chance(0.05))
      this.#send("resend", { from: random.between(1, 200), to: random.between(1, 400) });
    if (random.chance(0.02)) this.#send("identify", { reader: "in-1", seconds: 5 });
    if (random.chance(0.03))
      this.#bring({ topic: `${this.#base}/command/open`, payload: random.bytes(64), retained: false });
    if (this.#sent.length > 0 && random.chance(0.3)) this.#bring(random.pick(this.#sent));
  }

  /** `twice`: it comes twice at once. */
  open(accessPoint: string, twice: boolean): void {
    const message = this.#send("open", { accessPoint });
    if (twice) this.#bring(message);
  }

  /** Everything that was sent of late comes once more. */
  again(): void {
    for (const message of this.#sent) this.#bring(message);
  }

  /** Throws where a command was said to be done twice. */
  check(): void {
    const { delivered } = this.#world.broker;
    // A long run forgets what was delivered.
    const news = delivered.slice(Math.min(this.#heardCount, delivered.length));
    this.#heardCount = delivered.length;
    for (const { topic, payload } of news) {
      if (topic !== `${this.#base}/reply`) continue;
      const { id, ok } = JSON.parse(payload) as { id: string | null; ok: boolean };
      if (!ok || id === null) continue;
      if ((this.#done.get(id) ?? payload) !== payload) throw new Violation(`command ${id} was done twice`);
      this.#done.set(id, payload);
      if (this.#done.size > DONE_MAX) this.#done.delete(this.#done.keys().next().value ?? "");
    }
  }

  #send(name: string, asked: object): Received {
    this.#count += 1;
    const expires = new Date(this.#world.clock.wallMs() + EXPIRES_MS).toISOString();
    const text = JSON.stringify({ id: `c-${this.#count}`, expires, ...asked });
    const message = { topic: `${this.#base}/command/${name}`, payload: Buffer.from(text), retained: false };
    this.#sent.push(message);
    if (this.#sent.length > REMEMBERED_MAX) this.#sent.shift();
    this.#bring(message);
    return message;
  }

  #bring(message: Received): void {
    this.#world.note(`centre sends ${message.topic} ${Buffer.from(message.payload).toString("base64")}`);
    this.#world.broker.send(message);
  }
}

/** Whether this line lets a relay move, for a command. */
export function isOpenCommand({ type, data }: Line): boolean {
  return type === "grindvakt.gateway.v1" && data.event === "command" && data.command === "open";
}

/** Of a whole journal: no id is taken twice, and each has at most one pulse. The first fault, in words, or null. */
export function commandFault(lines: readonly Line[]): string | null {
  const taken = new Set<string>();
  const pulsed = new Set<string>();
  for (const { type, data } of lines) {
    if (data.event === "command" && type === "grindvakt.gateway.v1") {
      const id = String(data.id);
      if (taken.has(id)) return `command ${id} was taken twice`;
      taken.add(id);
    }
    if (type !== "grindvakt.passage.v1" || data.event !== "opened" || typeof data.command !== "string")
      continue;
    if (!taken.has(data.command)) return `a relay moved for command ${data.command}, which was not taken`;
    if (pulsed.has(data.command)) return `command ${data.command} had two pulses`;
    pulsed.add(data.command);
  }
  return null;
}
