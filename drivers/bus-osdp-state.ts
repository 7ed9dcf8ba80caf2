/**
 * What a control panel (CP) knows of one peripheral device (PD), what may happen to it, and what follows: the words
 * of the machine in `bus-osdp-machine.ts`. Values only.
 */
import type { ReceivedFrame } from "./codec/osdp.ts";
import type { Command, Reply } from "./codec/osdp-messages.ts";
import type { Session, SessionKeys } from "./codec/osdp-secure.ts";
import type { Bits } from "./codec/wiegand.ts";

/**
 * How the site has the PD. `key`: its SCBK; null: it is spoken to in the clear, as the site has said. `takesCards`:
 * somebody is there for what it has to tell; else it is kept company without being polled, and keeps its cards.
 */
export interface PdSettings {
  address: number;
  key: Uint8Array | null;
  takesCards: boolean;
}

/**
 * From power-on to taking cards:
 *
 *     in the clear     identify -> capabilities -> online
 *     with a key       identify -> capabilities -> challenge -> cryptogram -> online
 *     commissioning    the same with the key that everybody knows up to cryptogram -> keySet -> identify, with its own
 *
 * What fails goes back to identify, and so does, unheard, a session that broke while online.
 */
export type Phase = "identify" | "capabilities" | "challenge" | "cryptogram" | "keySet" | "online";

/** A command somebody waits for. */
export interface Request {
  id: number;
  command: Command;
}

/** What was sent and has no answer yet; said again byte for byte until it has one. */
export interface Pending {
  command: Command;
  bytes: Uint8Array;
  sequence: number;
  /** The session as it is once this has been taken; null in the clear. */
  session: Session | null;
  requestId: number | null;
  /** How often it was sent without any answer. */
  misses: number;
  sinceMs: number;
}

/** Between the challenge and the session. `isDefault`: with the key that everybody knows, to give it its own. */
export interface Handshake {
  keys: SessionKeys;
  server: Uint8Array;
}

export interface Capability {
  compliance: number;
  count: number;
}

export interface PdState {
  phase: Phase;
  /** What was told last. */
  standing: "new" | "up" | "down";
  /** Of the next command: 0 begins anew, then 1 to 3 (5.9, table 3). */
  sequence: number;
  check: "crc" | "checksum";
  /** Whether it has ever answered to `check`; until then both are tried in turn. */
  isCheckKnown: boolean;
  pending: Pending | null;
  requests: readonly Request[];
  session: Session | null;
  handshake: Handshake | null;
  cpRandom: Uint8Array | null;
  /** The next challenge is for the default key. Only while a commissioning window is open. */
  usesDefaultKey: boolean;
  commissionUntilMs: number;
  /** Whether its last command had an answer, in any words. */
  isAnswering: boolean;
  /** How often it has failed in a row, and when it is tried again. */
  failures: number;
  nextTryMs: number;
  /** How often the session broke since it was last steady. */
  renewals: number;
  /** Since when its session has lasted; null until its first answer. */
  onlineSinceMs: number | null;
  lastAlarmMs: number;
  why: string | null;
  model: string | null;
  capabilities: ReadonlyMap<number, Capability>;
  isStatusAsked: boolean;
  tamper: boolean;
  powerFailed: boolean;
}

export type PdEvent =
  /** It may send. `random`: eight fresh bytes. */
  | { kind: "turn"; random: Uint8Array }
  | { kind: "reply"; frame: ReceivedFrame }
  /** No reply in time. `noiseBytes`: what came in its place. */
  | { kind: "silence"; noiseBytes: number }
  | { kind: "request"; request: Request }
  /** Nobody waits for this request any more. */
  | { kind: "withdraw"; requestId: number }
  | { kind: "commission"; untilMs: number }
  | { kind: "line-lost"; why: string };

/** `alarm`: somebody may be tampering with the line. `settled`: `why` null: the PD has taken the command. */
export type PdEffect =
  | { kind: "send"; bytes: Uint8Array }
  | { kind: "up"; model: string | null }
  | { kind: "down"; why: string }
  /** Still down, for another reason. */
  | { kind: "note"; why: string }
  | { kind: "raw"; bits: Bits }
  | { kind: "formatted"; characters: Uint8Array }
  | { kind: "keypad"; digits: Uint8Array }
  | { kind: "tamper"; active: boolean }
  | { kind: "power"; failed: boolean }
  | { kind: "inputs"; active: readonly boolean[] }
  | { kind: "alarm"; why: string }
  | { kind: "commissioned" }
  | { kind: "settled"; requestId: number; why: string | null; reply: Reply | null };

export interface Step {
  state: PdState;
  effects: readonly PdEffect[];
}

export const NEW_PD: PdState = {
  phase: "identify",
  standing: "new",
  sequence: 0,
  check: "crc",
  isCheckKnown: false,
  pending: null,
  requests: [],
  session: null,
  handshake: null,
  cpRandom: null,
  usesDefaultKey: false,
  commissionUntilMs: Number.NEGATIVE_INFINITY,
  isAnswering: false,
  failures: 0,
  nextTryMs: Number.NEGATIVE_INFINITY,
  renewals: 0,
  onlineSinceMs: null,
  lastAlarmMs: Number.NEGATIVE_INFINITY,
  why: null,
  model: null,
  capabilities: new Map(),
  isStatusAsked: false,
  tamper: false,
  powerFailed: false,
};
