/** Opening an access point for a person at the console, as a command does: written down before anything moves. */
import type { Who } from "../../sync/site-change.ts";
import type { Opening, Turnstile } from "../gate/turnstile.ts";
import type { Settlement } from "../journal/journal.ts";

export interface OpeningRooms {
  /** Makes the names of its commands differ from those of any other run. */
  run: string;
  /** Of an access point that has a relay, or null. */
  turnstileOf(accessPoint: string): Turnstile | null;
  note(event: string, data: Record<string, unknown>): Promise<Settlement>;
}

export class Openings {
  readonly #rooms: OpeningRooms;
  #count = 0;

  constructor(rooms: OpeningRooms) {
    this.#rooms = rooms;
  }

  /** Null: the access point has no relay. */
  async open(accessPoint: string, claims: { who: Who; why: string | null }): Promise<Opening | null> {
    const turnstile = this.#rooms.turnstileOf(accessPoint);
    if (turnstile === null) return null;
    this.#count += 1;
    const id = `console-${this.#rooms.run}-${this.#count}`;
    const command = { command: "open", id, accessPoint, ...claims };
    return turnstile.commanded(id, (facts) => this.#rooms.note("command", { ...command, ...facts }));
  }
}
