/** How a chip is named outside the gateway, and the key that it is named by. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { hashToken, parseTokenKey } from "../../daemon/token-key.ts";

const UID = "04A1B2C3D4E5F6";

test("a chip's name is a hash that only the gateway's key gives, and always the same", () => {
  const [key, other] = [1, 2].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array];
  const name = hashToken(key, UID);
  expect(name).toMatch(/^[0-9a-f]{32}$/);
  expect(hashToken(key, UID)).toBe(name);
  expect(hashToken(other, UID)).not.toBe(name);
  expect(hashToken(key, "04A1B2C3D4E5F7")).not.toBe(name);
  // Without the key, the few UIDs there are could be tried out.
  const keyless = [UID, Buffer.from(UID, "hex")].map((what) =>
    createHash("sha256").update(what).digest("hex"),
  );
  for (const hash of keyless) expect(hash).not.toContain(name);
});

const KEY = "0123456789abcdef".repeat(4);

test.each([KEY, KEY.toUpperCase()])("%s is a key", (text) => {
  expect(Buffer.from(parseTokenKey(text)!).toString("hex")).toBe(KEY);
});

test.each([
  "",
  KEY.slice(1),
  `${KEY}0`,
  `${KEY.slice(1)}g`,
  ` ${KEY.slice(1)}`,
  `${KEY}\n`,
  "correct horse battery staple",
])("%j is none", (text) => {
  expect(parseTokenKey(text)).toBeNull();
});
