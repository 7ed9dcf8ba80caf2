import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CARD_TEXT_CHARACTERS_MAX, decodeText, readCardNumber } from "../../drivers/codec/card-text.ts";

const read = (text: string) => readCardNumber(text, ["BB"]);
const why = (text: string) => {
  const answer = read(text);
  return answer.kind === "refused" ? answer.why : `taken: ${answer.number}`;
};

describe("a card number is taken", () => {
  it.each([
    ["as it is printed", "BB-1234-567890"],
    ["in lower case", "bb-1234-567890"],
    ["in mixed case", "Bb-1234-567890"],
    ["without hyphens", "BB1234567890"],
    ["with spaces", "BB 1234 567890"],
    ["with spaces around", "  BB-1234-567890\t"],
    ["in other groups", "BB-12 34-56 78-90"],
    ["with a hyphen U+2010", "BB\u20101234\u2010567890"],
    ["with a non-breaking hyphen", "BB\u20111234\u2011567890"],
    ["with an en dash", "BB\u20131234\u2013567890"],
    ["with an em dash", "BB\u20141234\u2014567890"],
    ["with a minus sign", "BB\u22121234\u2212567890"],
    ["with soft hyphens", "BB\u00ad-1234\u00ad-567890"],
    ["with non-breaking spaces", "BB\u00a01234\u202f567890"],
    ["with marks without width", "\ufeffBB-1234\u200b-567890\u200e"],
  ])("%s", (_, text) => {
    expect(read(text)).toEqual({ kind: "number", number: "BB-1234-567890" });
    expect(read(decodeText(Buffer.from(text, "utf8")))).toEqual({ kind: "number", number: "BB-1234-567890" });
  });

  it.each([0x96, 0x97, 0xad, 0xa0, 0x2d, 0x20])(
    "with the Windows-1252 byte %i between its groups",
    (byte) => {
      const bytes = Buffer.concat(
        ["BB", "1234", "567890"].flatMap((group, i) => [...(i ? [Buffer.of(byte)] : []), Buffer.from(group)]),
      );
      expect(read(decodeText(bytes))).toEqual({ kind: "number", number: "BB-1234-567890" });
    },
  );

  it("of any issuer that the site accepts", () => {
    expect(readCardNumber("ll-1234-567890", ["BB", "LL"])).toEqual({
      kind: "number",
      number: "LL-1234-567890",
    });
  });

  it("whatever its digits are: none of them is a check digit or a date that counts", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999_999_999 }), (digits) => {
        const text = String(digits).padStart(10, "0");
        expect(read(`bb${text}`)).toEqual({
          kind: "number",
          number: `BB-${text.slice(0, 4)}-${text.slice(4)}`,
        });
      }),
    );
  });
});

describe("text is refused", () => {
  it.each([
    ["LL-1234-567890", "card maker LL is not accepted here, only BB"],
    ["", "there is no card number in it"],
    [" -- ", "there is no card number in it"],
    [
      "BB-1234-56789",
      "a card number is 2 letters and 10 digits; this begins with 2 letters and has 11 characters",
    ],
    [
      "BB-1234-5678901",
      "a card number is 2 letters and 10 digits; this begins with 2 letters and has 13 characters",
    ],
    [
      "BBB234567890",
      "a card number is 2 letters and 10 digits; this begins with 3 letters and has 12 characters",
    ],
    ["1234567890", "10 digits without the two letters: the reader's `reads` may have to be a UID in decimal"],
    ["04A1B2C3D4E5F6", "14 hex digits look like a chip's UID: the reader's `reads` may have to be uid"],
    ["04:A1", "it has characters that no card number has"],
    ["BB-1234-56789\u0000", "it has characters that no card number has"],
    ["ÅÄ-1234-567890", "it has characters that no card number has"],
    ["ß-1234-567890", "it has characters that no card number has"],
    ["BB-1234-56789\u0660", "it has characters that no card number has"],
    ["\uff22\uff22-1234-567890", "it has characters that no card number has"],
  ])("%j: %s", (text, expected) => {
    expect(why(text)).toBe(expected);
  });

  it("when it is longer than any card number", () => {
    expect(why(" ".repeat(CARD_TEXT_CHARACTERS_MAX))).toBe("there is no card number in it");
    expect(why(" ".repeat(CARD_TEXT_CHARACTERS_MAX + 1))).toBe("129 characters are no card number");
  });

  it("in words that never repeat a token", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 10 }), (uid) => {
        const hex = Buffer.from(uid).toString("hex");
        const answer = read(hex);
        if (answer.kind === "refused") expect(answer.why.toLowerCase()).not.toContain(hex);
      }),
    );
  });
});

it("any bytes give a canonical number or a refusal with words", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160 }), (bytes) => {
      const answer = read(decodeText(bytes));
      if (answer.kind === "number") expect(answer.number).toMatch(/^BB-\d{4}-\d{6}$/);
      else expect(answer.why.length).toBeGreaterThan(5);
    }),
    { numRuns: 10_000 },
  );
});

it("any spelling of a number gives the number", () => {
  const separator = fc.constantFrom("", " ", "-", "\u2010", "\u2013", "\u2014", "\u2212", "\u00ad", "\u00a0");
  const spelling = fc.tuple(
    fc.integer({ min: 0, max: 9_999_999_999 }).map((digits) => `BB${String(digits).padStart(10, "0")}`),
    fc.array(separator, { minLength: 12, maxLength: 12 }),
    fc.boolean(),
  );
  fc.assert(
    fc.property(spelling, ([bare, separators, lower]) => {
      const spelt = [...bare].map((character, i) => character + separators[i]).join("");
      const answer = read(lower ? spelt.toLowerCase() : spelt);
      expect(answer).toEqual({
        kind: "number",
        number: `${bare.slice(0, 2)}-${bare.slice(2, 6)}-${bare.slice(6)}`,
      });
    }),
  );
});
