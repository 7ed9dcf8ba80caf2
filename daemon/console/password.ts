/**
 * The console's one password. It is held as a key that scrypt derived; a guess costs an address its patience and this machine one
 * derivation at a time, so that nobody who guesses keeps the disk's threads busy.
 */
import { createHmac, scrypt, timingSafeEqual } from "node:crypto";
import type { Clock, Log, Random } from "../../drivers/ports.ts";

/** Wrong passwords from one address in a minute: enough for a person in the rain, useless for guessing. */
const FAILURES_PER_MINUTE_MAX = 10;
/** Addresses that are remembered; while the table is full no other address may try. */
const ADDRESSES_MAX = 1_024;
/** Guesses that wait for their turn; more are told to come back. */
const GUESSES_WAITING_MAX = 32;
const MINUTE_MS = 60_000;
/** 16 MiB and some 50 ms: as dear as a small board bears while it decides (RFC 7914, section 2). */
const SCRYPT = { N: 2 ** 14, r: 8, p: 1 };
const KEY_BYTES = 32;

/** `busy`: ask again in a second. `spent`: this address has guessed wrongly too often; in a minute again. */
export type Verdict = "right" | "wrong" | "busy" | "spent";

export class Password {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #salt: Uint8Array;
  /** Names guesses in memory without keeping them: another one at every start. */
  readonly #pepper: Uint8Array;
  readonly #failures = new Map<string, number>();
  readonly #guesses = new Map<string, Promise<boolean>>();
  readonly #key: Promise<Buffer>;
  #failuresSinceMs = 0;
  /** The right one's name, once it was given: those who give it with every request derive nothing. */
  #right: Buffer | null = null;
  #turn: Promise<unknown>;

  constructor(password: string, world: { clock: Clock; log: Log; random: Random }) {
    this.#clock = world.clock;
    this.#log = world.log;
    this.#salt = world.random.bytes(16);
    this.#pepper = world.random.bytes(KEY_BYTES);
    this.#key = derive(password, this.#salt);
    this.#turn = this.#key;
  }

  /** `address`: who asks. Takes as long for a password that is nearly right as for any other. */
  async check(given: string, address: string): Promise<Verdict> {
    if (this.#isSpent(address)) return "spent";
    const name = createHmac("sha256", this.#pepper).update(given).digest();
    if (this.#right !== null && timingSafeEqual(name, this.#right)) return "right";
    const isRight = await this.#guess(given, name, address);
    if (isRight === null) return "busy";
    if (isRight) return "right";
    // Others of the same address may have failed while this one waited.
    if (this.#isSpent(address)) return "spent";
    if (this.#fail(address) === 1) this.#log.warn("wrong password at the console", { address });
    return "wrong";
  }

  /** Null: too many are waiting. The same guess at the same time is derived once. */
  #guess(given: string, name: Buffer, address: string): Promise<boolean> | null {
    const id = name.toString("hex");
    const under = this.#guesses.get(id);
    if (under !== undefined) return under;
    if (this.#guesses.size >= GUESSES_WAITING_MAX) return null;
    const guess = this.#turn.then(async () => {
      if (this.#isSpent(address)) return false;
      const isRight = timingSafeEqual(await derive(given, this.#salt), await this.#key);
      if (isRight) this.#right = name;
      return isRight;
    });
    this.#guesses.set(id, guess);
    this.#turn = guess.finally(() => this.#guesses.delete(id)).catch(() => false);
    return guess;
  }

  /** Failed attempts are forgotten together, a minute after the first. */
  #isSpent(address: string): boolean {
    if (this.#clock.monotonicMs() - this.#failuresSinceMs >= MINUTE_MS) this.#failures.clear();
    const count = this.#failures.get(address);
    return count === undefined ? this.#failures.size >= ADDRESSES_MAX : count >= FAILURES_PER_MINUTE_MAX;
  }

  /** Failures of this address, with this one. */
  #fail(address: string): number {
    if (this.#failures.size === 0) this.#failuresSinceMs = this.#clock.monotonicMs();
    const count = (this.#failures.get(address) ?? 0) + 1;
    this.#failures.set(address, count);
    return count;
  }
}

function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((done, fail) => {
    scrypt(password, salt, KEY_BYTES, SCRYPT, (error, key) => (error === null ? done(key) : fail(error)));
  });
}
