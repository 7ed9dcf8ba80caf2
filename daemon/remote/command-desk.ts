/**
 * Commands over MQTT (CONTRACT 7): taken off the broker, judged, kept from being taken twice, written down, carried out, answered.
 * docs/commands.md says what each one does.
 */
import type { Clock, Files, Log, Message, Received } from "../../drivers/ports.ts";
import {
  type Command,
  type CommandReader,
  type CommandState,
  isRefused,
  type Refusal,
  type Refused,
  refused,
} from "../broker/command.ts";
import type { CommandName } from "../broker/command-schema.ts";
import { createNoise, type Noise } from "../gate/noise.ts";
import type { Settlement } from "../journal/journal.ts";
import { maskCards } from "../mask.ts";
import { DISCOVERY_PREFIX } from "../report/home-assistant-entities.ts";
import type { Topics } from "../report/report.ts";
import { wordsOf } from "../words.ts";
import { CommandIds, type Taken } from "./command-ids.ts";

/** A person sends one at a time, a centre a few. */
const COMMANDS_PER_SECOND_MAX = 5;
const COMMANDS_AT_ONCE_MAX = 10;
/** Carried out at the same time; most of them only wait for a disk, a feed or a card. */
const UNDER_WAY_MAX = 16;
/** Of somebody else's choosing; longer ones are for nobody. */
const RESPONSE_TOPIC_BYTES_MAX = 512;
const CORRELATION_BYTES_MAX = 256;
/** Brokers throw out who publishes deeper (Mosquitto: below 200 levels), and would throw out the gateway for somebody else's wish. */
const RESPONSE_TOPIC_LEVELS_MAX = 32;

/** What came of a command, beside `ok`; without tokens. */
export type Outcome =
  | { kind: "done"; facts: Readonly<Record<string, unknown>> }
  | { kind: "refused"; reason: Refusal; why: string };

/** Writes the command down, with these facts; resolves with whether it is on the disk. */
export type WriteDown = (facts?: Readonly<Record<string, unknown>>) => Promise<Settlement>;

export interface Deed {
  /** Why there is nothing here that it could be done to, or null. */
  fault: string | null;
  /** Has it written down first. May reject, in words. */
  carryOut(writeDown: WriteDown): Promise<Outcome>;
}

export interface Deeds {
  of(command: Command): Deed;
  /** What only waits is ended. */
  stop(): void;
}

export interface CommandSettings {
  /** Those of `mqtt.commands`. */
  names: readonly CommandName[];
  topics: Pick<Topics, "own" | "command" | "reply">;
  idsPath: string;
}

export interface CommandRooms {
  note(event: string, data: Record<string, unknown>): Promise<Settlement>;
  post(message: Message): void;
  /** A state has changed. */
  changed(): void;
}

export class CommandDesk {
  readonly #settings: CommandSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #deeds: Deeds;
  readonly #rooms: CommandRooms;
  readonly #reader: CommandReader;
  readonly #ids: CommandIds;
  readonly #noise: Noise;
  readonly #states = new Map<CommandName, CommandState>();
  /** When all commands so far would have come at `COMMANDS_PER_SECOND_MAX`. */
  #takenByMs = 0;
  #underWay = 0;
  #isOpen = false;

  constructor(
    settings: CommandSettings,
    world: { clock: Clock; files: Files; log: Log },
    { reader, deeds }: { reader: CommandReader; deeds: Deeds },
    rooms: CommandRooms,
  ) {
    this.#settings = settings;
    this.#clock = world.clock;
    this.#log = world.log;
    this.#reader = reader;
    this.#deeds = deeds;
    this.#rooms = rooms;
    this.#ids = new CommandIds(settings.idsPath, world);
    this.#noise = createNoise(this.#clock, (count) => void rooms.note("commands-refused", { count }));
    this.disconnected();
  }

