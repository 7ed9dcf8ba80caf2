/**
 * Who has signed in. A session lives in memory only: after a restart one signs in again.
 */
import { createHash } from "node:crypto";
import type { Clock, Random } from "../../drivers/ports.ts";

/** A long shift. */
export const SESSION_SECONDS = 12 * 3_600;
/** Everybody who is at one site with a telephone; beyond them the one who signed in first has to do so again. */
const SESSIONS_MAX = 64;
const TOKEN_BYTES = 32;

export interface Session {
  /** Who they said they are. */
  name: string;
}

export class Sessions {
  readonly #clock: Clock;
  readonly #random: Random;
  /** By the hash of the token: what is in memory opens nothing. */
  readonly #sessions = new Map<string, Session & { endsMs: number }>();

  constructor(world: { clock: Clock; random: Random }) {
    this.#clock = world.clock;
    this.#random = world.random;
  }

  /** The token to be kept by the browser. */
  open(name: string): string {
    const token = Buffer.from(this.#random.bytes(TOKEN_BYTES)).toString("base64url");
    for (const [id, { endsMs }] of this.#sessions)
      if (this.#isOver(endsMs) || this.#sessions.size >= SESSIONS_MAX) this.#sessions.delete(id);
    this.#sessions.set(idOf(token), { name, endsMs: this.#clock.monotonicMs() + SESSION_SECONDS * 1_000 });
    return token;
  }

  find(token: string): Session | null {
    const session = this.#sessions.get(idOf(token));
    return session === undefined || this.#isOver(session.endsMs) ? null : session;
  }

  close(token: string): void {
    this.#sessions.delete(idOf(token));
  }

  #isOver(endsMs: number): boolean {
    return this.#clock.monotonicMs() >= endsMs;
  }
}

function idOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
