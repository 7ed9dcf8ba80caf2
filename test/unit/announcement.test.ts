import fc from "fast-check";
import { expect, it } from "vitest";
import { revisionOf } from "../../daemon/broker/announcement.ts";

const read = (text: string) => revisionOf(new TextEncoder().encode(text));

it("an announcement names a revision, or nothing that could be one", () => {
  expect(read('{"revision": 3}')).toBe(3);
  expect(["", "3", "null", "[]", "{}", '{"revision": "3"}', '{"revision": 1e400}'].map(read)).toEqual(
    Array(7).fill(null),
  );
  expect(read(`{"revision": 3${" ".repeat(300)}}`)).toBeNull();
});

it("any bytes are a revision or none", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(revisionOf(bytes) ?? 0).toBeTypeOf("number");
    }),
  );
});