  states(): Partial<Record<CommandName, CommandState>> {
    return Object.fromEntries(this.#states);
  }

  /** `floorMs`: the latest trusted time ever seen. Nothing is taken before. */
  async open(floorMs: number): Promise<void> {
    await this.#ids.load(floorMs);
    this.#isOpen = true;
  }

  subscribed(topic: string, why: string | null): void {
    const name = this.#nameOf(topic);
    if (name === undefined) return;
    this.#states.set(name, { state: why === null ? "taken" : "refused", why });
    this.#rooms.changed();
  }

  disconnected(): void {
    for (const name of this.#settings.names) this.#states.set(name, { state: "waiting", why: null });
  }

  /** Any message; whether it is on a topic of commands. Never throws. */
  received(message: Received): boolean {
    const name = this.#nameOf(message.topic);
    if (name === undefined) return false;
    // A retained one is taken back with an empty message.
    if (this.#isOpen && message.payload.length > 0) void this.#take(name, message);
    return true;
  }

  /** Takes no more. Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#isOpen = false;
    this.#deeds.stop();
    this.#noise.flush();
    await this.#ids.settled();
  }

  // ---------------------------------------------------------------- one command

  async #take(name: CommandName, message: Received): Promise<void> {
    // Not answered: whoever floods a gateway is not to have it flood somebody else.
    if (this.#isTooMuch())
      return this.#noteRefusal(name, refused(null, "too-many", "commands come faster than they are taken"));
    this.#underWay += 1;
    try {
      const now = { wallMs: this.#clock.wallMs(), trusted: this.#clock.trusted() };
      const read = this.#reader.read(name, message, now);
      const outcome = isRefused(read) ? read : await this.#obey(read);
      if (outcome.kind === "refused") this.#noteRefusal(name, { id: read.id, ...outcome });
      this.#answer(name, read.id, message, outcome);
    } finally {
      this.#underWay -= 1;
    }
  }

  async #obey(command: Command): Promise<Outcome> {
    const { id, expiresMs } = command;
    const deed = this.#deeds.of(command);
    if (deed.fault !== null) return { kind: "refused", reason: "impossible", why: deed.fault };
    const taken = await this.#ids.take(id, expiresMs);
    if (taken !== "taken") return { kind: "refused", ...NOT_TAKEN[taken] };
    this.#log.info("command taken", { command: command.name, id: maskCards(id) });
    // The disk may have taken its time.
    if (this.#clock.wallMs() >= expiresMs)
      return { kind: "refused", reason: "expired", why: "it expired while its id was being written down" };
    try {
      return await deed.carryOut((facts) => this.#rooms.note("command", { ...dataOf(command), ...facts }));
    } catch (error) {
      return { kind: "refused", reason: "failed", why: wordsOf(error) };
    }
  }

  /** Counts a command. */
  #isTooMuch(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const byMs = Math.max(nowMs, this.#takenByMs) + 1_000 / COMMANDS_PER_SECOND_MAX;
    if (byMs - nowMs > (1_000 * COMMANDS_AT_ONCE_MAX) / COMMANDS_PER_SECOND_MAX) return true;
    this.#takenByMs = byMs;
    return this.#underWay >= UNDER_WAY_MAX;
  }

  #noteRefusal(command: CommandName, { id, reason, why }: Omit<Refused, "kind">): void {
    if (!this.#noise.admit()) return;
    this.#log.warn("command refused", { command, reason, why: maskCards(why) });
    void this.#rooms.note("command-refused", { command, id, reason, why });
  }

  #answer(command: CommandName, id: string | null, asked: Received, outcome: Outcome): void {
    const { topics } = this.#settings;
    const { responseTopic, correlationData } = asked;
    const answer =
      outcome.kind === "done"
        ? { id, command, ok: true, ...outcome.facts }
        : { id, command, ok: false, reason: outcome.reason, why: outcome.why };
    const isOurs = correlationData !== undefined && correlationData.length <= CORRELATION_BYTES_MAX;
    this.#rooms.post({
      topic: isAnswerable(responseTopic, topics) ? responseTopic : topics.reply,
      payload: JSON.stringify(answer),
      retain: false,
      contentType: "application/json",
      ...(isOurs ? { correlationData } : {}),
    });
  }

  #nameOf(topic: string): CommandName | undefined {
    const { names, topics } = this.#settings;
    return names.find((name) => topics.command(name) === topic);
  }
}

const NOT_TAKEN: Record<Exclude<Taken, "taken">, { reason: Refusal; why: string }> = {
  repeated: {
    reason: "repeated",
    why: "this id has been taken already, or may have been: each command has one of its own",
  },
  full: { reason: "too-many", why: "more commands have not expired yet than a gateway remembers" },
  "not-written": { reason: "not-written", why: "its id could not be written down" },
};

/** What is journaled of a command: all that its payload claims. */
function dataOf({ name, id, expiresMs, who, why, asked }: Command): Record<string, unknown> {
  const expires = new Date(expiresMs).toISOString();
  return { command: name, id, expires, who: { by: "mqtt", name: who ?? "" }, why, ...asked };
}

/**
 * Whether an answer may go there. Not to where this gateway itself speaks, nor to anybody's commands: its rights are not to serve who
 * has none.
 */
function isAnswerable(
  topic: string | undefined,
  { own, reply }: { own: string; reply: string },
): topic is string {
  if (topic === undefined || topic === "" || Buffer.byteLength(topic) > RESPONSE_TOPIC_BYTES_MAX)
    return false;
  // Of wildcards, and of characters that a broker may end the connection for (MQTT 5, 1.5.4).
  if (/[+#\p{Cc}\p{Cs}\p{Cn}]/u.test(topic) || topic.startsWith("$")) return false;
  const levels = topic.split("/");
  if (levels.length > RESPONSE_TOPIC_LEVELS_MAX || levels.includes("command")) return false;
  if (topic.startsWith(`${DISCOVERY_PREFIX}/`)) return false;
  return !topic.startsWith(`${own}/`) || topic === reply || topic.startsWith(`${reply}/`);
}
