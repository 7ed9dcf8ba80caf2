import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Command,
  EXPIRES_AHEAD_MS_MAX,
  isRefused,
  REFUSALS,
  type Refused,
} from "../../daemon/broker/command.ts";
import { COMMANDS, type CommandName, RESEND_EVENTS_MAX } from "../../daemon/broker/command-schema.ts";
import { COMMAND_BYTES_MAX, createCommandReader } from "../../daemon/remote/command-reader.ts";
import { anyCharacter } from "./any-character.ts";

const NOW_MS = Date.parse("2026-11-22T06:58:20.000Z");
const EXPIRES = "2026-11-22T06:58:40.000Z";
const reader = createCommandReader();
/** As it is built, with validators that were made of the schemas then. */
const built: { createCommandReader: typeof createCommandReader } = await import(
  resolve("dist/daemon/remote/command-reader.js")
);
const builtReader = built.createCommandReader();

const ASKED = {
  open: { accessPoint: "north-in" },
  refresh: {},
  identify: { reader: "north-in-1" },
  "site-block": { card: "BB-1234-567890" },
  "site-unblock": { card: "BB-1234-567890" },
  resend: { from: 1, to: 2 },
} satisfies Record<CommandName, object>;

function read(
  name: CommandName,
  payload: Uint8Array | string,
  { retained = false, trusted = true, wallMs = NOW_MS } = {},
): Command | Refused {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  const asked = [name, { topic: "t", payload: bytes, retained }, { wallMs, trusted }] as const;
  const outcome = reader.read(...asked);
  expect(builtReader.read(...asked)).toEqual(outcome);
  return outcome;
}

const say = (name: CommandName, more: object = {}): string =>
  JSON.stringify({ id: "c-1", expires: EXPIRES, ...ASKED[name], ...more });

function reasonOf(outcome: Command | Refused): string {
  return isRefused(outcome) ? outcome.reason : "taken";
}

describe("a command", () => {
  test.each(COMMANDS)("%s is what its payload asks, and who it claims to be from", (name) => {
    const asked = name === "identify" ? { ...ASKED[name], seconds: 30 } : ASKED[name];
    expect(read(name, say(name))).toEqual({
      name,
      id: "c-1",
      expiresMs: Date.parse(EXPIRES),
      who: null,
      why: null,
      asked,
    });
    expect(read(name, say(name, { who: "Åsa", why: "för kranen 🏗" }))).toMatchObject({
      who: "Åsa",
      why: "för kranen 🏗",
    });
  });

  const open = (more: object) => say("open", more);
  const far = new Date(NOW_MS + EXPIRES_AHEAD_MS_MAX + 1).toISOString();
  const refusals: [string, string | Uint8Array, string][] = [
    ["bytes that are no UTF-8", Uint8Array.of(0x22, 0xff, 0x22), "not-json"],
    ["half an object", '{"id":', "not-json"],
    ["what is longer than any command", open({ why: "x".repeat(COMMAND_BYTES_MAX) }), "too-long"],
    ["null", "null", "malformed"],
    ["a number", "1", "malformed"],
    ["an array, deep", `${"[".repeat(2_000)}${"]".repeat(2_000)}`, "malformed"],
    ["no id", JSON.stringify({ expires: EXPIRES, accessPoint: "north-in" }), "malformed"],
    ["a number for an id", open({ id: 1 }), "malformed"],
    ["an empty id", open({ id: "" }), "malformed"],
    ["an id with a slash, as events have it", open({ id: "gate-07/1" }), "malformed"],
    ["no expiry", JSON.stringify({ id: "c-1", accessPoint: "north-in" }), "malformed"],
    ["a number for an expiry", open({ expires: NOW_MS + 1_000 }), "malformed"],
    ["a month that there is not", open({ expires: "2026-13-22T06:58:40Z" }), "malformed"],
    ["a time without its offset", open({ expires: "2026-11-22T06:58:40" }), "malformed"],
    ["an unknown key", open({ force: true }), "malformed"],
    ["a key that JavaScript knows", open(JSON.parse('{"__proto__":{"accessPoint":"x"}}')), "malformed"],
    ["no access point", JSON.stringify({ id: "c-1", expires: EXPIRES }), "malformed"],
    ["an access point that is none", open({ accessPoint: "../x" }), "malformed"],
    ["two lines for a reason", open({ why: "one\ntwo" }), "malformed"],
    ["a name that turns what is read", open({ who: "anna\u202e" }), "malformed"],
    [
      "half a character",
      `{"id":"c-1","expires":"${EXPIRES}","accessPoint":"a","who":"\\ud800"}`,
      "malformed",
    ],
    ["a name as long as a letter", open({ who: "x".repeat(101) }), "malformed"],
    ["what has expired", open({ expires: "2026-11-22T06:58:20.000Z" }), "expired"],
    ["what would be good for too long", open({ expires: far }), "too-far-ahead"],
  ];
  test.each(refusals)("is not %s", (_, payload, reason) => {
    const outcome = read("open", payload);
    expect(outcome).toMatchObject({ kind: "refused", reason, why: expect.stringMatching(/\S/) });
  });

  test.each([
    ["events before the first", { from: 0 }],
    ["events that end before they begin", { from: 3 }],
    ["too many events", { to: RESEND_EVENTS_MAX + 1 }],
    ["part of an event", { to: 2.5 }],
  ])("resends no %s", (_, range) => {
    expect(reasonOf(read("resend", say("resend", range)))).toBe("malformed");
  });

  test("is refused when it is retained, whatever it says", () => {
    expect(read("open", open({}), { retained: true })).toMatchObject({ reason: "retained" });
  });

  test("is refused while the clock cannot be trusted", () => {
    expect(read("open", open({}), { trusted: false })).toMatchObject({
      reason: "clock-untrusted",
      id: "c-1",
    });
  });

  test("may give its time in any zone, and at most so far ahead", () => {
    expect(reasonOf(read("open", open({ expires: "2026-11-22T07:58:40+01:00" })))).toBe("taken");
    // CONTRACT 7.
    expect(EXPIRES_AHEAD_MS_MAX).toBe(30_000);
    expect(
      reasonOf(read("open", open({ expires: new Date(NOW_MS + EXPIRES_AHEAD_MS_MAX).toISOString() }))),
    ).toBe("taken");
  });

  test("of any bytes is a command or a refusal with a word, and nothing of theirs is in it", () => {
    const names = fc.constantFrom(...COMMANDS);
    const key = fc.constantFrom(
      "id",
      "expires",
      "who",
      "why",
      "accessPoint",
      "reader",
      "card",
      "until",
      "from",
      "to",
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.string({ unit: anyCharacter }),
      fc.constant(EXPIRES),
      fc.integer(),
    );
    const nearly = fc
      .tuple(names, fc.dictionary(key, value))
      .map(([name, said]) => JSON.stringify({ ...ASKED[name], id: "c-1", expires: EXPIRES, ...said }));
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      nearly.map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(names, payload, fc.boolean(), (name, bytes, retained) => {
        const outcome = read(name, bytes, { retained });
        if (!isRefused(outcome)) {
          expect(retained).toBe(false);
          expect(outcome.expiresMs - NOW_MS).toBeLessThanOrEqual(EXPIRES_AHEAD_MS_MAX);
          expect(outcome.who?.length ?? 0).toBeLessThanOrEqual(200);
          return;
        }
        expect(REFUSALS).toContain(outcome.reason);
        expect(outcome.why).toMatch(/^[ -~]{5,120}$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
