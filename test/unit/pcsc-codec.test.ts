import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GET_UID, readAnswer, readFailure } from "../../drivers/codec/pcsc-answer.ts";
import { feedbackOf } from "../../drivers/codec/pcsc-feedback.ts";
import {
  ANSWER_BYTES_MAX,
  encodeMessage,
  type FromPcsc,
  fromPcscReader,
  hexOf,
  LINE_BYTES_MAX,
  toPcscReader,
} from "../../drivers/codec/pcsc-messages.ts";
import { findReader } from "../../drivers/codec/pcsc-names.ts";

const bytes = (hex: string) => Buffer.from(hex, "hex");

describe("a card's answer", () => {
  it.each<[answer: string, reading: object]>([
    ["04A1B2C3D4E5F69000", { kind: "credential", assurance: "uid", credential: { uid: "04A1B2C3D4E5F6" } }],
    ["9A1B2C3D9000", { kind: "credential", credential: { kind: "token", uid: "9A1B2C3D", part: "whole" } }],
    ["0102030405060708090A9000", { kind: "credential", credential: { uid: "0102030405060708090A" } }],
    ["081122339000", { reason: "malformed", step: "a random UID, which is another at every reading" }],
    ["881122339000", { reason: "malformed", step: "the beginning of a longer UID, cut by the reader" }],
    ["01029000", { reason: "malformed", step: "16 bits are too few to be an identity" }],
    [
      "01020304050607089000",
      { reason: "malformed", step: expect.stringMatching(/^8 bytes are no whole UID/) },
    ],
    ["6A81", { reason: "wrong-type", step: "connected, it has no UID to give (6A 81, ATR 3B80800101)" }],
    ["9000", { reason: "wrong-type", step: "connected, it has no UID to give (90 00, ATR 3B80800101)" }],
    [
      "04A1B2C36282",
      { reason: "wrong-type", step: "connected, it has no UID to give (62 82, ATR 3B80800101)" },
    ],
    ["6300", { reason: "removed-early", step: "connected, the card gave no answer to get-UID (63 00)" }],
    ["", { reason: "removed-early", step: "connected, no answer to get-UID" }],
    ["90", { reason: "unreadable", step: "connected, one byte came to get-UID" }],
  ])("%s", (answer, reading) => {
    expect(readAnswer(bytes(answer), "3B80800101")).toMatchObject(reading);
  });

  it("is a value or a refusal without the token, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: ANSWER_BYTES_MAX }), (answer) => {
        const reading = readAnswer(answer, "");
        if (reading.kind === "credential") expect(reading.credential.kind).toBe("token");
        else if (answer.length > 6 && reading.step.includes(hexOf(answer.subarray(0, -2))))
          expect.fail(reading.step);
      }),
      { numRuns: 10_000 },
    );
  });

  it("that did not come says how far the reading got", () => {
    expect(
      ["unseen", "connect", "ask"].map((step) => readFailure(step as "ask", "Card was removed.")),
    ).toEqual([
      { kind: "misread", reason: "removed-early", step: "not connected, it was gone at once" },
      { kind: "misread", reason: "removed-early", step: "connect failed: Card was removed." },
      {
        kind: "misread",
        reason: "removed-early",
        step: "connected, no answer to get-UID: Card was removed.",
      },
    ]);
    expect(hexOf(GET_UID)).toBe("FFCA000000");
  });
});

describe("the messages of the PC/SC process", () => {
  const text = fc.string({ maxLength: 60, unit: "grapheme" });
  const hex = fc.uint8Array({ maxLength: ANSWER_BYTES_MAX }).map(hexOf);
  const message: fc.Arbitrary<FromPcsc> = fc.oneof(
    fc.record({ kind: fc.constantFrom("beat" as const, "ready" as const) }),
    fc.record({ kind: fc.constantFrom("reader" as const, "gone" as const, "left" as const), reader: text }),
    fc.record({ kind: fc.constant("card" as const), reader: text, atr: hex }),
    fc.record({ kind: fc.constantFrom("asked" as const, "answer" as const), reader: text, bytes: hex }),
    fc.record({ kind: fc.constant("done" as const), reader: text, id: fc.nat(), bytes: hex, why: text }),
    fc.record({
      kind: fc.constant("failed" as const),
      reader: text,
      step: fc.constant("ask" as const),
      why: text,
    }),
    fc.record({ kind: fc.constant("fault" as const), why: text }),
  );

  it("come out as they went in, in pieces of any size", () => {
    fc.assert(
      fc.property(fc.array(message), fc.integer({ min: 1, max: 200 }), (messages, size) => {
        const wire = Buffer.concat(messages.map(encodeMessage));
        const reader = fromPcscReader();
        const heard: FromPcsc[] = [];
        const refusals: string[] = [];
        for (let at = 0; at < wire.length; at += size) {
          const taken = reader.take(wire.subarray(at, at + size));
          if (taken.refused !== null) refusals.push(taken.refused);
          heard.push(...taken.messages);
        }
        expect({ heard, refusals }).toEqual({ heard: messages, refusals: [] });
      }),
      { numRuns: 1_000 },
    );
  });

  it("are refused for good, and never thrown, when a process has gone wild", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      message.map(encodeMessage),
      fc.json().map((json) => Buffer.from(`${json}\n`)),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const reader = fromPcscReader();
        let isRefused = false;
        for (const piece of pieces) {
          const { messages, refused } = reader.take(piece);
          if (isRefused && messages.length > 0) expect.fail("it goes on after a refusal");
          isRefused ||= refused !== null;
        }
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    "null",
    "[]",
    '"beat"',
    '{"kind":"beet"}',
    '{"kind":"constructor"}',
    '{"kind":"beat","more":1}',
    '{"kind":"reader"}',
    '{"kind":"reader","reader":7}',
    '{"kind":"answer","reader":"a","bytes":"0x"}',
    '{"kind":"answer","reader":"a","bytes":"abc"}',
    `{"kind":"answer","reader":"a","bytes":"${"00".repeat(ANSWER_BYTES_MAX + 1)}"}`,
    '{"kind":"failed","reader":"a","step":"made-up","why":""}',
    '{"kind":"done","reader":"a","id":0.5,"bytes":"","why":""}',
    '{"kind":"done","reader":"a","id":1,"bytes":""}',
    `{"kind":"fault","why":"${"x".repeat(600)}"}`,
    "x".repeat(LINE_BYTES_MAX + 1),
  ])("refuses %s", (line) => {
    expect(fromPcscReader().take(Buffer.from(`${line}\n`)).refused).not.toBeNull();
  });

  it("hold a bound amount of a line that does not end", () => {
    const reader = fromPcscReader();
    expect(reader.take(Buffer.alloc(LINE_BYTES_MAX, 0x20)).refused).toBeNull();
    expect(reader.take(Buffer.from(" ")).refused).toBe("a line of more than 2048 bytes");
  });

  it("take commands the same way", () => {
    const command = { kind: "command", reader: "a", id: 1, via: "escape", bytes: "E000002900" } as const;
    expect(toPcscReader().take(encodeMessage(command))).toEqual({ messages: [command], refused: null });
    expect(toPcscReader().take(encodeMessage({ kind: "beat" })).refused).not.toBeNull();
  });
});

