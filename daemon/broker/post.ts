/**
 * What is published beside the events: states, answers to commands, announcements. One message at a time, so that all but one of
 * those a broker takes at once are for events.
 */
import type { Message, PublishOutcome } from "../../drivers/ports.ts";

/** Answers to as many commands as are taken at once, and a state. What is more is lost: nothing here is kept for later. */
const WAITING_MAX = 32;

export class Post {
  readonly #publish: (message: Message) => Promise<PublishOutcome>;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(publish: (message: Message) => Promise<PublishOutcome>) {
    this.#publish = publish;
  }

  /** Never rejects. */
  send(message: Message): Promise<PublishOutcome> {
    if (this.#waiting >= WAITING_MAX)
      return Promise.resolve({ kind: "lost", why: "too many messages wait to be published" });
    this.#waiting += 1;
    const outcome = this.#last.then(() => this.#publish(message));
    this.#last = outcome;
    return outcome.finally(() => {
      this.#waiting -= 1;
    });
  }
}
