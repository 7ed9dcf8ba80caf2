/** What a command over MQTT is, and why one is not carried out: the words that the rooms of commands share. */
import type { Received } from "../../drivers/ports.ts";
import type { CommandName } from "./command-schema.ts";

/** A command that comes later than this is about a moment that has passed. */
export const EXPIRES_AHEAD_MS_MAX = 30_000;

/**
 * Why a command is not carried out. `impossible`: there is nothing here that it could be done to. `not-written`: the disk did not
 * take it, and what is not written down is not done. `failed`: it was begun.
 */
export const REFUSALS = [
  "too-many",
  "retained",
  "too-long",
  "not-json",
  "malformed",
  "clock-untrusted",
  "expired",
  "too-far-ahead",
  "impossible",
  "repeated",
  "not-written",
  "failed",
] as const;
export type Refusal = (typeof REFUSALS)[number];

interface Payloads {
  open: { accessPoint: string };
  refresh: object;
  identify: { reader: string; seconds: number };
  "site-block": { card: string; until?: string };
  "site-unblock": { card: string };
  resend: { from: number; to: number };
}

/** `name` says what `asked` holds. */
export type Command = {
  [Name in CommandName]: {
    name: Name;
    id: string;
    expiresMs: number;
    /** What the payload claims; null where it says nothing. */
    who: string | null;
    why: string | null;
    asked: Payloads[Name];
  };
}[CommandName];

/** `id`: null where none could be made out. */
export interface Refused {
  kind: "refused";
  id: string | null;
  reason: Refusal;
  why: string;
}

/** Judges anyone's bytes. Never throws. */
export interface CommandReader {
  read(name: CommandName, message: Received, now: { wallMs: number; trusted: boolean }): Command | Refused;
}

/** `waiting` for the broker's word on the subscription; `refused`: it does not let this gateway hear that command. */
export interface CommandState {
  state: "waiting" | "taken" | "refused";
  why: string | null;
}

export function isRefused(read: Command | Refused): read is Refused {
  return "reason" in read;
}

export function refused(id: string | null, reason: Refusal, why: string): Refused {
  return { kind: "refused", id, reason, why };
}
