import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { parseConfiguration } from "../../config/load.ts";
import { type HidReportLayout, readReport } from "../../drivers/codec/hid-report.ts";
import { READER_TYPES, RELAY_TYPES } from "../../drivers/registry.ts";

const PAGE = readFileSync("docs/hid.md", "utf8");
const HEAD = "gateway: { id: gate-1, site: test }\ncards: { feed: ./feed, root: root.json }\n";
const WEDGE = { driver: "hid", vendorId: 0x08ff, productId: 9 };
const REPORT = { ...WEDGE, mode: "report", reads: "uid" };

function faultsOf(text: string): string[] {
  const result = parseConfiguration(text, "/etc/grindvakt", {
    readers: READER_TYPES,
    relays: RELAY_TYPES,
    inputs: [],
  });
  return result.kind === "faults" ? result.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}

/** What is said of these readers, each with a relay of its own where there is one. */
function check(readers: object[], relays: object[] = []): string[] {
  const config = {
    readers: readers.map((reader, at) => ({ id: `r${at}`, ...reader })),
    accessPoints: readers.map((_, at) => ({
      id: `p${at}`,
      direction: "entry",
      readers: [`r${at}`],
      ...(relays[at] && { relay: { driver: "hid-relay", ...relays[at] } }),
    })),
  };
  return faultsOf(`${HEAD}${stringify(config)}`);
}

describe("two readers", () => {
  const fault = "readers[1].productId: is that of another reader too, allowed: path or serial beside both";

  it.each([
    ["nothing", {}, {}],
    ["a word beside one of them", { path: "1-1.2" }, {}],
    ["different kinds of words", { path: "1-1.2" }, { serial: "A" }],
  ])("of a kind are not told apart by %s", (_, one, other) => {
    expect(
      check([
        { ...WEDGE, ...one },
        { ...WEDGE, ...other },
      ]),
    ).toEqual([fault]);
  });

  it.each([
    ["their ports", { path: "1-1.2" }, { path: "1-1.3" }],
    ["their interfaces", { path: "1-1.2:1.0" }, { path: "1-1.2:1.1" }],
    ["their serial numbers", { serial: "A" }, { serial: "B" }],
    ["their usages", { usagePage: 1, usage: 6 }, { usagePage: 1, usage: 2 }],
    ["their products", {}, { productId: 10 }],
  ])("are told apart by %s", (_, one, other) => {
    expect(
      check([
        { ...WEDGE, ...one },
        { ...WEDGE, ...other },
      ]),
    ).toEqual([]);
  });
});

describe("two relays", () => {
  const readers = [WEDGE, { ...WEDGE, productId: 10 }];

  it("of one board have a channel each", () => {
    expect(check(readers, [{ channel: 1 }, { channel: 2 }])).toEqual([]);
    expect(check(readers, [{ channel: 1 }, { channel: 1, serial: "AAAAA" }])).toEqual([
      "accessPoints[1].relay.channel: is used by another access point too, allowed: one of its own, or path or serial of another board",
    ]);
  });

  it("may have the same channel of two boards", () => {
    expect(check(readers, [{ serial: "AAAAA" }, { serial: "BBBBB" }])).toEqual([]);
    expect(check(readers, [{ path: "1-1.2" }, { path: "1-1.3" }])).toEqual([]);
  });
});

describe("a reader of reports", () => {
  it.each([
    [{ ...REPORT }, "readers[0].mode: is report, allowed: report beside it, which says where the card is"],
    [
      { ...WEDGE, report: { lengthBits: 32 } },
      "readers[0].report: says nothing to a keyboard, allowed: mode: report beside it",
    ],
    [
      { ...REPORT, report: {} },
      "readers[0].report: has no length or two, allowed: one of lengthBits and lengthByte",
    ],
    [
      { ...REPORT, report: { lengthBits: 32, lengthByte: 0 } },
      "readers[0].report: has no length or two, allowed: one of lengthBits and lengthByte",
    ],
    [
      { ...REPORT, report: { lengthBits: 32 }, reads: "card-number" },
      "readers[0].mode: gives bits, which are no card number, allowed: reads: uid, { uid } or { wiegand }, or holds: text",
    ],
    [
      { ...REPORT, report: { lengthBits: 64, holds: "text" }, reads: { wiegand: 34 } },
      "readers[0].reads: is Wiegand bits, and the report holds text, allowed: card-number, uid, { uid }, or holds: bits",
    ],
    [
      { ...WEDGE, reads: { wiegand: 34 } },
      "readers[0].reads: wiegand is not in this version for driver hid, allowed: card-number, uid or { uid }",
    ],
    [
      { ...WEDGE, path: "/dev/hidraw0" },
      "readers[0].path: is not of the right form, allowed: a port as the kernel names it, such as 1-1.2, or with the interface 1-1.2:1.0",
    ],
  ])("%o is told what is wrong", (reader, fault) => {
    expect(check([reader])).toEqual([fault]);
  });

  it("may hand over Wiegand bits, and card numbers where it sends text", () => {
    expect(check([{ ...REPORT, report: { lengthBits: 34 }, reads: { wiegand: 34 } }])).toEqual([]);
    expect(check([{ ...REPORT, report: { lengthBits: 128, holds: "text" }, reads: "card-number" }])).toEqual(
      [],
    );
  });
});

describe("docs/hid.md", () => {
  it("begins with an example that works", () => {
    expect(faultsOf(`${HEAD}${/```yaml\n(.*?)```/s.exec(PAGE)![1]!}`)).toEqual([]);
  });

  it("says what becomes of reports", () => {
    const rows = [...PAGE.matchAll(/^\| `([0-9a-f ]+)` \| `(\{.*\})` \| `([0-9A-F]+)` \|$/gm)];
    expect(rows).toHaveLength(3);
    for (const [, hex, layout, bits] of rows) {
      const given = {
        offsetBits: 0,
        lengthUnit: "bits",
        order: "msb",
        holds: "bits",
        idle: "zeros",
        ...parse(layout!),
      };
      const field = readReport(Buffer.from(hex!.replaceAll(" ", ""), "hex"), given as HidReportLayout);
      expect(field.kind === "bits" && Buffer.from(field.bits.bytes).toString("hex").toUpperCase()).toBe(bits);
    }
  });
});
