import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { connectRefusal, errorWord, reasonWord, refusesVersion } from "../../drivers/broker-words.ts";

function fault(code: string): Error {
  return Object.assign(new Error(`raw ${code}`), { code });
}

describe("words", () => {
  test.each([
    ["ECONNREFUSED", /refused/],
    ["ENOTFOUND", /name gate\.example is not known/],
    ["EAI_AGAIN", /could not be looked up/],
    ["EHOSTUNREACH", /no way to gate\.example/],
    ["ETIMEDOUT", /no answer/],
    ["CERT_HAS_EXPIRED", /has expired/],
    ["CERT_NOT_YET_VALID", /not valid yet/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /mqtt\.tls\.ca/],
    ["SELF_SIGNED_CERT_IN_CHAIN", /mqtt\.tls\.ca/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /mqtt\.tls\.ca/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /another name than gate\.example/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", /no TLS is spoken/],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", /mqtt\.tls\.cert/],
  ])("%s", (code, words) => {
    expect(errorWord(fault(code), "gate.example")).toMatch(words);
  });

  test("an unknown fault keeps its own words", () => {
    expect(errorWord(fault("EWHATEVER"), "h")).toBe("raw EWHATEVER");
    expect(errorWord(new Error(""), "h")).toBe("Error");
    expect(errorWord("gone", "h")).toBe("gone");
  });

  test("a refused password is told from a missing right, on both versions", () => {
    expect(connectRefusal(0x86)).toBe(connectRefusal(0x04));
    expect(connectRefusal(0x87)).toBe(connectRefusal(0x05));
    expect(connectRefusal(0x86)).toMatch(/user name or password/);
    expect(connectRefusal(0x8a)).toBe("the broker refuses the connection: banned");
  });

  test("only two codes say that the version is the trouble", () => {
    const codes = Array.from({ length: 256 }, (_, code) => code);
    expect(codes.filter((code) => refusesVersion(code) !== "no")).toEqual([0x01, 0x84]);
    expect([0x01, 0x84].map(refusesVersion)).toEqual(["in-words", "in-words"]);
    const ends = [undefined, "ECONNRESET", "EPIPE", "ETIMEDOUT", "CERT_HAS_EXPIRED"];
    expect(ends.map(refusesVersion)).toEqual(["perhaps", "perhaps", "perhaps", "no", "no"]);
  });

  test("every code has words", () => {
    fc.assert(
      fc.property(fc.nat(255), (code) => {
        expect(connectRefusal(code)).toMatch(/^the broker /);
        expect(reasonWord(code)).toMatch(/\S/);
      }),
    );
  });
});