describe("a part of a name", () => {
  const ACR1252 = [
    "ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] (A1) 00 00",
    "ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] (A1) 01 00",
  ];
  const TWINS = ["ACS ACR122U PICC Interface 00 00", "ACS ACR122U PICC Interface 01 00"];

  it.each<[name: string, readers: string[], others: string[], found: string | RegExp]>([
    ["ACS ACR1252", ACR1252, [], ACR1252[0]!],
    ["acr1252", ACR1252, [], ACR1252[0]!],
    ["Dual Reader SAM", ACR1252, [], ACR1252[1]!],
    ["ACR122U", TWINS, [], /^2 PC\/SC readers are called "ACR122U", allowed: more of the name of one of ACS/],
    ["Interface 01 00", TWINS, ["Interface 00 00"], TWINS[1]!],
    ["Interface 01 00", TWINS, ["ACR122U"], /^"Interface 01 00" and "ACR122U" both are ACS ACR122U/],
    [
      "Omnikey",
      TWINS,
      [],
      /^no PC\/SC reader is called "Omnikey": there is ACS ACR122U PICC Interface 00 00, ACS/,
    ],
    ["Omnikey", [], [], 'no PC/SC reader is called "Omnikey": there is none'],
  ])("%s", (name, readers, others, found) => {
    const match = findReader(name, readers, others);
    const said = match.kind === "found" ? match.reader : match.why;
    if (typeof found === "string") expect(said).toBe(found);
    else expect(said).toMatch(found);
  });
});

describe("light and beep", () => {
  const hexOfSteps = (reader: string, signal: "granted" | "denied") =>
    feedbackOf(reader)?.signals[signal].map(({ afterMs, via, bytes }) => `${afterMs} ${via} ${hexOf(bytes)}`);

  it("of an ACR122U are pseudo-APDUs", () => {
    const reader = "ACS ACR122U PICC Interface 00 00";
    expect(hexOfSteps(reader, "granted")).toEqual(["0 apdu FF0040ED0403000101"]);
    expect(hexOfSteps(reader, "denied")).toEqual(["0 apdu FF00405D0401010201"]);
    const { quiet, hearQuiet } = feedbackOf(reader)!;
    expect(hexOf(quiet.bytes)).toBe("FF00520000");
    expect(hearQuiet(bytes("9000"))).toBe("quiet");
    expect(hearQuiet(bytes("6300"))).toBe("unheard");
    expect(hearQuiet(bytes(""))).toBe("unheard");
  });

  it("of an ACR1252U are escape commands", () => {
    const reader = "ACS ACR1252 1S CL Reader PICC 0";
    expect(hexOfSteps(reader, "granted")).toEqual([
      "0 escape E00000290102",
      "0 escape E0000028010A",
      "1500 escape E00000290100",
    ]);
    expect(hexOfSteps(reader, "denied")).toEqual([
      "0 escape E00000290101",
      "0 escape E00000280106",
      "180 escape E00000280106",
      "360 escape E00000280106",
      "1500 escape E00000290100",
    ]);
  });

  it("of an ACR1252U are silenced once for all, and only where they are not", () => {
    const { quiet, hearQuiet } = feedbackOf("ACS ACR1252 Dual Reader PICC")!;
    expect(hexOf(quiet.bytes)).toBe("E000002100");
    expect(hearQuiet(bytes("E10000000177"))).toBe("quiet");
    expect(hearQuiet(bytes(""))).toBe("unheard");
    const write = hearQuiet(bytes("E1000000017F"));
    expect(typeof write === "object" && hexOf(write.bytes)).toBe("E00000210177");
  });

  it.each([
    "Virtual PCD 00 00",
    "Identiv uTrust 3700 F CL Reader 03 00",
    "ACS ACR1222L 00 00",
    "ACS ACR122L 00 00",
  ])("are not tried on %s, whose commands nobody knows", (reader) => {
    expect(feedbackOf(reader)).toBeNull();
  });
});
