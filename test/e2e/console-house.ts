/** A console with rooms made up for it, on a free port; and what tests ask of it. */
import { type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";
import { tellStory } from "../../daemon/answers/card-story.ts";
import type { Identified } from "../../daemon/answers/identify.ts";
import type { LookupAnswer } from "../../daemon/answers/lookup.ts";
import { type ConsoleSettings, createConsole } from "../../daemon/console/console.ts";
import { loadPage, type Page } from "../../daemon/console/page.ts";
import type { ConsoleRooms } from "../../daemon/console/routes.ts";
import type { TapView } from "../../daemon/gate/gateway.ts";
import { TEXTS } from "../../daemon/gate/reasons.ts";
import { type CloudEvent, eventOfLine } from "../../daemon/journal/record.ts";
import { byItsEnds } from "../../daemon/main-console.ts";
import type { RollCall } from "../../daemon/presence/presence-desk.ts";
import type { Status } from "../../daemon/report/status.ts";
import { createFiles } from "../../drivers/files.ts";
import type { Clock, Log } from "../../drivers/ports.ts";
import { createSystemDisk, systemRandom } from "../../drivers/system.ts";
import type { SiteChange } from "../../sync/site-change.ts";
import { SimClock } from "../sim/clock.ts";

export const CARD = "BB-1234-567890";
export const MASKED = "BB-…-567890";
export const TOKEN = "uid:04A1B2C3D4E5F6";
const SINCE = "2026-11-22T06:58:12.345Z";

export function wellStatus(): Status {
  return {
    gateway: "gate-07",
    site: "slussen",
    version: "0.1.0",
    boot: "7b1c",
    since: SINCE,
    clockTrusted: true,
    list: { revision: 120, cards: 1_000, publishedAt: SINCE, refreshedAt: SINCE, freshness: "fresh" },
    readers: { "north-in-1": readerState("up"), office: readerState("down", `no device, last card ${CARD}`) },
    siteList: { blocked: 2, allowed: 0, fault: null },
    presence: { onSite: 41, overdue: 2, complete: true },
    relays: { "north-in": { state: "up", since: SINCE, why: null } },
    inputs: { "north-in": { passage: { state: "open", since: SINCE, why: null } } },
    accessPoints: [{ id: "north-in", direction: "entry", readers: ["north-in-1"] }],
    commands: { open: { state: "taken", why: null }, resend: { state: "refused", why: "not authorized" } },
    outbox: { unsent: 3, acknowledgedSeq: 120, refused: null },
    journal: { bytes: 4_096, maxBytes: 2 ** 31, warning: false, state: "well", headSeq: 123 },
    broker: { state: "up", url: "mqtt://127.0.0.1:1883", protocol: "5.0", why: null },
  };
}

function readerState(state: "up" | "down", why: string | null = null) {
  return {
    state,
    since: SINCE,
    why,
    model: null,
    taps: 7,
    misreads: 1,
    earlyRemovals: 2,
    dropped: 0,
    tamper: false,
    powerFailed: false,
    alarm: null,
  };
}

/** The tap of a sequence, as the journal holds it. */
export function tapEvent(seq: number): CloudEvent {
  const data = {
    accessPoint: "north-in",
    direction: "entry",
    reader: "north-in-1",
    card: seq % 2 === 0 ? CARD : null,
    credential: { kind: "number", assurance: "number" },
    granted: seq % 2 === 0,
    reason: seq % 2 === 0 ? "granted" : "malformed",
    list: { revision: 120, ageSeconds: 35, freshness: "fresh" },
    clock: { trusted: true, boot: "7b1c", uptimeMs: 123_456 },
  };
  const line = {
    seq,
    prev: "0".repeat(64),
    batch: seq,
    type: "grindvakt.tap.v1",
    subject: "north-in",
  } as const;
  return eventOfLine({ ...line, time: SINCE, data }, "a".repeat(64), { gateway: "gate-07", site: "slussen" });
}

export function tapView(card: string | null = CARD): TapView {
  const decision = { granted: true, reason: "granted", card, passbackViolated: false } as const;
  return { accessPoint: "north-in", reader: "north-in-1", time: SINCE, monotonicMs: 0, decision };
}

function lookUp(text: string): LookupAnswer {
  const isKnown = text === TOKEN || text.replace(/\W/g, "").toUpperCase() === "BB1234567890";
  const reason = isKnown ? "granted" : "unknown";
  return {
    card: isKnown ? CARD : null,
    status: isKnown ? "active" : null,
    validUntil: isKnown ? "2028-06-30" : null,
    since: isKnown ? { after: 118, by: 120 } : null,
    granted: isKnown,
    reason,
    texts: { ...TEXTS[reason] },
    list: wellStatus().list,
  };
}

const PERSON = { card: CARD, since: SINCE, sinceTrusted: true, accessPoint: "north-in", overdue: false };
const ROLL_CALL: RollCall = {
  at: SINCE,
  atTrusted: true,
  onSite: 2,
  overdue: 0,
  complete: true,
  people: [
    { ...PERSON, byHand: null },
    { ...PERSON, byHand: { who: { by: "command", name: "anna" }, why: "forgot her card" } },
  ],
};

/** A tap of a chip, as a technician is shown it at the gateway itself. */
export const IDENTIFIED: Identified = {
  sight: { kind: "uid", time: SINCE, monotonicMs: 5, hex: "04a1b2c3d4e5f6" },
  ways: [
    { setting: "uid", shows: byItsEnds("04A1B2C3D4E5F6"), card: CARD, reason: "granted" },
    {
      setting: "{ uid: hex, order: lsb, bytes: 4, cut: last }",
      shows: `${byItsEnds("A1B2C3D4")}, the last bytes`,
      card: null,
      reason: "unknown",
    },
  ],
  leftOut: 0,
};

/** Rooms with `journaled` taps, and what they were handed: presentations, notes, and changes of the site's list. */
export function makeRooms(journaled = 100, clock: Clock = new SimClock()) {
  const presented: { reader: string; credential: string }[] = [];
  const noted: Record<string, unknown>[] = [];
  const changes: SiteChange[] = [];
  const identifying = new Set<(identified: Identified) => void>();
  const numberOf = (text: string): string | null => (lookUp(text).card === CARD ? CARD : null);
  const rooms: ConsoleRooms = {
    status: wellStatus,
    metrics: async () => ({
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      text: "# TYPE grindvakt_healthy gauge\ngrindvakt_healthy 1\n",
    }),
    taps: async (limit, before) => {
      const last = before === null ? journaled : Math.min(journaled, before - 1);
      const taps = Array.from({ length: Math.min(limit, last) }, (_, index) => tapEvent(last - index));
      return { taps, next: taps.length < limit ? null : last - limit + 1 };
    },
    rollCall: async () => ROLL_CALL,
    sayPresence: async ({ accessPoint, ...request }) => {
      if (accessPoint === "nowhere")
        return { kind: "refused", code: "where", why: "there is no access point nowhere", isUsage: true };
      noted.push({ accessPoint, ...request });
      return {
        kind: "done",
        word: { ...request, accessPoint: "north-in", when: SINCE, isDurable: true },
      };
    },
    open: async (accessPoint, claims) => {
      if (accessPoint !== "north-in") return null;
      if (claims.why === "no disk") return "withheld";
      noted.push({ event: "command", accessPoint, ...claims });
      return "started";
    },
    present: (reader, credential) => {
      if (reader !== "office") return `${reader} is no virtual reader`;
      presented.push({ reader, credential });
      return null;
    },
    lookup: lookUp,
    clock,
    facts: {
      workplaceId: "8112345678",
      timeZone: "Europe/Stockholm",
      virtualReaders: ["office"],
      allowsOnly: false,
    },
    history: async () => ({
      since: SINCE,
      hours: [{ at: SINCE, granted: 3, refused: 1 }],
      latenciesMs: [4.5, 8],
      unsent: [{ at: SINCE, count: 3 }],
    }),
    search: async ({ reason }, limit) => {
      const taps = [100, 99, 98, 97].map(tapEvent).filter(({ data }) => data.reason === reason);
      return {
        taps: taps.slice(0, limit),
        next: taps.length > limit ? Number(taps[limit - 1]?.data.seq) : null,
      };
    },
    story: async (card) => tellStory(card, [tapEvent(100), tapEvent(98)], null),
    note: async (event, data) => void noted.push({ event, ...data }),
    refresh: async () => {},
    numberOf,
    siteList: () => [...changes],
    changeSiteList: async ({ event, card, until, why, who }) => {
      if (until === "1999-01-01")
        return { kind: "refused", code: "until-passed", why: "1999-01-01 has passed already", isUsage: true };
      if (why === "no disk") return { kind: "refused", code: "not-kept", why: "no disk", isUsage: false };
      const untilMs = until === null ? null : Date.parse(until);
      const change: SiteChange = { event, card, until, untilMs, why, who, at: SINCE, atTrusted: true };
      changes.push(change);
      return { kind: "done", change };
    },
    identify: (reader, tell) => {
      if (reader !== "north-in-1") throw new Error(`there is no reader ${reader}, but: north-in-1`);
      identifying.add(tell);
      return () => identifying.delete(tell);
    },
  };
  return { rooms, presented, noted, changes, identifying };
}

export interface House {
  url: string;
  port: number;
  clock: SimClock;
  /** What was logged, as `level message`, and what was said beside it. */
  logged: string[];
  loggedFields: unknown[];
  presented: { reader: string; credential: string }[];
  noted: Record<string, unknown>[];
  changes: SiteChange[];
  /** Who is shown the next taps of a reader. */
  identifying: Set<(identified: Identified) => void>;
  tapped(view: TapView): void;
  stop(): Promise<void>;
}

export async function openHouse(
  settings: Partial<ConsoleSettings> = {},
  rooms: Partial<ConsoleRooms> = {},
): Promise<House> {
  const clock = new SimClock();
  const logged: string[] = [];
  const loggedFields: unknown[] = [];
  const made = makeRooms(100, clock);
  const console = createConsole(
    { host: "127.0.0.1", port: 0, password: null, tls: null, ...settings },
    { clock, log: recordingLog(logged, loggedFields), random: systemRandom },
    await pageOnDisk(),
    { ...made.rooms, ...rooms },
  );
  const { url } = await console.start();
  return {
    url,
    port: Number(new URL(url).port),
    clock,
    logged,
    loggedFields,
    presented: made.presented,
    noted: made.noted,
    changes: made.changes,
    identifying: made.identifying,
    tapped: (view) => console.tapped(view),
    stop: () => console.stop(),
  };
}

/** The same, for the test that asks for it. */
export async function open(...args: Parameters<typeof openHouse>): Promise<House> {
  const house = await openHouse(...args);
  onTestFinished(() => house.stop());
  return house;
}

export function json(response: Response): Promise<Record<string, unknown>> {
  return response.json() as Promise<Record<string, unknown>>;
}

/** The page as it is in the house. */
export function pageOnDisk(): Promise<Page> {
  return loadPage(createFiles(createSystemDisk(), systemRandom));
}

export function recordingLog(lines: string[], fieldsOfLines: unknown[] = []): Log {
  const at =
    (level: string) =>
    (message: string, fields?: Record<string, unknown>): void => {
      lines.push(`${level} ${message}`);
      fieldsOfLines.push(fields);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export function postJson(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(url, {
    method: "POST",
    body: text,
    headers: { "content-type": "application/json", ...headers },
  });
}

export function basic(password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`anybody:${password}`).toString("base64")}` };
}

/** A request with headers that `fetch` would not send. */
export function rawRequest(
  port: number,
  headers: Record<string, string>,
  { path = "/api/status", host = "127.0.0.1" } = {},
): Promise<{ status: number; body: string }> {
  return new Promise((done, fail) => {
    const ask = request({ host, port, path, headers, setHost: false }, (reply: IncomingMessage) => {
      let body = "";
      reply.setEncoding("utf8");
      reply.on("data", (text: string) => {
        body += text;
      });
      reply.on("end", () => done({ status: reply.statusCode ?? 0, body }));
    });
    ask.on("error", fail);
    ask.end();
  });
}

export interface Message {
  event: string;
  data: Record<string, unknown>;
}

/** Reads server-sent events one after the other; ends with the stream. */
export async function* readMessages(response: Response): AsyncGenerator<Message> {
  let carry = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    const blocks = (carry + decoder.decode(bytes as Uint8Array, { stream: true })).split("\n\n");
    carry = blocks.pop()!;
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
      );
      if (fields.event !== undefined) yield { event: fields.event, data: JSON.parse(fields.data!) };
    }
  }
}
