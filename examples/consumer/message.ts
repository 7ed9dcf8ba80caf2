/**
 * What came over MQTT, as a value: an event, a state, an answer to a `resend`, or why it is none of them. Pure. Whoever sent it, it is held
 * against its topic, because only the topic is what the broker's access list lets that gateway write.
 */

/** What the columns of `event` take from one event; the text itself is kept beside them. */
export interface EventRow {
  kind: "event";
  id: string;
  gateway: string;
  site: string;
  /** The last part of its topic: tap, passage, reader, list or gateway. */
  topicKind: string;
  seq: number | null;
  chain: string | null;
  at: string;
  trusted: boolean;
  boot: string;
  uptimeMs: number;
  what: string | null;
  accessPoint: string | null;
  direction: string | null;
  card: string | null;
  granted: boolean | null;
  reason: string | null;
  workplace: string | null;
  tap: string | null;
  /** A card came or went: a grant, or what a person said by hand. */
  moves: boolean;
  /** Nobody went through after all, on `tap`. */
  takesBack: boolean;
  text: string;
}

export interface StateRow {
  kind: "state";
  gateway: string;
  site: string;
  state: "online" | "offline";
  unsent: number | null;
  headSeq: number | null;
  revision: number | null;
  freshness: string | null;
  text: string;
}

export interface Answer {
  kind: "answer";
  gateway: string;
  ok: boolean;
  why: string;
}

export interface Refusal {
  kind: "refused";
  gateway: string;
  why: string;
}

export type Message = EventRow | StateRow | Answer | Refusal;

const NAME = "[a-z0-9][a-z0-9-]{0,39}";
const EVENT_KINDS = ["tap", "passage", "reader", "list", "gateway"];
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const SHA256 = /^[0-9a-f]{64}$/;
const CARD = /^[A-Z]{2}-\d{4}-\d{6}$/;
/** `<gateway>/<sequence>` or `<gateway>/<boot>/<n>`. */
const ID = /^[\w./:-]{1,120}$/;
/** Longest text that goes into a column; what gateways write there is far shorter. */
const WORD_CHARACTERS_MAX = 100;

type Fields = Record<string, unknown>;

/** What to subscribe to. Consumers of one `group` share the events among them; states are retained, which MQTT shares with nobody. */
export function topicsOf(prefix: string, group: string | null): string[] {
  const share = group === null ? "" : `$share/${group}/`;
  const events = EVENT_KINDS.map((kind) => `${share}${prefix}/+/+/${kind}`);
  return [...events, `${prefix}/+/+/state`, `${prefix}/+/+/reply`];
}

export function readMessage(prefix: string, topic: string, payload: Uint8Array): Message {
  const [, site = "", gateway = "", topicKind = ""] =
    new RegExp(`^/(${NAME})/(${NAME})/([a-z]+)$`).exec(topic.slice(prefix.length)) ?? [];
  const refused = (why: string): Refusal => ({ kind: "refused", gateway, why });
  if (gateway === "" || !topic.startsWith(prefix)) return refused("the topic is no gateway's");
  const text = textOf(payload);
  const body = text === null ? null : objectOf(text);
  if (text === null || body === null) return refused("is no JSON object");
  const from = { gateway, site };
  if (topicKind === "state") return stateOf(body, from, text) ?? refused("is no state");
  if (topicKind === "reply") return answerOf(body, gateway) ?? refused("is no answer");
  const event = eventOf(body, { ...from, topicKind }, text);
  return typeof event === "string" ? refused(event) : event;
}

function eventOf(body: Fields, from: { gateway: string; site: string; topicKind: string }, text: string) {
  const { gateway, site, topicKind } = from;
  const { id, type, source, time } = body;
  if (type !== `grindvakt.${topicKind}.v1`) return "its type does not fit its topic";
  if (source !== `/sites/${site}/gateways/${gateway}`) return "its source does not fit its topic";
  if (typeof id !== "string" || !ID.test(id) || !id.startsWith(`${gateway}/`))
    return "its id does not fit its topic";
  const data = fieldsOf(body.data);
  const clock = fieldsOf(data?.clock);
  if (data === null || clock === null) return "it has no data, or no clock in it";
  const { seq } = data;
  const chain = wordOf(data.chain);
  const isOnDisk = Number.isSafeInteger(seq) && Number(seq) > 0 && chain !== null && SHA256.test(chain);
  if (!isOnDisk && (seq !== null || data.durable !== false)) return "it has no sequence, or no hash";
  const at = data.manual === true ? data.when : time;
  if (!isInstant(time) || !isInstant(at)) return "it says no time";
  const { trusted, uptimeMs } = clock;
  const boot = wordOf(clock.boot);
  if (typeof trusted !== "boolean" || boot === null || !Number.isSafeInteger(uptimeMs))
    return "its clock is none";
  const what = wordOf(data.event);
  const direction = wordOf(data.direction);
  const card = typeof data.card === "string" && CARD.test(data.card) ? data.card : null;
  const isGrant = topicKind === "tap" && data.granted === true;
  const isByHand = topicKind === "passage" && (what === "entered" || what === "left");
  const isNothing = what === "not-passed" || what === "withheld" || (what === "failed" && data.heldMs === 0);
  const row: EventRow = {
    kind: "event",
    id,
    ...from,
    seq: isOnDisk ? Number(seq) : null,
    chain: isOnDisk ? chain : null,
    at,
    trusted,
    boot,
    uptimeMs: Number(uptimeMs),
    what,
    accessPoint: wordOf(data.accessPoint),
    direction,
    card,
    granted: typeof data.granted === "boolean" ? data.granted : null,
    reason: wordOf(data.reason),
    workplace: wordOf(data.workplaceId),
    tap: wordOf(data.tap),
    moves: card !== null && direction !== null && (isGrant || isByHand),
    takesBack: topicKind === "passage" && isNothing,
    text,
  };
  return row;
}

function stateOf(body: Fields, from: { gateway: string; site: string }, text: string): StateRow | null {
  const { state } = body;
  if (state !== "online" && state !== "offline") return null;
  const list = fieldsOf(body.list);
  const freshness = wordOf(list?.freshness);
  return {
    kind: "state",
    ...from,
    state,
    unsent: countOf(body.unsent),
    headSeq: countOf(fieldsOf(body.journal)?.headSeq),
    revision: countOf(list?.revision),
    freshness,
    text,
  };
}

function answerOf(body: Fields, gateway: string): Answer | null {
  if (typeof body.ok !== "boolean") return null;
  return { kind: "answer", gateway, ok: body.ok, why: `${wordOf(body.reason)}: ${wordOf(body.why)}` };
}

function textOf(payload: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    return null;
  }
}

function objectOf(text: string): Fields | null {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return null;
  }
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** PostgreSQL keeps no NUL in a text. */
function wordOf(value: unknown): string | null {
  return typeof value === "string" && !value.includes("\0") ? value.slice(0, WORD_CHARACTERS_MAX) : null;
}

function countOf(value: unknown): number | null {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null;
}

function isInstant(value: unknown): value is string {
  return typeof value === "string" && INSTANT.test(value) && !Number.isNaN(Date.parse(value));
}
