import { describe, expect, it } from "vitest";
import { type ReadSecretFile, readSecret, SECRET_BYTES_MAX } from "../../config/secrets.ts";

function file(content: string | Uint8Array, mode = 0o600): ReadSecretFile {
  return async () => ({ content: typeof content === "string" ? Buffer.from(content) : content, mode });
}

const nothing: ReadSecretFile = async () => null;

describe("a secret in a file", () => {
  it.each([
    ["hemligt", "hemligt"],
    ["hemligt\n", "hemligt"],
    ["hemligt\r\n", "hemligt"],
    [" å b \n\n", " å b "],
  ])("%j is %j", async (content, value) => {
    expect(await readSecret({ file: "/k" }, {}, file(content))).toEqual({ kind: "secret", value });
  });

  it("may be readable by its owner alone", async () => {
    expect(await readSecret({ file: "/k" }, {}, file("a", 0o400))).toEqual({ kind: "secret", value: "a" });
  });

  it.each<[what: string, readFile: ReadSecretFile, why: string]>([
    ["is not there", nothing, "/k is not there: write the secret into it, then chmod 600 /k"],
    ["is open to the group", file("a", 0o640), "/k is open to other users: chmod 600 /k"],
    ["is open to all", file("a", 0o604), "/k is open to other users: chmod 600 /k"],
    ["is empty", file("\n"), "/k is empty"],
    ["holds two lines", file("a\nb\n"), "/k holds more than one line"],
    ["is not text", file(Uint8Array.of(0xff)), "/k is not UTF-8 text"],
    ["is another file", file("a".repeat(SECRET_BYTES_MAX + 1)), "/k is longer than 4096 bytes"],
    ["cannot be read", () => Promise.reject(new Error("EACCES")), "/k cannot be read: EACCES"],
  ])("that %s is refused", async (_what, readFile, why) => {
    expect(await readSecret({ file: "/k" }, {}, readFile)).toEqual({ kind: "refused", why });
  });
});

describe("a secret in the environment", () => {
  it.each<[value: string | undefined, outcome: object]>([
    ["hemligt", { kind: "secret", value: "hemligt" }],
    [undefined, { kind: "refused", why: "the environment variable K is not set" }],
    ["", { kind: "refused", why: "the environment variable K is empty" }],
  ])("%j", async (value, outcome) => {
    expect(await readSecret({ env: "K" }, { K: value }, nothing)).toEqual(outcome);
  });

  it("is nothing that every object has", async () => {
    const outcome = await readSecret({ env: "toString" }, process.env, nothing);
    expect(outcome.kind).toBe("refused");
  });
});
