import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeLine,
  EVENT_TYPES,
  encodeLine,
  eventOfLine,
  eventOfVolatile,
  GENESIS,
  hashLine,
  type Line,
} from "../../daemon/journal/record.ts";
import { anyCharacter } from "./any-character.ts";

const SENDER = { gateway: "gate-07", site: "slussen" };

const draft = fc.record({
  type: fc.constantFrom(...EVENT_TYPES),
  subject: fc.string({ maxLength: 20, unit: anyCharacter }),
  time: fc
    .date({ min: new Date(0), noInvalidDate: true, max: new Date("2100-01-01") })
    .map((date) => date.toISOString()),
  data: fc
    .dictionary(fc.string({ unit: anyCharacter }), fc.jsonValue({ stringUnit: anyCharacter }), { maxKeys: 8 })
    .map((data) => JSON.parse(JSON.stringify(data)) as Record<string, unknown>),
});
const line: fc.Arbitrary<Line> = fc
  .tuple(
    draft,
    fc.record({ seq: fc.nat({ max: Number.MAX_SAFE_INTEGER }), batch: fc.nat() }),
    fc.option(fc.string({ maxLength: 60 })),
  )
  .map(([what, place, id]) => ({ ...what, ...place, prev: GENESIS, ...(id === null ? {} : { id }) }));

describe("a line", () => {
  test("comes back as it was written, in one piece, and hashes the same each time", () => {
    fc.assert(
      fc.property(line, (one) => {
        const text = encodeLine(one);
        expect(text).not.toMatch(/[\n\r]/);
        const back = decodeLine(text);
        expect(back).toEqual(one);
        expect(encodeLine(back!)).toBe(text);
        expect(hashLine(Buffer.from(text))).toBe(hashLine(text));
      }),
    );
  });

  test("gives the same event however often it is read and sent", () => {
    fc.assert(
      fc.property(line, (one) => {
        const text = encodeLine(one);
        const send = () => JSON.stringify(eventOfLine(decodeLine(text)!, hashLine(text), SENDER));
        expect(send()).toBe(send());
        expect(send()).toBe(JSON.stringify(eventOfLine(one, hashLine(text), SENDER)));
        const event = JSON.parse(send());
        expect(event).toMatchObject({
          specversion: "1.0",
          id: one.id ?? `gate-07/${one.seq}`,
          source: "/sites/slussen/gateways/gate-07",
          type: one.type,
          subject: one.subject,
          time: one.time,
        });
        expect(event.data).toMatchObject({ durable: true, chain: hashLine(text) });
      }),
    );
  });

  test("that is damaged anywhere is none, or hashes otherwise", () => {
    fc.assert(
      fc.property(line, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, flip) => {
        const bytes = Buffer.from(encodeLine(one));
        const hash = hashLine(bytes);
        bytes[at % bytes.length]! ^= flip;
        expect(hashLine(bytes)).not.toBe(hash);
        // Whatever came of it, reading it is safe.
        const back = decodeLine(bytes.toString("utf8"));
        if (back !== null) expect(EVENT_TYPES).toContain(back.type);
      }),
    );
  });

  const sound = {
    seq: 1,
    prev: GENESIS,
    batch: 1,
    type: EVENT_TYPES[0],
    subject: "gate",
    time: "now",
    data: {},
  };
  test.each([
    ["nothing", ""],
    ["a torn one", JSON.stringify(sound).slice(0, -1)],
    ["a number", "1"],
    ["null", "null"],
    ["a list", "[]"],
    ["one without a place", JSON.stringify({ ...sound, seq: undefined })],
    ["one with half a place", JSON.stringify({ ...sound, seq: 1.5 })],
    ["one whose place cannot be counted to", JSON.stringify({ ...sound, seq: 2 ** 60 })],
    ["one of no known type", JSON.stringify({ ...sound, type: "grindvakt.tap.v9" })],
    ["one without data", JSON.stringify({ ...sound, data: null })],
    ["one whose id is no text", JSON.stringify({ ...sound, id: 7 })],
  ])("is not made of %s", (_name, text) => {
    expect(decodeLine(JSON.stringify(sound))).toEqual(sound);
    expect(decodeLine(text)).toBeNull();
  });

  test("is not made of any text at all", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: anyCharacter }), fc.json()),
        (text) => decodeLine(text) === null,
      ),
    );
  });
});

test("a record that could not be written says so, and keeps its id when it is", () => {
  fc.assert(
    fc.property(draft, (what) => {
      const id = "gate-07/boot-1/1";
      const before = eventOfVolatile(id, what, SENDER);
      expect(before.data).toMatchObject({ durable: false });
      expect(before.data).not.toHaveProperty("chain");
      const after = eventOfLine({ ...what, seq: 9, prev: GENESIS, batch: 9, id }, GENESIS, SENDER);
      const { data: _before, ...envelopeBefore } = before;
      const { data: _after, ...envelopeAfter } = after;
      expect(envelopeAfter).toEqual(envelopeBefore);
    }),
  );
});

test("what was never written has no sequence; what was has its own", () => {
  const what = {
    type: EVENT_TYPES[0],
    subject: "gate",
    time: "2026-11-22T06:58:12.345Z",
    data: { granted: true },
  };
  expect(eventOfVolatile("x", what, SENDER).data.seq).toBeNull();
  expect(eventOfLine({ ...what, seq: 7, prev: GENESIS, batch: 7 }, GENESIS, SENDER).data.seq).toBe(7);
});
