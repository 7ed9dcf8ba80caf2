import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Keyboard,
  OVERLONG_KEYS_MAX,
  type Terminator,
  TYPED_CHARACTERS_MAX,
} from "../../drivers/codec/keyboard.ts";
import type { KeyboardLayout } from "../../drivers/codec/keyboard-layouts.ts";
import { keyReport, NO_KEYS, typed } from "../peers/wedge.ts";

const SHIFT = 0x02;
const ALT_GR = 0x40;
const ENTER = 0x28;

function read(
  reports: Uint8Array[],
  layout: KeyboardLayout = "us",
  terminator: Terminator = "enter",
): unknown[] {
  const keyboard = new Keyboard(layout, terminator);
  return reports
    .flatMap((report) => keyboard.push(report))
    .map((one) => (one.kind === "text" ? one.text : one));
}

/** What keys type, each with the modifiers, in a layout. */
function type(layout: KeyboardLayout, modifiers: number, keys: number[]): unknown[] {
  return read([...keys.flatMap((key) => [keyReport(key, modifiers), NO_KEYS]), keyReport(ENTER)], layout);
}

const range = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);

describe("a keyboard's reports", () => {
  it.each(["0012345678", "BB-1234-567890", "04A1B2C3D4E5F6", "04:a1:b2:c3", "1122 3344"])(
    "give %s",
    (text) => {
      expect(read(typed(`${text}\n`))).toEqual([text]);
    },
  );

  it("may have an id before them", () => {
    expect(read(typed("0042\n").map((report) => Uint8Array.of(1, ...report)))).toEqual(["0042"]);
  });

  it("count a key that is held once, and the next one with it", () => {
    const reports = [
      keyReport(0x1e),
      keyReport(0x1e),
      Uint8Array.of(0, 0, 0x1e, 0x1f, 0, 0, 0, 0),
      Uint8Array.of(0, 0, 0x1f, 0, 0, 0, 0, 0),
      Uint8Array.of(0, 0, 0x1f, 0x1e, 0x20, 0, 0, 0),
      NO_KEYS,
      keyReport(0x20),
      keyReport(ENTER),
    ];
    expect(read(reports)).toEqual(["12133"]);
  });

  it("that skip the release between different keys are read all the same", () => {
    expect(read([0x1e, 0x1f, 0x20, ENTER].map((key) => keyReport(key)))).toEqual(["123"]);
  });

  it("with more keys than fit make the reading unclear, not shorter", () => {
    const full = new Uint8Array(8).fill(1, 2);
    expect(read([...typed("12"), full, NO_KEYS, ...typed("3\n45\n")])).toEqual([
      { kind: "unclear", why: "more keys at once than the reader can tell apart" },
      "45",
    ]);
  });

  it("with Ctrl, Alt or GUI make the reading unclear: some readers type codes with Alt", () => {
    for (const modifiers of [0x01, 0x04, 0x08, 0x10, 0x80, 0x05]) {
      expect(type("us", modifiers, [0x5c, 0x60])).toMatchObject([{ kind: "unclear" }]);
    }
  });

  it("with keys that are no characters make the reading unclear", () => {
    expect(type("us", 0, [0x1e, 0x3a])).toEqual([
      { kind: "unclear", why: "key 58 types no character in this layout" },
    ]);
    expect(type("us", ALT_GR, [0x1f])).toMatchObject([{ kind: "unclear" }]);
    expect(type("se", ALT_GR, [0x1e])).toMatchObject([{ kind: "unclear" }]);
  });

  it("with num lock, caps lock and modifiers among the keys are read all the same", () => {
    expect(type("us", 0, [0x53, 0x1e, 0x39, 0xe1, 0x04, 0x39])).toEqual(["1a"]);
  });

  it("of another length are another device's, or no keyboard's", () => {
    expect(read([new Uint8Array(0), new Uint8Array(3).fill(9), ...typed("1\n")])).toEqual(["1"]);
    expect(read([new Uint8Array(16)])).toEqual([
      { kind: "unclear", why: "a report of 16 bytes, where a keyboard sends 8" },
    ]);
  });
});

