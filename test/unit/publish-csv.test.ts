/** The centre's CSV: as people write it, with every fault named by its row. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CsvRow, readCsv, readDay, readNumber, showDay } from "../../sync/publish-csv.ts";
import { pieces } from "./feed-workshop.ts";

const HEADER = "number,status,valid_until,tokens";

async function read(text: string | Uint8Array, sizeBytes = 1_000): Promise<CsvRow[]> {
  const rows: CsvRow[] = [];
  for await (const batch of readCsv(pieces(Buffer.from(text), sizeBytes))) rows.push(...batch);
  return rows;
}

const faultsOf = async (text: string) =>
  (await read(text)).flatMap((row) => (row.kind === "fault" ? [`${row.row}: ${row.why}`] : []));

const cardsOf = async (text: string | Uint8Array) =>
  (await read(text)).flatMap((row) => (row.kind === "card" ? [row.card] : []));

const ANNA = {
  number: "BB-1234-567890",
  status: "active",
  validUntilDay: 21_184,
  tokens: ["04A1B2C3D4E5F6", "DEADBEEF"],
};

describe("what people write", () => {
  it.each([
    ["plain", `${HEADER}\nBB-1234-567890,active,2028-01-01,uid:04A1B2C3D4E5F6 uid:DEADBEEF\n`],
    [
      "without a last line feed",
      `${HEADER}\nBB-1234-567890,active,2028-01-01,uid:04A1B2C3D4E5F6 uid:DEADBEEF`,
    ],
    [
      "with a byte order mark, CRLF and empty rows at its end",
      `\uFEFF${HEADER}\r\nBB-1234-567890,active,2028-01-01,uid:04A1B2C3D4E5F6 uid:DEADBEEF\r\n\r\n\r\n`,
    ],
    [
      "quoted",
      `"number","status","valid_until","tokens"\n"BB-1234-567890","active","2028-01-01","uid:04A1B2C3D4E5F6 uid:DEADBEEF"\n`,
    ],
    [
      "with the semicolons of a Swedish spreadsheet",
      `${HEADER.replaceAll(",", ";")}\nBB-1234-567890;active;2028-01-01;uid:04A1B2C3D4E5F6 uid:DEADBEEF\n`,
    ],
    [
      "by hand",
      `Number, Status,VALID_UNTIL,tokens\nbb 1234–567890 , Active, 2028-01-01 ,  uid:deadbeef   UID:04a1b2c3d4e5f6 \n`,
    ],
  ])("%s", async (_, text) => {
    expect(await cardsOf(text)).toEqual([ANNA]);
    expect(await faultsOf(text)).toEqual([]);
  });

  it("no end and no token", async () => {
    expect(await cardsOf(`${HEADER}\nBB-1234-567890,superseded,,\n`)).toEqual([
      { number: "BB-1234-567890", status: "superseded", validUntilDay: null, tokens: [] },
    ]);
  });
});

describe("faults", () => {
  it.each([
    ["BB-1234-56789,active,,", /"BB-1234-56789" is no card number/],
    ["BB-1234-567890,expired,,", /set valid_until/],
    ["BB-1234-567890,locked,,", /"locked" is no status: not-activated, active/],
    ["BB-1234-567890,active,2027-02-30,", /"2027-02-30" is no day/],
    ["BB-1234-567890,active,31/12/2027,", /is no day like 2027-12-31/],
    ["BB-1234-567890,active,1969-12-31,", /is no day/],
    ["BB-1234-567890,active,,04A1B2C3D4E5F6", /a token is not uid:/],
    ["BB-1234-567890,active,,uid:04A1B2C3D4E5", /a token is not uid:/],
    ["BB-1234-567890,active,,uid:08A1B2C3", /random/],
    ["BB-1234-567890,active,,uid:04A1B2C3 uid:04a1b2c3", /same token twice/],
    [
      `BB-1234-567890,active,,${Array.from({ length: 17 }, (_, i) => `uid:040000${10 + i}`).join(" ")}`,
      /17 tokens/,
    ],
    ["BB-1234-567890,active,", /3 fields/],
    ["BB-1234-567890,active,,,", /5 fields/],
    ['"BB-1234-567890,active,,', /quote/],
    [`BB-1234-567890,active,,${" ".repeat(2_000)}`, /longer than/],
    ["locked,locked,locked,locked", /card number.*status.*day.*token/],
  ])("%s", async (line, why) => {
    const faults = await faultsOf(`${HEADER}\nBB-0000-000001,active,,\n${line}\nBB-0000-000002,active,,\n`);
    expect(faults).toEqual([expect.stringMatching(/^3: /)]);
    expect(faults[0]).toMatch(why);
  });

  it("never show a whole token", async () => {
    const [fault] = await faultsOf(`${HEADER}\nBB-1234-567890,active,,uid:04A1B2C3D4E5F\n`);
    expect(fault).not.toContain("04A1B2C3D4E5F ");
    expect(fault).toBe("2: a token is not uid: and 8, 14 or 20 hex digits, like uid:04A1B2C3D4E5F6");
  });

  it("an empty row in the middle, and those after it by their own rows", async () => {
    expect(await faultsOf(`${HEADER}\nBB-0000-000001,active,,\n\n\nx,active,,\n`)).toEqual([
      "3: the row is empty",
      expect.stringMatching(/^5: "x" is no card number/),
    ]);
  });

  it.each(["", "\n", "BB-1234-567890,active,,\n", "<html>\n<body>\n", "number,status\n"])(
    "a first row that is not the header: %j",
    async (text) => {
      expect(await faultsOf(text)).toEqual([expect.stringMatching(/^1: .*number,status,valid_until,tokens/)]);
    },
  );

  it("a line of a gigabyte is not kept", async () => {
    const pieceCount = 2_000;
    async function* long() {
      yield Buffer.from(`${HEADER}\n`);
      for (let i = 0; i < pieceCount; i++) yield Buffer.alloc(65_536, 65);
      yield Buffer.from("\nBB-0000-000002,active,,\n");
    }
    const rows: CsvRow[] = [];
    for await (const batch of readCsv(long())) rows.push(...batch);
    expect(rows).toMatchObject(
      [
        { kind: "fault", row: 2, why: /longer/ },
        { kind: "card", row: 3 },
      ].map((row) => ({ kind: row.kind, row: row.row })),
    );
  });
});

describe("properties", () => {
  it("the pieces it comes in change nothing", async () => {
    const line = fc.oneof(
      fc.constantFrom(
        "BB-1234-567890,active,,",
        "BB-1234-567890,blocked,2027-01-01,uid:04A1B2C3\r",
        "",
        "\r",
        '"',
        "åäö,,,",
      ),
      fc.string({ maxLength: 30 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.integer({ min: 1, max: 50 }), async (lines, sizeBytes) => {
        const text = [HEADER, ...lines].join("\n");
        expect(await read(text, sizeBytes)).toEqual(await read(text, 1 << 20));
      }),
    );
  });

  it("any bytes give rows or faults", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        for (const row of await read(Buffer.concat([Buffer.from(`${HEADER}\n`), bytes]))) {
          expect(["card", "fault"]).toContain(row.kind);
        }
      }),
    );
  });

  it("days and their text are one to one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_932_896 }), (day) => {
        expect(readDay(showDay(day))).toBe(day);
      }),
    );
  });

  it("numbers keep their form, however they are spaced", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{2}\d{10}$/),
        fc.constantFrom("", " ", "-", "‑", "–", "\u00a0"),
        (bare, gap) => {
          const typed = [bare.slice(0, 2), bare.slice(2, 6), bare.slice(6)].join(gap);
          const canonical = `${bare.slice(0, 2).toUpperCase()}-${bare.slice(2, 6)}-${bare.slice(6)}`;
          expect(readNumber(typed)).toBe(canonical);
        },
      ),
    );
  });
});
