/**
 * A message on `P/command/<name>`, as anyone's bytes: a command, or why it is none. Pure. Who may send one is the broker's to say;
 * nothing in a payload proves who sent it, so what it says of that is a claim.
 */
import type { ValidateFunction } from "ajv";
import {
  type Command,
  type CommandReader,
  EXPIRES_AHEAD_MS_MAX,
  type Refusal,
  refused,
} from "../broker/command.ts";
import { RESEND_EVENTS_MAX } from "../broker/command-schema.ts";
import { VALIDATORS } from "./command-validator.ts";

/** The longest that can be said, with every character escaped, takes half of it. */
export const COMMAND_BYTES_MAX = 8 * 1024;
/** What all of them say, as it came. */
interface Said {
  id: string;
  expires: string;
  who?: string;
  why?: string;
}

export function createCommandReader(): CommandReader {
  return {
    read(name, { payload, retained }, now) {
      // First of all: it would come again at each connection, for ever.
      if (retained) return refused(null, "retained", "a command must not be published to be retained");
      if (payload.length > COMMAND_BYTES_MAX)
        return refused(null, "too-long", `a command has at most ${COMMAND_BYTES_MAX} bytes`);
      const value = parse(payload);
      if (value === undefined) return refused(null, "not-json", "a command is a JSON object in UTF-8");
      const { id: claimed } = (value ?? {}) as { id?: unknown };
      const id = VALIDATORS.id?.(claimed) ? (claimed as string) : null;
      const fault = faultOf(value, VALIDATORS[name]);
      if (fault !== null || id === null) return refused(id, "malformed", fault ?? "it has no id");
      const { id: _id, expires, who = null, why = null, ...asked } = value as Said;
      const expiresMs = Date.parse(expires);
      const late = lateness(expiresMs, now);
      if (late !== null) return refused(id, ...late);
      return { name, id, expiresMs, who, why, asked } as Command;
    },
  };
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
}

/** Why it is not as the schema says, or null. The words name keys of ours only: what came may hold anything. */
function faultOf(value: unknown, validate: ValidateFunction | undefined): string | null {
  if (validate === undefined) return "there is no such command";
  if (!validate(value)) {
    const [first] = validate.errors ?? [];
    if (first === undefined) return "it is not as docs/asyncapi.yaml says";
    if (first.keyword === "additionalProperties") return "it has a key that this command does not know";
    const at = first.instancePath.slice(1);
    const words = first.keyword === "pattern" ? (MUST_BE[at] ?? "must be one line of text") : first.message;
    return `${at === "" ? "it" : at} ${words}`;
  }
  const { expires, from, to } = value as { expires: string; from?: number; to?: number };
  if (Number.isNaN(Date.parse(expires))) return "expires is no time";
  if (from === undefined || to === undefined) return null;
  if (to < from) return "to is before from";
  return to - from < RESEND_EVENTS_MAX ? null : `asks for more than ${RESEND_EVENTS_MAX} events`;
}

/** What the schemas' patterns want of each key. */
const MUST_BE: Readonly<Record<string, string>> = {
  id: "must be 1 to 64 letters, digits, dots, hyphens, colons and underscores",
  expires: "must be a time with its offset, like 2026-12-24T18:00:00Z",
  accessPoint: "must be the name of an access point",
  reader: "must be the name of a reader",
  card: "must be a card number like BB-1234-567890",
};

function lateness(
  expiresMs: number,
  { wallMs, trusted }: { wallMs: number; trusted: boolean },
): [Refusal, string] | null {
  if (!trusted) return ["clock-untrusted", "this gateway's clock has not been synchronised since it booted"];
  const aheadMs = expiresMs - wallMs;
  if (aheadMs <= 0) return ["expired", "it has expired by this gateway's clock"];
  if (aheadMs <= EXPIRES_AHEAD_MS_MAX) return null;
  return [
    "too-far-ahead",
    `expires is more than ${EXPIRES_AHEAD_MS_MAX / 1_000} s ahead of this gateway's clock`,
  ];
}
