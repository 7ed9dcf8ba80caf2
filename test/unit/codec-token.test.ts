import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readToken, type UidReads } from "../../drivers/codec/token.ts";
import { anyCharacter } from "./any-character.ts";

const token = (uid: string, part = "whole") => ({ kind: "token", uid, part });
const why = (text: string, reads: UidReads = "uid") => {
  const answer = readToken(text, reads);
  return answer.kind === "refused" ? answer.why : `taken: ${answer.uid}`;
};

describe("`reads: uid` takes hex as the chip gives it", () => {
  it.each([
    ["04A1B2C3D4E5F6", "04A1B2C3D4E5F6"],
    ["04a1b2c3d4e5f6", "04A1B2C3D4E5F6"],
    ["04:A1:B2:C3:D4:E5:F6", "04A1B2C3D4E5F6"],
    ["04 a1 b2 c3 d4 e5 f6", "04A1B2C3D4E5F6"],
    ["04-A1-B2-C3-D4-E5-F6", "04A1B2C3D4E5F6"],
    [" 0x04A1B2C3 ", "04A1B2C3"],
    ["0X04a1b2c3", "04A1B2C3"],
    ["00A1B2C3D4E5F6A7B8C9", "00A1B2C3D4E5F6A7B8C9"],
  ])("%s", (text, uid) => {
    expect(readToken(text, "uid")).toEqual(token(uid));
  });
});

