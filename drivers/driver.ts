/**
 * What a driver is. A driver module is a value `{ type, kind, create }` listed in `registry.ts`; its options'
 * shape lives in `config/schema.ts` under its type's name. `create` stores and does nothing else; `start` acts;
 * `stop` is safe at any time. A device never throws from its data path: it reports *down* with its reason, and is
 * reopened by its supervisor with capped backoff.
 */
import type { Clock, Log, OpenChannel, Random } from "./ports.ts";

// ---------------------------------------------------------------- what was presented

/**
 * A card number in its canonical form (`BB-1234-567890`), or a token: a chip UID in hex, upper case, in the
 * order the chip gives it. A token that a reader cut says which end is left.
 */
export type Credential =
  | { kind: "number"; number: string }
  | { kind: "token"; uid: string; part: "whole" | "first" | "last" };

/** How the credential was had, weakest last; told on each event, because a copied UID takes seconds to make. */
export type Assurance = "number" | "uid" | "uid-cut";

/** Why a presentation gave no credential. `malformed`: text that is no card number, or a token that may not be used. */
export type MisreadReason = "removed-early" | "unreadable" | "wrong-type" | "malformed";

/** `step`: how far the reading got, or what was wrong, in words fit to be shown and without the token. */
export type Reading =
  | { kind: "credential"; credential: Credential; assurance: Assurance }
  | { kind: "misread"; reason: MisreadReason; step: string };

/** The same instant on both clocks, and whether the wall clock could be trusted then. */
export interface Stamp {
  monotonicMs: number;
  wallMs: number;
  trusted: boolean;
}

// ---------------------------------------------------------------- readers

export type Signal = "granted" | "denied";

/** Calls from a reader to the house. Never before `start` resolves or after `stop` is called. */
export interface ReaderEvents {
  /** A presentation, stamped when its first byte was seen by us. */
  reading(reading: Reading, stamp: Stamp): void;
  up(device: { model?: string }): void;
  /** Once for each time it goes down, once when the first opening fails, and again when another reason keeps it down. */
  down(why: string): void;
  /** What the device tells of itself beside cards; left out where nobody wants to know. */
  notice?(notice: ReaderNotice, stamp: Stamp): void;
}

/** `alarm`: somebody may be tampering with the line. `keys` may be a PIN: they are counted and kept nowhere. */
export type ReaderNotice =
  | { kind: "tamper"; active: boolean }
  | { kind: "power"; failed: boolean }
  | { kind: "inputs"; active: readonly boolean[] }
  | { kind: "keys"; digits: string }
  | { kind: "alarm"; why: string }
  | { kind: "commissioned" };

/**
 * What a technician is shown by `trace` and `identify`, from before `reads` is applied. Never journaled and never logged:
 * it may hold a token. `bytes`: as they went over the wire; `text`, `bits` and `uid`: what one presentation gave.
 */
export type Sight =
  | { kind: "bytes"; direction: "in" | "out"; bytes: Uint8Array }
  | { kind: "text"; text: string }
  /** The first bit sent is the uppermost of the first byte. */
  | { kind: "bits"; countBits: number; bytes: Uint8Array }
  /** In the order in which the chip gives them. */
  | { kind: "uid"; bytes: Uint8Array };

export type Observer = (sight: Sight, stamp: Stamp) => void;

export interface Reader {
  /** Resolves when the device has been opened or has failed once; it goes on trying by itself. */
  start(): Promise<void>;
  /** Resolves when nothing of it is left. */
  stop(): Promise<void>;
  /** Optional capability: light and beep. Never throws, never waits. */
  signal?(signal: Signal): void;
  /** Optional capability: tells `observer` of everything, beside the readings, until it is given null. One at a time. */
  observe?(observer: Observer | null): void;
  /**
   * Optional capability, of `osdp` alone: for so long the device may be given its key under the one that everybody
   * knows. Gives why not, or null.
   */
  commission?(durationMs: number): string | null;
  /** Optional capability, of `osdp` alone: another place on its line. Rejects with words; gives what it has taken. */
  setLine?(address: number, baudRate: number): Promise<{ address: number; baudRate: number }>;
  /** Optional capability, of `virtual` alone: presents what a card would give. False when the reader is not up. */
  present?(text: string): boolean;
}

// ---------------------------------------------------------------- relays

/**
 * `energised`: the device has taken the command. `released`: it has taken the release. `failed`: it has not
 * opened, or may have stuck, with the words to show. After `pulse` exactly one of `energised` then (`released` or `failed`), or
 * `failed` alone.
 */
export interface RelayEvents {
  energised(): void;
  released(): void;
  failed(why: string): void;
  up(device: { model?: string }): void;
  /** As a reader's. */
  down(why: string): void;
}

export interface Relay {
  /** Opens and releases first. Resolves when the device has been opened or has failed once. */
  start(): Promise<void>;
  /**
   * Energises for `durationMs`. The release is armed before the command to energise is written, and is tried
   * until the device has taken it. A pulse while one is running is a fault of the caller and is answered `failed`.
   */
  pulse(durationMs: number): void;
  /** Releases, and resolves when nothing of it is left. */
  stop(): Promise<void>;
}

// ---------------------------------------------------------------- inputs

/** A contact: the turnstile's passage contact, a request-to-exit button, a tamper switch. */
export interface InputEvents {
  /** It closed (`active`) or opened, bounces left out. The state at `start` is told when it is active. */
  changed(active: boolean, stamp: Stamp): void;
  up(device: { model?: string }): void;
  /** As a reader's. */
  down(why: string): void;
}

export interface Input {
  /** Resolves when the device has been opened or has failed once; it goes on trying by itself. */
  start(): Promise<void>;
  /** Resolves when nothing of it is left. */
  stop(): Promise<void>;
}

// ---------------------------------------------------------------- modules

/** What a driver may use of the world. */
export interface DriverWorld {
  clock: Clock;
  random: Random;
  log: Log;
  openChannel: OpenChannel;
}

export interface ReaderModule<Options> {
  type: string;
  kind: "reader";
  create(options: Options, world: DriverWorld, events: ReaderEvents): Reader;
}

export interface RelayModule<Options> {
  type: string;
  kind: "relay";
  create(options: Options, world: DriverWorld, events: RelayEvents): Relay;
}

export interface InputModule<Options> {
  type: string;
  kind: "input";
  create(options: Options, world: DriverWorld, events: InputEvents): Input;
}
