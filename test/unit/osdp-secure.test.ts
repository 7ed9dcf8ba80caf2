import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Frame, OsdpFramer } from "../../drivers/codec/osdp.ts";
import {
  clientCryptogram,
  DEFAULT_KEY,
  initialMac,
  open,
  type Session,
  seal,
  serverCryptogram,
  sessionKeys,
} from "../../drivers/codec/osdp-secure.ts";

const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex.replace(/[^0-9a-f]/gi, ""), "hex"));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex").toUpperCase();

function received(bytes: Uint8Array) {
  const [frame] = new OsdpFramer().push(bytes);
  if (frame === undefined) throw new Error("that is no frame");
  return frame;
}

/** SIA OSDP 2.2, annex E: the session under the key that everybody knows. */
describe("the published session", () => {
  const cpRandom = bytesOf("B0B1B2B3B4B5B6B7");
  const pdRandom = bytesOf("A0A1A2A3A4A5A6A7");
  const keys = sessionKeys(DEFAULT_KEY, cpRandom);

  it("has these keys", () => {
    expect(hexOf(DEFAULT_KEY)).toBe("303132333435363738393A3B3C3D3E3F");
    expect(hexOf(keys.encryption)).toBe("BF8DC2A8329ACB8C67C6D0CD9A451682");
    expect(hexOf(keys.mac1)).toBe("5E86C676603BDEE2D8BEAFE178637332");
    expect(hexOf(keys.mac2)).toBe("6FDA86E857777E81132035758239172E");
  });

  it("has these cryptograms, and begins its chain of MACs here", () => {
    const server = serverCryptogram(keys, cpRandom, pdRandom);
    expect(hexOf(clientCryptogram(keys, cpRandom, pdRandom))).toBe("FDE5D2F428EC16312471EA3C02BD7796");
    expect(hexOf(server)).toBe("26D3356E07762D262801FC8E6665A891");
    expect(hexOf(initialMac(keys, server))).toBe("B2A30057EB98BA2229EC1F875662B524");
  });
});

/** Messages that OSDP.Net (Apache 2.0) is tested with, under keys and a MAC of nothing but zeros; the bytes only. */
describe("sealed messages of another make", () => {
  const zeros = new Uint8Array(16);
  const session: Session = { keys: { encryption: zeros, mac1: zeros, mac2: zeros }, mac: zeros };

  it.each([
    ["61", "00", "53001E000E021761D14EB7AD982CC5F9AA25318A7EAED6269AE995731983"],
    ["62", "00", "53001E000E021762D14EB7AD982CC5F9AA25318A7EAED6260F6A2AA73870"],
    ["6E", "0180250000", "53001E000E02176EACA3C2FFE4D9E599CD771B8EF3D13F23FAAB634E0895"],
    [
      "75",
      "011000010203040506070001020304050607",
      "53002E000E021775F0DDEC9A0ED8CE4C80BAF5D55C18436F9189FD66C9F223DC04148 6D83357DF986C1D4BC2B2F2",
    ],
  ])("command %s with %s", (code, data, hex) => {
    const bytes = bytesOf(hex);
    const opened = open(session, received(bytes));
    expect(opened).toMatchObject({ kind: "opened" });
    expect(opened.kind === "opened" && hexOf(opened.data)).toBe(data);
    const message = { address: 0, reply: false, sequence: 2, check: "crc" as const };
    const sealed = seal(session, { ...message, code: Number.parseInt(code, 16), data: bytesOf(data) });
    expect(hexOf(sealed.bytes)).toBe(hexOf(bytes));
  });
});

const message = fc.record({
  address: fc.integer({ min: 0, max: 127 }),
  sequence: fc.integer({ min: 0, max: 3 }),
  check: fc.constantFrom("crc" as const, "checksum" as const),
  code: fc.integer({ min: 0, max: 255 }),
  data: fc.uint8Array({ maxLength: 100 }),
});
const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
const random = fc.uint8Array({ minLength: 8, maxLength: 8 });

function sessionOf(given: Uint8Array, cpRandom: Uint8Array, pdRandom: Uint8Array): Session {
  const keys = sessionKeys(given, cpRandom);
  return { keys, mac: initialMac(keys, serverCryptogram(keys, cpRandom, pdRandom)) };
}

describe("a session", () => {
  it("opens on one side what the other has sealed, message by message, both ways", () => {
    fc.assert(
      fc.property(key, random, random, fc.array(message, { maxLength: 12 }), (given, a, b, messages) => {
        let mine = sessionOf(given, a, b);
        let theirs = sessionOf(given, a, b);
        for (const [index, one] of messages.entries()) {
          const sealed = seal(mine, { ...one, reply: index % 2 === 1 } satisfies Omit<Frame, "security">);
          const frame = received(sealed.bytes);
          const opened = open(theirs, frame);
          expect(opened).toMatchObject({ kind: "opened", data: one.data });
          if (opened.kind === "refused") return;
          // Nothing that is worth hiding is in the clear.
          if (one.data.length > 3) expect(hexOf(sealed.bytes)).not.toContain(hexOf(one.data));
          // The turn goes to the other side, as on the line.
          [mine, theirs] = [opened.session, sealed.session];
        }
      }),
      { numRuns: 300 },
    );
  });

  it("refuses what was changed anywhere, and what was said before", () => {
    fc.assert(
      fc.property(key, random, message, fc.nat(), fc.nat({ max: 7 }), (given, a, one, at, bit) => {
        const session = sessionOf(given, a, a);
        const sealed = seal(session, { ...one, reply: true });
        const frame = received(sealed.bytes);
        const changed = Uint8Array.from(frame.covered);
        changed[at % changed.length] = changed[at % changed.length]! ^ (1 << bit);
        expect(open(session, { ...frame, covered: changed })).toEqual({ kind: "refused", fault: "mac" });
        expect(open(sealed.session, frame)).toEqual({ kind: "refused", fault: "mac" });
        expect(open(session, { ...frame, mac: null })).toEqual({ kind: "refused", fault: "mac" });
      }),
      { numRuns: 1_000 },
    );
  });

  it("opens nothing of another key", () => {
    fc.assert(
      fc.property(key, key, random, message, (one, other, a, given) => {
        fc.pre(hexOf(one) !== hexOf(other));
        const { bytes } = seal(sessionOf(one, a, a), { ...given, reply: true });
        expect(open(sessionOf(other, a, a), received(bytes)).kind).toBe("refused");
      }),
      { numRuns: 1_000 },
    );
  });

  it("never throws, whatever is said to be sealed", () => {
    const session = sessionOf(DEFAULT_KEY, new Uint8Array(8), new Uint8Array(8));
    const hostile = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      data: fc.uint8Array({ maxLength: 70 }),
      covered: fc.uint8Array({ maxLength: 90 }),
      mac: fc.uint8Array({ maxLength: 16 }),
    });
    fc.assert(
      fc.property(hostile, ({ type, data, covered, mac }) => {
        const security = { type, data: new Uint8Array() };
        const frame = { address: 1, reply: true, sequence: 1, check: "crc" as const, security, code: 1 };
        const { kind } = open(session, { ...frame, data, covered, mac });
        if (kind !== "opened" && kind !== "refused") expect.fail(kind);
      }),
      { numRuns: 10_000 },
    );
  });
});