describe("`order`, `bytes` and `cut`", () => {
  it.each<[string, UidReads, string, string]>([
    ["04A1B2C3D4E5F6", { uid: "hex", order: "msb", bytes: 7 }, "04A1B2C3D4E5F6", "whole"],
    ["F6E5D4C3B2A104", { uid: "hex", order: "lsb", bytes: 7 }, "04A1B2C3D4E5F6", "whole"],
    ["04A1B2C3", { uid: "hex", order: "msb", bytes: 4, cut: "first" }, "04A1B2C3", "first"],
    ["C3B2A104", { uid: "hex", order: "lsb", bytes: 4, cut: "first" }, "04A1B2C3", "first"],
    ["C3D4E5F6", { uid: "hex", order: "msb", bytes: 4, cut: "last" }, "C3D4E5F6", "last"],
    ["F6E5D4", { uid: "hex", order: "lsb", bytes: 3, cut: "last" }, "D4E5F6", "last"],
    ["77705923", { uid: "dec", order: "msb", bytes: 4 }, "04A1B2C3", "whole"],
    ["0077705923", { uid: "dec", order: "msb", bytes: 4 }, "04A1B2C3", "whole"],
    ["3283263748", { uid: "dec", order: "lsb", bytes: 4 }, "04A1B2C3", "whole"],
    ["1303689068602870", { uid: "dec", order: "msb", bytes: 7 }, "04A1B2C3D4E5F6", "whole"],
    ["1", { uid: "dec", order: "lsb", bytes: 4 }, "01000000", "whole"],
    ["08A1B2C3", { uid: "hex", order: "msb", bytes: 4, cut: "last" }, "08A1B2C3", "last"],
    ["08A1B2C3D4E5F6", { uid: "hex", order: "msb", bytes: 7 }, "08A1B2C3D4E5F6", "whole"],
  ])("%s by %j is %s", (text, reads, uid, part) => {
    expect(readToken(text, reads)).toEqual(token(uid, part));
  });

  it("lead back to the UID from whatever a reader makes of it", () => {
    const clothes = fc.record({
      uid: fc.constantFrom("hex" as const, "dec" as const),
      order: fc.constantFrom("msb" as const, "lsb" as const),
      bytes: fc.constantFrom(4 as const, 7 as const, 10 as const),
    });
    const bytes = fc.uint8Array({ minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(clothes, bytes, fc.nat({ max: 3 }), (reads, random, zeros) => {
        const uid = Uint8Array.from([0x04, ...random]).slice(0, reads.bytes);
        const sent = Buffer.from(reads.order === "lsb" ? uid.toReversed() : uid).toString("hex");
        const text = reads.uid === "dec" ? "0".repeat(zeros) + BigInt(`0x${sent}`) : sent;
        expect(readToken(text, reads)).toEqual(token(Buffer.from(uid).toString("hex").toUpperCase()));
      }),
    );
  });
});

describe("a token is refused", () => {
  it.each<[string, UidReads, string]>([
    ["08A1B2C3", "uid", "a random UID, which is another at every reading"],
    ["C3B2A108", { uid: "hex", order: "lsb", bytes: 4 }, "a random UID, which is another at every reading"],
    [
      "08A1B2",
      { uid: "hex", order: "msb", bytes: 3, cut: "first" },
      "a random UID, which is another at every reading",
    ],
    ["8804A1B2", "uid", "the beginning of a longer UID, cut by the reader"],
    ["00000000", "uid", "a UID of nothing but zeros is no identity"],
    ["0", { uid: "dec", order: "msb", bytes: 7 }, "a UID of nothing but zeros is no identity"],
    ["FFFFFFFFFFFFFF", "uid", "a UID of nothing but ones is no identity"],
    ["4294967295", { uid: "dec", order: "msb", bytes: 4 }, "a UID of nothing but ones is no identity"],
    ["4294967296", { uid: "dec", order: "msb", bytes: 4 }, "the number does not fit in 4 bytes"],
    ["04A1", "uid", "16 bits are too few to be an identity"],
    ["04A1B2", "uid", "3 bytes are no whole UID (4, 7 or 10); where the reader cuts, `reads` must say `cut`"],
    [
      "04A1B2",
      { uid: "hex", order: "msb", bytes: 3 },
      "3 bytes are no whole UID (4, 7 or 10); where the reader cuts, `reads` must say `cut`",
    ],
    [
      "04A1B2C3D4",
      "uid",
      "5 bytes are no whole UID (4, 7 or 10); where the reader cuts, `reads` must say `cut`",
    ],
    ["04A1B2C3D4E5F6", { uid: "hex", order: "msb", bytes: 4 }, "7 bytes came where `reads` says 4"],
    ["04A1B2C", "uid", "7 hex digits are not whole bytes"],
    ["04A1B2G3", "uid", "it has characters that no hex number has"],
    ["04A1B2C3", { uid: "dec", order: "msb", bytes: 4 }, "it has characters that no decimal number has"],
    ["-5", { uid: "dec", order: "msb", bytes: 4 }, "it has characters that no decimal number has"],
    ["1e9", { uid: "dec", order: "msb", bytes: 4 }, "it has characters that no decimal number has"],
    ["", "uid", "there is no UID in it"],
    ["0x", "uid", "there is no UID in it"],
    [" ", { uid: "dec", order: "msb", bytes: 4 }, "there is no UID in it"],
    ["BB-1234-567890", "uid", "it looks like a card number: the reader's `reads` may have to be card-number"],
    ["0".repeat(65), "uid", "65 characters are no UID"],
  ])("%s by %j: %s", (text, reads, expected) => {
    expect(why(text, reads)).toBe(expected);
  });
});

it("any text gives a UID in canonical form or a refusal that does not repeat it", () => {
  const reads = fc.oneof(
    fc.constant("uid" as const),
    fc.record(
      {
        uid: fc.constantFrom("hex" as const, "dec" as const),
        order: fc.constantFrom("msb" as const, "lsb" as const),
        bytes: fc.constantFrom(3 as const, 4 as const, 7 as const, 10 as const),
        cut: fc.constantFrom("first" as const, "last" as const),
      },
      { requiredKeys: ["uid", "order", "bytes"] },
    ),
  );
  const text = fc.oneof(
    fc.string({ maxLength: 80, unit: anyCharacter }),
    fc.stringMatching(/^(0x)?[0-9a-fA-F]{0,24}$/),
    fc.stringMatching(/^[0-9]{1,30}$/),
  );
  fc.assert(
    fc.property(text, reads, (given, how) => {
      const answer = readToken(given, how);
      if (answer.kind === "token") {
        expect(answer.uid).toMatch(/^([0-9A-F]{2}){3,10}$/);
        if (answer.part === "whole") expect([8, 14, 20]).toContain(answer.uid.length);
      } else if (given.length >= 6) {
        expect(answer.why).not.toContain(given);
      }
    }),
    { numRuns: 10_000 },
  );
});
