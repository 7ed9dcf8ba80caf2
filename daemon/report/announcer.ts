/**
 * Publishes what is announced to others at each connection, and takes back what no longer is: what was announced is remembered, as a
 * broker keeps it for ever.
 */
import type { Files, Log, Message, PublishOutcome } from "../../drivers/ports.ts";
import { wordsOf } from "../words.ts";

/** Topics of the largest gateway, a few times over. */
const FILE_BYTES_MAX = 1024 * 1024;

export interface Announcement {
  messages: readonly Message[];
  /** Topics that others of ours keep retained messages on, to be taken back with these. */
  kept: readonly string[];
}

export class Announcer {
  readonly #path: string;
  readonly #messages: readonly Message[];
  readonly #topics: ReadonlySet<string>;
  readonly #world: { files: Files; log: Log; publish(message: Message): Promise<PublishOutcome> };
  /** Topics that a broker may hold something of ours on. */
  #remembered: readonly string[] = [];
  #isRemembered: Promise<void> = Promise.resolve();
  /** Raised at each connection and its end. */
  #round = 0;

  constructor(
    path: string,
    { messages, kept }: Announcement,
    world: { files: Files; log: Log; publish(message: Message): Promise<PublishOutcome> },
  ) {
    this.#path = path;
    this.#messages = messages;
    this.#topics = new Set([...messages.map(({ topic }) => topic), ...kept]);
    this.#world = world;
  }

  /** Waits for no disk: what cannot be remembered yet is not announced yet. */
  start(): void {
    this.#isRemembered = this.#recall();
  }

  /** Remembers what will be announced before it is. Never rejects. */
  async #recall(): Promise<void> {
    const { files, log } = this.#world;
    try {
      const bytes = await files.read(this.#path, FILE_BYTES_MAX);
      this.#remembered = bytes === null ? [] : topicsIn(Buffer.from(bytes).toString("utf8"));
    } catch (error) {
      log.warn("what was announced before cannot be read, and is not taken back", { why: wordsOf(error) });
    }
    await this.#remember([...new Set([...this.#remembered, ...this.#topics])]);
  }

  connected(): void {
    this.#round += 1;
    const round = this.#round;
    void this.#isRemembered.then(() => this.#announce(round));
  }

  disconnected(): void {
    this.#round += 1;
  }

  async #announce(round: number): Promise<void> {
    if (round !== this.#round) return;
    const over = this.#remembered.filter((topic) => !this.#topics.has(topic));
    // An empty message takes back what is retained.
    const takenBack = over.map((topic) => ({ topic, payload: "", retain: true }));
    let refused: string | null = null;
    const gone = new Set<string>();
    for (const message of [...takenBack, ...this.#messages]) {
      const outcome = await this.#world.publish(message);
      if (round !== this.#round) return;
      if (outcome.kind === "refused") refused = outcome.why;
      else if (outcome.kind === "acknowledged" && message.payload === "") gone.add(message.topic);
    }
    if (refused !== null)
      this.#world.log.warn("the broker refuses what is announced to Home Assistant", { why: refused });
    if (gone.size > 0) await this.#remember(this.#remembered.filter((topic) => !gone.has(topic)));
  }

  async #remember(topics: readonly string[]): Promise<void> {
    if (
      topics.length === this.#remembered.length &&
      topics.every((topic) => this.#remembered.includes(topic))
    )
      return;
    this.#remembered = topics;
    const { files, log } = this.#world;
    const text = `${JSON.stringify(topics)}\n`;
    await files.replace(this.#path, Buffer.from(text)).catch((error: unknown) => {
      log.warn("what is announced could not be written down, and may have to be taken back by hand", {
        why: wordsOf(error),
      });
    });
  }
}

/** Throws where the text is none of ours. */
function topicsIn(text: string): string[] {
  const topics: unknown = JSON.parse(text);
  if (!Array.isArray(topics) || !topics.every((topic) => typeof topic === "string"))
    throw new Error("it is damaged");
  return topics;
}
