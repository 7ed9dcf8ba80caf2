/** What is taken of a request, and how it is answered. */
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Clock } from "../../drivers/ports.ts";
import { maskCards } from "../mask.ts";
import { turnOf } from "../slices.ts";
import { refusal, type Visitor } from "./access.ts";

const BODY_BYTES_MAX = 4 * 1024;
/** Longer than any spelling of a card number or a token, and than any name. */
const FIELD_CHARACTERS_MAX = 128;
/** Longer ones are refused by who uses them, in words that say how long they may be. */
const WORDS_CHARACTERS_MAX = 1_000;
/** Requests that wait for the journal to be read, one after the other; more are told to come back. */
const READS_WAITING_MAX = 32;
/** Written in one turn of the loop: less than a millisecond on a small machine. */
const SLICE_ITEMS = 200;
const MINUTE_MS = 60_000;

/** A page from elsewhere cannot send this content type unasked. */
const takeJsonOnly: MiddlewareHandler<Visitor> = (c, next) => {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") throw refusal(415, "send application/json");
  // What is said beforehand is refused before it is read.
  if (c.req.header("content-length") === undefined) throw refusal(411, "say the body's length");
  return next();
};

const boundBody: MiddlewareHandler<Visitor> = bodyLimit({
  maxSize: BODY_BYTES_MAX,
  onError: () => {
    throw refusal(413, `send at most ${BODY_BYTES_MAX} bytes`);
  },
});

/** What every route with a body asks of it, before it is read. */
export const TAKE_JSON = [takeJsonOnly, boundBody] as const;

/** The one thing that such a route takes: texts under these keys, and no others. `why`, where it is a key, may be a sentence. */
export async function textsOf<Required extends string, Optional extends string = never>(
  c: Context<Visitor>,
  required: readonly Required[],
  optional: readonly Optional[] = [],
): Promise<Record<Required, string> & Partial<Record<Optional, string>>> {
  const body: unknown = await c.req.json().catch(() => null);
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const keys: readonly string[] = [...required, ...optional];
  const isText = (key: string): boolean => {
    const value = fields[key];
    const charactersMax = key === "why" ? WORDS_CHARACTERS_MAX : FIELD_CHARACTERS_MAX;
    return typeof value === "string" && value !== "" && value.length <= charactersMax;
  };
  const isRight =
    required.every(isText) && Object.keys(fields).every((key) => keys.includes(key) && isText(key));
  if (!isRight) {
    const example = keys.map((key, at) => `"${key}"${at < required.length ? "" : "?"}: "…"`);
    throw refusal(400, `send {${example.join(", ")}}`);
  }
  return fields as Record<Required, string> & Partial<Record<Optional, string>>;
}

/** A query parameter from 1 to `max`, or null where it is not given. */
export function integerOf(c: Context<Visitor>, name: string, max: number): number | null {
  const text = c.req.query(name);
  if (text === undefined) return null;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw refusal(400, `${name} is a whole number from 1 to ${max}`);
  return value;
}

/** JSON, with card numbers as this visitor may see them. */
export function answer(c: Context<Visitor>, value: unknown): Response {
  return answerText(c, textOf(value, c.var.signedIn));
}

export function answerText(c: Context<Visitor>, json: string): Response {
  return c.body(json, 200, { "Content-Type": "application/json" });
}

/** `signedIn`: who it is for may see whole card numbers. */
export function textOf(value: unknown, signedIn: boolean): string {
  return signedIn ? JSON.stringify(value) : maskCards(JSON.stringify(value, withoutChain));
}

/** JSON of `facts` and, under `name`, a long list, to somebody signed in: a slice a turn of the loop, as fast as it is taken. */
export function answerInSlices(
  c: Context<Visitor>,
  clock: Clock,
  facts: object,
  name: string,
  items: readonly unknown[],
): Response {
  const encoder = new TextEncoder();
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (at > 0) await turnOf(clock);
      const slice = items.slice(at, at + SLICE_ITEMS).map((item) => JSON.stringify(item));
      const start = at === 0 ? `${JSON.stringify(facts).slice(0, -1)},"${name}":[` : ",";
      at += SLICE_ITEMS;
      const isLast = at >= items.length;
      controller.enqueue(encoder.encode(`${start}${slice.join(",")}${isLast ? "]}" : ""}`));
      if (isLast) controller.close();
    },
  });
  return c.body(body, 200, { "Content-Type": "application/json" });
}

/** The hash of a journal line tells what it is a hash of, where all of the line but four digits is known. */
function withoutChain(key: string, value: unknown): unknown {
  return key === "chain" ? undefined : value;
}

export function shown(c: Context<Visitor>, text: string): string {
  return c.var.signedIn ? text : maskCards(text);
}

/** Whoever has not signed in is told to. */
export function askForPerson(c: Context<Visitor>): void {
  if (!c.var.signedIn) throw refusal(403, "sign in first", "sign-in");
}

/**
 * Runs what it is given one after the other, so that many pages cannot make the disk busy together. `name`: those who ask for the same
 * by this name are answered with one read, as long as that has not begun, and one in a turn of the loop.
 */
export function oneAtATime(): InTurn {
  const named = new Map<string, Promise<unknown>>();
  const answering = oneATurn();
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async <Result>(read: () => Promise<Result>, name: string | null = null): Promise<Result> => {
    const same = name === null ? undefined : named.get(name);
    if (same !== undefined) {
      const result = await same;
      await new Promise<void>(answering);
      return result as Result;
    }
    if (waiting >= READS_WAITING_MAX)
      throw refusal(503, "too many are asking; ask again in a second", "busy");
    waiting += 1;
    const result = last.then(() => {
      if (name !== null) named.delete(name);
      return read();
    });
    if (name !== null) named.set(name, result);
    last = result.catch(() => null);
    return result.finally(() => {
      waiting -= 1;
    });
  };
}

export type InTurn = <Result>(read: () => Promise<Result>, name?: string | null) => Promise<Result>;

/** Begins one thing in a turn of the loop, the first at once: of fifty that come together, a tap waits for one. The console bounds how many wait. */
export function oneATurn(): (begin: () => void) => void {
  const waiting: (() => void)[] = [];
  let isTaken = false;
  const next = (): void => {
    const begin = waiting.shift();
    isTaken = begin !== undefined;
    if (begin === undefined) return;
    // Not the clock's: what is asked comes from the real network, whatever the time is made to be.
    setImmediate(next);
    begin();
  };
  return (begin) => {
    waiting.push(begin);
    if (!isTaken) next();
  };
}

/** Lets so many through in a minute. `nowMs`: by a clock that is never set. */
export function perMinute(countMax: number, nowMs: () => number): () => boolean {
  let sinceMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  return () => {
    if (nowMs() - sinceMs >= MINUTE_MS) {
      sinceMs = nowMs();
      count = 0;
    }
    count += 1;
    return count <= countMax;
  };
}