describe("the layouts", () => {
  it.each([
    ["us", 0, "abcdefghijklmnopqrstuvwxyz", range(0x04, 26)],
    ["us", SHIFT, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", range(0x04, 26)],
    ["us", 0, "1234567890", range(0x1e, 10)],
    ["us", SHIFT, "!@#$%^&*()", range(0x1e, 10)],
    ["us", 0, "-=[]\\\\;'`,./", range(0x2d, 12)],
    ["us", SHIFT, '_+{}||:"~<>?', range(0x2d, 12)],
    ["us", 0, "/*-+", range(0x54, 4)],
    ["us", 0, "1234567890.", range(0x59, 11)],
    ["us", SHIFT, "1234567890", range(0x59, 10)],
    ["se", 0, "abcdefghijklmnopqrstuvwxyz", range(0x04, 26)],
    ["se", 0, "1234567890", range(0x1e, 10)],
    ["se", SHIFT, '!"#¤%&/()=', range(0x1e, 10)],
    ["se", ALT_GR, "@£$€", range(0x1f, 4)],
    ["se", ALT_GR, "{[]}", range(0x24, 4)],
    ["se", ALT_GR, "\\€µ~|", [0x2d, 0x08, 0x10, 0x30, 0x64]],
    ["se", 0, "+´å¨''öä§,.-<", [...range(0x2d, 12), 0x64]],
    ["se", SHIFT, "?`Å^**ÖÄ½;:_>", [...range(0x2d, 12), 0x64]],
    ["se", 0, "1234567890,", range(0x59, 11)],
  ] as const)("%s with modifiers %d type %s", (layout, modifiers, text, keys) => {
    expect(type(layout, modifiers, [...keys])).toEqual([text]);
  });

  it("read a hyphen where each language has it", () => {
    expect(type("us", 0, [0x2d])).toEqual(["-"]);
    expect(type("se", 0, [0x38])).toEqual(["-"]);
    expect(type("us", 0, [0x56])).toEqual(type("se", 0, [0x56]));
  });
});

describe("a reading ends", () => {
  it("with Enter, of the keypad too, and a Tab is then a blank", () => {
    expect(read([...typed("1\t2"), keyReport(0x58)])).toEqual(["1\t2"]);
  });

  it("with Tab where the site says so, and an Enter after it is nothing", () => {
    const keyboard = new Keyboard("us", "tab");
    expect(typed("12\t\n").flatMap((report) => keyboard.push(report))).toEqual([
      { kind: "text", text: "12" },
    ]);
    expect(keyboard.idle()).toBeNull();
  });

  it("with silence alone where the site says so", () => {
    const keyboard = new Keyboard("us", "none");
    expect(typed("12\n").flatMap((report) => keyboard.push(report))).toEqual([]);
    expect(keyboard.countKeys).toBe(3);
    expect(keyboard.idle()).toEqual({ kind: "text", text: "12" });
    expect(keyboard.countKeys).toBe(0);
    expect(keyboard.idle()).toBeNull();
  });

  it("as partial when silence comes first, and the next one is whole", () => {
    const keyboard = new Keyboard("us", "enter");
    for (const report of typed("12")) keyboard.push(report);
    expect(keyboard.idle()).toEqual({ kind: "partial", countKeys: 2 });
    expect(typed("34\n").flatMap((report) => keyboard.push(report))).toEqual([{ kind: "text", text: "34" }]);
  });

  it("and is nothing when it is blank", () => {
    expect(read(typed("\n\n \t\n1\n"))).toEqual(["1"]);
  });

  it("and may be as long as the bound and not a key longer", () => {
    const longest = "1".repeat(TYPED_CHARACTERS_MAX);
    expect(read(typed(`${longest}\n${longest}2\n3\n`))).toEqual([
      longest,
      { kind: "overlong", countKeys: TYPED_CHARACTERS_MAX + 1 },
      "3",
    ]);
  });

  it("and is told of in pieces when it never ends", () => {
    const told = read([...typed("1".repeat(2 * OVERLONG_KEYS_MAX + 3)), ...typed("\n42\n")]);
    const piece = { kind: "overlong", countKeys: OVERLONG_KEYS_MAX };
    expect(told).toEqual([piece, piece, { kind: "overlong", countKeys: 3 }, "42"]);
  });

  it("also where it is nothing but keys that cannot be told apart", () => {
    const rollOver = Uint8Array.of(0, 0, 1, 1, 1, 1, 1, 1);
    const told = read(Array.from({ length: 2 * OVERLONG_KEYS_MAX }, () => rollOver));
    expect(told).toEqual(Array(2).fill({ kind: "unclear", why: expect.stringMatching(/tell apart/) }));
  });
});

it("any reports give readings that are bounded, and the next good one is read", () => {
  const report = fc.oneof(
    fc.uint8Array({ minLength: 8, maxLength: 9 }),
    fc.uint8Array({ maxLength: 64 }),
    fc.nat(0x70).map((key) => keyReport(key)),
  );
  fc.assert(
    fc.property(
      fc.array(report, { maxLength: 60 }),
      fc.constantFrom<KeyboardLayout>("us", "se"),
      fc.constantFrom<Terminator>("enter", "tab", "none"),
      (reports, layout, terminator) => {
        const keyboard = new Keyboard(layout, terminator);
        for (const one of reports.flatMap((bytes) => keyboard.push(bytes))) {
          if (one.kind === "text") {
            expect(one.text).not.toBe("");
            expect(one.text.length).toBeLessThanOrEqual(TYPED_CHARACTERS_MAX);
          }
        }
        keyboard.push(NO_KEYS);
        keyboard.idle();
        expect(keyboard.countKeys).toBe(0);
        const after = typed("0042\n\t").flatMap((bytes) => keyboard.push(bytes));
        const last = terminator === "none" ? keyboard.idle() : after[0];
        expect(last).toEqual({ kind: "text", text: "0042" });
      },
    ),
    { numRuns: 10_000 },
  );
});
