import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packNumber, STATUSES, unpackNumber } from "../../sync/card.ts";
import { HEADER, LINE_BYTES_MAX, type Row, RowParser, TOKENS_PER_CARD_MAX } from "../../sync/rows.ts";
import { anyCards, textOf } from "./sync-lists.ts";

interface Read {
  row: number;
  number: string;
  status: number;
  day: number;
  uids: string[];
}

function copyOf(row: Row): Read {
  const uids = Array.from({ length: row.tokenCount }, (_, i) =>
    Buffer.from(row.tokenBytes.slice(i * 10, i * 10 + row.tokenSizes[i]!))
      .toString("hex")
      .toUpperCase(),
  );
  return { row: row.row, number: unpackNumber(row.packed), status: row.status, day: row.day, uids };
}

function read(pieces: Uint8Array[], delta = false) {
  const rows: Read[] = [];
  const parser = new RowParser({ delta }, (row) => {
    rows.push(copyOf(row));
    return null;
  });
  for (const piece of pieces) parser.push(piece);
  return { rows, fault: parser.finish() };
}

function readText(text: string, delta = false) {
  return read([new TextEncoder().encode(text)], delta);
}

/** `bytes` cut at the given places. */
function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.slice(ends[i - 1] ?? 0, end));
}

describe("rows", () => {
  it("gives back every row that was written, however the bytes are cut", () => {
    fc.assert(
      fc.property(anyCards, fc.array(fc.nat(), { maxLength: 8 }), (cards, places) => {
        const { rows, fault } = read(cut(textOf(cards), places));
        expect(fault).toBeNull();
        expect(rows).toEqual(
          cards.map(({ number, status, validUntilDay, uids }, i) => ({
            row: i + 2,
            number,
            status: STATUSES.indexOf(status),
            day: validUntilDay ?? -1,
            uids,
          })),
        );
      }),
    );
  });

  it("takes carriage returns, a last row without an end, and an empty list", () => {
    expect(readText(`${HEADER}\r\nBB-2401-000001,active,,\r\n`).rows).toHaveLength(1);
    expect(readText(`${HEADER}\nBB-2401-000001,active,,`).rows).toHaveLength(1);
    expect(readText(HEADER)).toEqual({ rows: [], fault: null });
  });

  it("knows the days of the calendar", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_932_896 }), (day) => {
        const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
        expect(readText(`${HEADER}\nBB-2401-000001,active,${date},\n`).rows[0]?.day).toBe(day);
      }),
    );
  });

  it("takes `removed` only in a delta", () => {
    const text = `${HEADER}\nBB-2401-000001,removed,,\n`;
    expect(readText(text, true).rows[0]?.status).toBe(6);
    expect(readText(text).fault?.why).toMatch(/status/);
  });

  it.each([
    ["", 1, /first row/],
    ["number;status;valid_until;tokens\n", 1, /first row/],
    [`\uFEFF${HEADER}\n`, 1, /first row/],
    [`${HEADER}\n\n`, 2, /four fields/],
    [`${HEADER}\nBB-2401-000001,active,\n`, 2, /four fields/],
    [`${HEADER}\nBB-2401-000001,active,,,\n`, 2, /four fields/],
    [`${HEADER}\nBB-2401-000001,active,,\nbb-2401-000002,active,,\n`, 3, /number/],
    [`${HEADER}\nBB-2401-00000,active,,\n`, 2, /number/],
    [`${HEADER}\nBB-2401-0000011,active,,\n`, 2, /number/],
    [`${HEADER}\nBB-2401-00000A,active,,\n`, 2, /number/],
    [`${HEADER}\nBB-2401-000001,Active,,\n`, 2, /status/],
    [`${HEADER}\nBB-2401-000001,expired,,\n`, 2, /status/],
    [`${HEADER}\nBB-2401-000001,active,2027-02-29,\n`, 2, /valid_until/],
    [`${HEADER}\nBB-2401-000001,active,1969-12-31,\n`, 2, /valid_until/],
    [`${HEADER}\nBB-2401-000001,active,2027-13-01,\n`, 2, /valid_until/],
    [`${HEADER}\nBB-2401-000001,active,2027-1-01,\n`, 2, /valid_until/],
    [`${HEADER}\nBB-2401-000001,active,,04A1B2C3D4E5F6\n`, 2, /tokens/],
    [`${HEADER}\nBB-2401-000001,active,,uid:04A1B2C3D4E5\n`, 2, /tokens/],
    [`${HEADER}\nBB-2401-000001,active,,uid:04A1B2C3D4E5FG\n`, 2, /tokens/],
    [`${HEADER}\nBB-2401-000001,active,,uid:04A1B2C3D4E5F6 \n`, 2, /tokens/],
    [`${HEADER}\nBB-2401-000001,active,, uid:04A1B2C3D4E5F6\n`, 2, /tokens/],
    [`${HEADER}\nBB-2401-000001,active,,uid:08A1B2C3\n`, 2, /random/],
    [
      `${HEADER}\nBB-2401-000001,active,,${"uid:04A1B2C3 ".repeat(TOKENS_PER_CARD_MAX + 1)}\n`,
      2,
      /more than 16/,
    ],
    [`${HEADER}\n${"x".repeat(LINE_BYTES_MAX + 1)}\n`, 2, /longer/],
    [`${HEADER}\n${"x".repeat(10 * LINE_BYTES_MAX)}`, 2, /longer/],
  ])("refuses %j at row %i", (text, row, why) => {
    const whole = readText(text).fault;
    expect(whole).toEqual({ row, why: expect.stringMatching(why) });
    const bytes = new TextEncoder().encode(text);
    const single = read(Array.from(bytes, (_, i) => bytes.slice(i, i + 1)));
    expect(single.fault).toEqual(whole);
  });

  it("stops at the first fault, and at what is not taken", () => {
    const parser = new RowParser({ delta: false }, (row) => (row.row === 3 ? "no more" : null));
    const text = `${HEADER}\nBB-2401-000001,active,,\nBB-2401-000002,active,,\nnonsense\n`;
    expect(parser.push(new TextEncoder().encode(text))).toEqual({ row: 3, why: "no more" });
    expect(parser.push(new TextEncoder().encode("more"))).toEqual({ row: 3, why: "no more" });
    expect(parser.finish()).toEqual({ row: 3, why: "no more" });
  });

  it("takes any bytes without a throw, and the same in any pieces", () => {
    const broken = fc
      .tuple(anyCards, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([cards, changes]) => {
        const bytes = textOf(cards);
        for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
        return bytes;
      });
    const noise = fc.oneof(fc.uint8Array({ maxLength: 2000 }), broken);
    fc.assert(
      fc.property(noise, fc.array(fc.nat(), { maxLength: 8 }), (bytes, places) => {
        expect(read(cut(bytes, places), true)).toEqual(read([bytes], true));
      }),
    );
  });

  it("reads numbers as packNumber does", () => {
    expect(packNumber(readText(`${HEADER}\nZZ-9999-999999,active,,`).rows[0]!.number)).toBe(
      6_759_999_999_999,
    );
  });
});
