/**
 * What a command over MQTT may say: one JSON Schema a command, as `docs/asyncapi.yaml` publishes them. Every text and every number
 * has its bound here, so that nothing behind it has to ask again.
 */

export const COMMANDS = ["open", "refresh", "identify", "site-block", "site-unblock", "resend"] as const;
export type CommandName = (typeof COMMANDS)[number];

/** Events a `resend` may ask for: minutes of a broker's time, and a few commands for a week that was lost. */
export const RESEND_EVENTS_MAX = 10_000;
/** How long `identify` waits for a card: as long as somebody who was told to tap takes. */
const IDENTIFY_SECONDS = { minimum: 1, maximum: 60, default: 30 };

/** One line, without what would reorder or hide what a person reads. */
const oneLine = (charactersMax: number) => ({
  type: "string",
  maxLength: charactersMax,
  pattern: "^[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]*$",
});

/** A UUID, or whatever a centre counts by. Never with a slash, by which events are told from it. */
export const COMMAND_ID = { type: "string", pattern: "^[0-9A-Za-z._:-]{1,64}$" };
const NAME = { type: "string", pattern: "^[a-z0-9][a-z0-9-]{0,39}$" };
const CARD = { type: "string", pattern: "^[A-Z]{2}-[0-9]{4}-[0-9]{6}$" };
const SEQUENCE = { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER };
const INSTANT = {
  type: "string",
  pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
};

const CLAIMS = { id: COMMAND_ID, expires: INSTANT, who: oneLine(100), why: oneLine(200) };

function payload(properties: Readonly<Record<string, object>>, required: readonly string[]) {
  return {
    type: "object",
    additionalProperties: false,
    required: ["id", "expires", ...required],
    properties: { ...CLAIMS, ...properties },
  };
}

export const PAYLOADS: Readonly<Record<CommandName, object>> = {
  open: payload({ accessPoint: NAME }, ["accessPoint"]),
  refresh: payload({}, []),
  identify: payload({ reader: NAME, seconds: { type: "integer", ...IDENTIFY_SECONDS } }, ["reader"]),
  "site-block": payload({ card: CARD, until: { type: "string", maxLength: 40 } }, ["card"]),
  "site-unblock": payload({ card: CARD }, ["card"]),
  resend: payload({ from: SEQUENCE, to: SEQUENCE }, ["from", "to"]),
};
