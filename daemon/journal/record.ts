/**
 * One record: what happened, as a line of the journal and as the event that is sent (CONTRACT 6 and 7).
 *
 * A line is a JSON object: `seq`, `prev` (SHA-256 of the line before), `batch` (first sequence of the group that
 * was synced with it), `id` only where it was sent before it could be written, then `type`, `subject`, `time`
 * and `data`. The event is made from the line alone, so it is the same however often it is sent.
 */
import { hash } from "node:crypto";

export const EVENT_TYPES = [
  "grindvakt.tap.v1",
  "grindvakt.passage.v1",
  "grindvakt.reader.v1",
  "grindvakt.list.v1",
  "grindvakt.gateway.v1",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What a room asks to be written down. `time`: RFC 3339, UTC. `data` holds neither tokens nor secrets. */
export interface Draft {
  type: EventType;
  subject: string;
  time: string;
  data: Readonly<Record<string, unknown>>;
}

/** A journal line, decoded. */
export interface Line extends Draft {
  seq: number;
  prev: string;
  batch: number;
  /** Where the event was sent before it was on disk: the id it was sent with. */
  id?: string;
}

/** A line longer than this is damage, not a record. The largest real one is under 2 KiB. */
export const LINE_BYTES_MAX = 64 * 1024;

/** The `prev` of the very first line. */
export const GENESIS = "0".repeat(64);

/** The text of a line, without its line feed. */
export function encodeLine(line: Line): string {
  const { seq, prev, batch, id, type, subject, time, data } = line;
  return JSON.stringify(
    id === undefined
      ? { seq, prev, batch, type, subject, time, data }
      : { seq, prev, batch, id, type, subject, time, data },
  );
}

/** The line that a text holds, or null when it is none. Says nothing of its place in the chain. */
export function decodeLine(text: string): Line | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isLine(value) ? value : null;
}

function isLine(value: unknown): value is Line {
  if (typeof value !== "object" || value === null) return false;
  const line = value as Record<string, unknown>;
  return (
    Number.isSafeInteger(line.seq) &&
    Number.isSafeInteger(line.batch) &&
    typeof line.prev === "string" &&
    (line.id === undefined || typeof line.id === "string") &&
    (EVENT_TYPES as readonly unknown[]).includes(line.type) &&
    typeof line.subject === "string" &&
    typeof line.time === "string" &&
    typeof line.data === "object" &&
    line.data !== null
  );
}

/** Whether its clock could be trusted when it was written. */
export function isTimeTrusted({ data }: Line): boolean {
  return (data.clock as { trusted?: unknown } | undefined)?.trusted === true;
}

/** SHA-256, in hex, of a line's text. */
export function hashLine(text: string | Uint8Array): string {
  return hash("sha256", text, "hex");
}

/** Who sends: what every event of this gateway has in common. */
export interface Sender {
  gateway: string;
  site: string;
}

/** A CloudEvents 1.0 event, structured. */
export interface CloudEvent extends Draft {
  specversion: "1.0";
  id: string;
  source: string;
  datacontenttype: "application/json";
}

/** The event of a line that is on disk; `chain`: the hash of that line. */
export function eventOfLine(line: Line, chain: string, sender: Sender): CloudEvent {
  const id = line.id ?? `${sender.gateway}/${line.seq}`;
  return event(id, line, { seq: line.seq, ...line.data, durable: true, chain }, sender);
}

/** The event of a record that could not be written yet. */
export function eventOfVolatile(id: string, draft: Draft, sender: Sender): CloudEvent {
  return event(id, draft, { seq: null, ...draft.data, durable: false }, sender);
}

function event(id: string, draft: Draft, data: Record<string, unknown>, sender: Sender): CloudEvent {
  return {
    specversion: "1.0",
    id,
    source: `/sites/${sender.site}/gateways/${sender.gateway}`,
    type: draft.type,
    subject: draft.subject,
    time: draft.time,
    datacontenttype: "application/json",
    data,
  };
}
