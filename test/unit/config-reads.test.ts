import { describe, expect, it } from "vitest";
import { cutOf, type Reads } from "../../config/reads.ts";
import { EVERY_DRIVER, faultsOf, lines, MINIMAL } from "./config-site.ts";

const text = { uid: "hex", order: "msb" } as const;
const bits = { identityOf16Bits: true, order: "msb" } as const;

describe("how a reader cuts UIDs", () => {
  it.each<[Reads, ReturnType<typeof cutOf>]>([
    ["card-number", null],
    ["uid", null],
    [{ ...text, bytes: 4 }, null],
    [
      { ...text, bytes: 4, cut: "first" },
      { part: "first", sizeBytes: 4 },
    ],
    [
      { ...text, bytes: 3, cut: "last" },
      { part: "last", sizeBytes: 3 },
    ],
    [{ ...text, bytes: 7, cut: "last" }, null],
    [
      { ...bits, wiegand: 26 },
      { part: "last", sizeBytes: 3 },
    ],
    [
      { ...bits, wiegand: 26, order: "lsb" },
      { part: "first", sizeBytes: 3 },
    ],
    [
      { ...bits, wiegand: 26, cut: "first" },
      { part: "first", sizeBytes: 3 },
    ],
    [{ ...bits, wiegand: 34 }, null],
    [
      { ...bits, wiegand: 34, cut: "last" },
      { part: "last", sizeBytes: 4 },
    ],
    [
      { ...bits, wiegand: 40, cut: "first" },
      { part: "first", sizeBytes: 4 },
    ],
    [{ ...bits, wiegand: 58, cut: "first" }, null],
  ])("is known of reads %j", (reads, cut) => {
    expect(cutOf(reads)).toEqual(cut);
  });
});

describe("reads", () => {
  it.each<[driver: string, reads: string, said: string]>([
    ["serial", "uid", ""],
    ["serial", "{ uid: hex, bytes: 7 }", ""],
    ["serial", "{ uid: hex, bytes: 3, cut: last }", ""],
    ["serial", "{ uid: hex, order: lsb }", "reads.bytes: is missing, allowed: 3, 4, 7, 10"],
    ["serial", "{ uid: hex, bytes: 3 }", "3 bytes are no whole UID"],
    ["serial", "{ uid: hex, bytes: 10, cut: last }", "no UID is longer than 10 bytes"],
    ["serial", "{ uid: hex, bytes: 5 }", "is 5, allowed: 3, 4, 7, 10"],
    ["serial", "{ wiegand: 34 }", "wiegand is not in this version for driver serial"],
    ["osdp, address: 1", "{ wiegand: 34 }", ""],
    ["osdp, address: 1", "{ wiegand: 26 }", "26 bits tell only 65,536 cards apart"],
    ["osdp, address: 1", "{ wiegand: 26, identityOf16Bits: true }", ""],
    ["osdp, address: 1", "{ wiegand: 34, order: lsb, cut: last }", ""],
    [
      "osdp, address: 1",
      "{ wiegand: 58, cut: last }",
      "58 bits hold a whole UID of 7 bytes, allowed: no cut",
    ],
    ["osdp, address: 1", "{ wiegand: 27 }", "is 27, allowed: 26, 32, 34, 37, 40, 56, 58"],
  ])("driver %s, %s", (driver, reads, said) => {
    const text = MINIMAL.replace("driver: virtual", `driver: ${driver}, port: /dev/a, reads: ${reads}`);
    const faults = faultsOf(text, EVERY_DRIVER);
    expect(faults).toHaveLength(said === "" ? 0 : 1);
    expect(lines(faults)).toContain(said);
  });
});
