import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packCanonical, packNumber, unpackNumber } from "../../sync/card.ts";
import { CUTS } from "../../sync/index-cuts.ts";
import { blockCount, NumberTable, planPages } from "../../sync/index-numbers.ts";
import { fillTokens, TokenTable, type TokenWalk, tokenStarts, UidKey } from "../../sync/index-tokens.ts";
import { anyCards, anyNumber, anyUid, card, indexOf, modelAnswer, outcomeOf, SEAL } from "./sync-lists.ts";

describe("card numbers", () => {
  it("are packed, told from other text, and unpacked", () => {
    fc.assert(
      fc.property(anyNumber, (number) => {
        expect(packCanonical(number)).toBe(packNumber(number));
        expect(unpackNumber(packNumber(number))).toBe(number);
      }),
    );
    for (const text of [
      "",
      "BB-1234-56789",
      "bb-1234-567890",
      "BB-1234-56789O",
      "BB 1234 567890",
      "BB-1234-567890 ",
    ]) {
      expect(packCanonical(text)).toBe(-1);
    }
  });

  it.each([false, true])("are found in pages, with 24 bits: %s", (wide) => {
    const codeOf = (packed: number) => packed % 65_536;
    fc.assert(
      fc.property(fc.uniqueArray(anyNumber, { maxLength: 200 }), anyNumber, (texts, other) => {
        const numbers = texts.map(packNumber);
        const issuers = [...new Set(numbers.map((packed) => Math.floor(packed / 1e10)))].sort(
          (a, b) => a - b,
        );
        const { pages } = planPages(issuers.length, wide ? 0 : 1e9);
        const table = new NumberTable(
          {
            issuers: Uint16Array.from(issuers),
            starts: new Uint32Array(pages + 1),
            blocks: new Uint32Array(blockCount(numbers.length)),
            cells: new Uint32Array(numbers.length),
            tops: new Uint8Array(wide ? numbers.length : 0),
          },
          wide,
        );
        expect(
          table.fill((visit) => {
            for (const packed of numbers) visit(packed, codeOf(packed));
          }),
        ).toBe(-1);
        const sorted = numbers.toSorted((a, b) => a - b);
        expect(sorted.map((packed) => table.find(packed))).toEqual([...sorted.keys()]);
        expect(sorted.map((_, position) => table.at(position))).toEqual(sorted);
        expect(sorted.map((_, position) => table.codeAt(position))).toEqual(sorted.map(codeOf));
        const walked: number[] = [];
        table.forEach((packed) => {
          walked.push(packed);
        });
        expect(walked).toEqual(sorted);
        if (!texts.includes(other)) expect(table.find(packNumber(other))).toBe(-1);
      }),
      { numRuns: 30 },
    );
  });

  it("are found in a page that is full, and in one where they crowd at an end", () => {
    const numbers = Array.from({ length: 3000 }, (_, i) => 27e10 + (i < 2000 ? i : 60_000 + 2 * i));
    const table = new NumberTable(
      {
        issuers: Uint16Array.of(27),
        starts: new Uint32Array(planPages(1, 1e9).pages + 1),
        blocks: new Uint32Array(blockCount(numbers.length)),
        cells: new Uint32Array(numbers.length),
        tops: new Uint8Array(0),
      },
      false,
    );
    table.fill((visit) => {
      for (const packed of numbers.toReversed()) visit(packed, 7);
    });
    expect(numbers.map((packed) => table.find(packed))).toEqual(numbers.map((_, position) => position));
    expect(numbers.map((packed) => table.find(packed + 1))).toEqual(
      numbers.map((packed, position) => (numbers[position + 1] === packed + 1 ? position + 1 : -1)),
    );
  });
});

/** Tokens to be walked, as halves of a key. */
function walkOf(tokens: readonly { upper: number; lower: number; short: number; card: number }[]): TokenWalk {
  return (key, visit) => {
    for (const { card, ...halves } of tokens) {
      Object.assign(key, halves);
      visit(card);
    }
  };
}

describe("tokens", () => {
  it("can be read back from their key, whose halves have 28 bits", () => {
    fc.assert(
      fc.property(
        anyUid.filter((uid) => uid.length < 20),
        (uid) => {
          const bytes = Uint8Array.from(Buffer.from(uid, "hex"));
          const key = new UidKey();
          key.set(SEAL, bytes, 0, bytes.length);
          expect(Math.max(key.upper, key.lower)).toBeLessThan(2 ** 28);
          expect(Math.min(key.upper, key.lower)).toBeGreaterThanOrEqual(0);
          const back = new Uint8Array(7);
          expect(key.get(SEAL, back)).toBe(bytes.length);
          expect(back.slice(0, bytes.length)).toEqual(bytes);
        },
      ),
    );
  });

  it.each([1, 2, 128, 129, 30_000, 2 ** 23, 2 ** 24])(
    "are all kept, with their cards, in a list of %i",
    (cards) => {
      const half = fc.integer({ min: 0, max: 2 ** 28 - 1 });
      const token = fc.record({
        upper: half,
        lower: half,
        short: fc.integer({ min: 0, max: 1 }),
        card: fc.oneof(fc.constant(cards - 1), fc.integer({ min: 0, max: cards - 1 })),
      });
      const tokens = fc.uniqueArray(token, {
        selector: ({ upper, lower, short }) => `${upper} ${lower} ${short}`,
        maxLength: 40,
      });
      fc.assert(
        fc.property(tokens, (made) => {
          const key = new UidKey();
          const parts = {
            starts: new Uint32Array(tokenStarts(cards)),
            entries: new Uint32Array(2 * made.length),
          };
          fillTokens(parts, walkOf(made), (card) => card);
          const table = new TokenTable(parts);
          for (const { card, ...halves } of made)
            expect(table.find(Object.assign(key, halves), null)).toBe(card);
          const walked: unknown[] = [];
          table.forEach(key, (card) => walked.push({ ...key, card }));
          expect(new Set(walked.map((one) => JSON.stringify(one)))).toEqual(
            new Set(made.map((one) => JSON.stringify(one))),
          );
        }),
        { numRuns: 20 },
      );
    },
  );

  it("are found in a bucket that is full, and their neighbours are not", () => {
    // As a table of three million has them: many in one bucket, evenly spread or crowded at an end.
    const spread = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 2 }), {
      minLength: 30,
      maxLength: 150,
    });
    const crowded = spread.map((words) => words.map((word, i) => (i % 3 === 0 ? word : word % 256)));
    fc.assert(
      fc.property(fc.oneof(spread, crowded), (words) => {
        const distinct = [...new Set(words)];
        const key = new UidKey();
        const halvesOf = (word: number) => ({
          upper: (5 << 11) | (word >>> 28),
          lower: word & 0xfffffff,
          short: 0,
        });
        const keyOf = (word: number) => Object.assign(key, halvesOf(word));
        const parts = {
          starts: new Uint32Array(tokenStarts(2 ** 24)),
          entries: new Uint32Array(2 * distinct.length),
        };
        fillTokens(
          parts,
          walkOf(distinct.map((word, card) => ({ ...halvesOf(word), card }))),
          (card) => card,
        );
        const table = new TokenTable(parts);
        distinct.forEach((word, card) => {
          expect(table.find(keyOf(word), null)).toBe(card);
          if (!distinct.includes(word + 1)) expect(table.find(keyOf(word + 1), null)).toBe(-1);
          expect(table.find(Object.assign(keyOf(word), { short: 1 }), null)).toBe(-1);
        });
      }),
      { numRuns: 30 },
    );
  });

  it("are spread evenly, also those that follow one another", () => {
    const counts = new Uint32Array(256);
    const key = new UidKey();
    for (let i = 0; i < 25_600; i++) {
      key.set(SEAL, Uint8Array.of(4, 0, 0, 0, i >>> 16, i >>> 8, i), 0, 7);
      counts[key.upper >>> 20]! += 1;
    }
    expect(Math.max(...counts)).toBeLessThan(160);
    expect(Math.min(...counts)).toBeGreaterThan(50);
  });
});

describe("the index", () => {
  it("takes upper-case hex for a token and nothing else", () => {
    const index = indexOf([
      card("BB-2401-000001", "active", "04A1B2C3D4E5F6", "00000000", "0102030405060708090A"),
    ]);
    expect(index.byToken("04A1B2C3D4E5F6", "whole")).toMatchObject({ kind: "card" });
    for (const text of [
      "04a1b2c3d4e5f6",
      "04A1B2C3D4E5F",
      "04A1B2C3D4E5G6",
      "\u01304A1B2C3D4E5F6",
      "",
      "  ",
      "-1000000",
    ])
      for (const part of ["whole", "first", "last"] as const)
        expect(index.byToken(text, part), text).toEqual({ kind: "unknown" });
    // Bits of a code beyond the seventh are no reason to take it for a digit; nor is a longer text cut short.
    for (const shift of [128, 256, 0x1000])
      expect(index.byToken(String.fromCharCode(48 + shift).repeat(8), "whole")).toEqual({ kind: "unknown" });
    expect(index.byToken("0102030405060708090A0B", "whole")).toEqual({ kind: "unknown" });
  });

  it("answers as a look at every card would", () => {
    fc.assert(
      fc.property(
        anyCards,
        fc.array(anyNumber, { maxLength: 5 }),
        fc.array(anyUid, { maxLength: 5 }),
        fc.subarray([...CUTS]),
        (cards, numbers, uids, cuts) => {
          const index = indexOf(cards, null, 1, cuts);
          expect(index.cards).toBe(cards.length);
          for (const number of [...numbers, ...cards.map((one) => one.number)]) {
            expect(index.byNumber(number)).toEqual(modelAnswer(cards, (one) => one.number === number));
          }
          for (const uid of [...uids, ...cards.flatMap((one) => one.uids)]) {
            expect(index.byToken(uid, "whole")).toEqual(modelAnswer(cards, (one) => one.uids.includes(uid)));
            for (const bytes of [3, 4, 7]) {
              const first = uid.slice(0, 2 * bytes);
              const last = uid.slice(-2 * bytes);
              const long = (other: string) => other.length >= first.length;
              if (first.length < 2 * bytes) continue;
              expect(index.byToken(first, "first")).toEqual(
                modelAnswer(cards, (one) => one.uids.some((other) => long(other) && other.startsWith(first))),
              );
              expect(index.byToken(last, "last")).toEqual(
                modelAnswer(cards, (one) => one.uids.some((other) => long(other) && other.endsWith(last))),
              );
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("finds each of many tokens, and none of their neighbours", () => {
    const uidOf = (i: number) =>
      `04${Math.round(i * 3)
        .toString(16)
        .padStart(12, "0")
        .toUpperCase()}`;
    const numberOf = (i: number) => unpackNumber(27e10 + i * 7);
    const cards = Array.from({ length: 30_000 }, (_, i) => card(numberOf(i), "active", uidOf(i)));
    const index = indexOf(cards);
    const wrong = cards.filter(({ number }, i) => {
      const answer = index.byToken(uidOf(i), "whole");
      const neighbour = index.byToken(uidOf(i + 1 / 3), "whole");
      return answer.kind !== "card" || answer.card.number !== number || neighbour.kind !== "unknown";
    });
    expect(wrong).toEqual([]);
  });

  it("has no answer to a cut token that it has no table for, until it has looked at each, some thousands at a time", () => {
    const uidOf = (i: number) => `04${(i * 2_654_435).toString(16).padStart(12, "0").toUpperCase()}`;
    const numberOf = (i: number) => unpackNumber(27e10 + i * 7);
    const cards = Array.from({ length: 30_000 }, (_, i) => card(numberOf(i), "active", uidOf(i)));
    cards.push(
      card(numberOf(30_000), "active", "F604A1B2C3D4E5F60102"),
      card(numberOf(30_001), "active", "3B0A0B0C"),
    );
    const index = indexOf(cards);
    const asked = [
      [uidOf(77).slice(-8), "last"],
      [uidOf(78).slice(0, 6), "first"],
      ["E5F60102", "last"],
      ["3B0A0B", "first"],
      ["FFFFFF", "last"],
    ] as const;
    for (const [uid, part] of asked) {
      expect(index.byToken(uid, part)).toEqual({ kind: "unready" });
      const search = index.search(uid, part)!;
      let steps = 0;
      while (search.next().done !== true) steps += 1;
      expect(steps).toBeGreaterThan(3);
      const has = (other: string) => (part === "first" ? other.startsWith(uid) : other.endsWith(uid));
      expect(index.byToken(uid, part)).toEqual(modelAnswer(cards, ({ uids }) => uids.some(has)));
    }
    expect(index.search(uidOf(77), "whole")).toBeNull();
    expect(indexOf(cards, null, 1, CUTS).search("FFFFFF", "last")).toBeNull();
  });

  it("knows no card for text that is none", () => {
    const index = indexOf([card("BB-2401-000001", "active", "04A1B2C3D4E5F6")]);
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom("whole" as const, "first" as const, "last" as const),
        (text, part) => {
          expect(index.byNumber(text).kind).toBe("unknown");
          if (!/^([0-9A-F]{2})+$/.test(text)) expect(index.byToken(text, part).kind).toBe("unknown");
        },
      ),
    );
  });

  it("answers ambiguous where two cards have one token, and not where one card has it twice", () => {
    const index = indexOf([
      card("BB-2401-000001", "active", "04A1B2C3"),
      card("BB-2401-000002", "active", "04A1B2C3"),
      card("BB-2401-000003", "active", "04FFFFFF", "04FFFFFF"),
    ]);
    expect(index.byToken("04A1B2C3", "whole").kind).toBe("ambiguous");
    expect(index.byToken("04FFFFFF", "whole")).toMatchObject({ card: { number: "BB-2401-000003" } });
  });

  it("refuses a card that is listed twice, by its rows, wherever they are", () => {
    const twice = [card("BB-2401-000001"), card("LL-2401-000001"), card("BB-2401-000001", "blocked")];
    expect(outcomeOf(twice)).toEqual({
      kind: "refused",
      name: "bad-row",
      why: "row 4: the same card number as row 2",
    });
  });
});

describe("the one-way rule", () => {
  const first = indexOf([
    card("BB-2401-000001", "terminated", "04000000000001"),
    card("BB-2401-000002", "superseded"),
    card("BB-2401-000003", "blocked"),
    card("BB-2401-000004", "active"),
  ]);

  it("keeps a final status, counts the row, and lets the rest into force", () => {
    const outcome = outcomeOf(
      [
        card("BB-2401-000001", "active", "04000000000001"),
        card("BB-2401-000002", "terminated"),
        card("BB-2401-000003", "active"),
        card("BB-2401-000004", "terminated"),
      ],
      first,
    );
    expect(outcome).toMatchObject({ kind: "built", ignoredRows: 2 });
    const second = indexOf(
      [card("BB-2401-000001", "active", "04000000000001"), card("BB-2401-000003")],
      first,
    );
    expect(second.byNumber("BB-2401-000001")).toMatchObject({ card: { status: "terminated" } });
    expect(second.byToken("04000000000001", "whole")).toMatchObject({ card: { status: "terminated" } });
    expect(second.byNumber("BB-2401-000003")).toMatchObject({ card: { status: "active" } });
  });

  it("remembers, through any number of lists, a final status of a card that was taken off", () => {
    const without = indexOf([card("BB-2401-000004")], indexOf([card("BB-2401-000004")], first));
    expect(without.cards).toBe(1);
    expect(without.byNumber("BB-2401-000001").kind).toBe("unknown");
    const again = [card("BB-2401-000001"), card("BB-2401-000002"), card("BB-2401-000003")];
    expect(outcomeOf(again, without)).toMatchObject({ ignoredRows: 2 });
    const back = indexOf(again, without);
    expect(back.cards).toBe(3);
    expect(back.byNumber("BB-2401-000001")).toMatchObject({ card: { status: "terminated" } });
    expect(back.byNumber("BB-2401-000002")).toMatchObject({ card: { status: "superseded" } });
    expect(back.byNumber("BB-2401-000003")).toMatchObject({ card: { status: "active" } });
  });

  it("holds for any lists one after the other", () => {
    fc.assert(
      fc.property(fc.array(anyCards, { minLength: 2, maxLength: 4 }), (lists) => {
        const final = new Map<string, string>();
        let index: ReturnType<typeof indexOf> | null = null;
        for (const cards of lists) {
          index = indexOf(cards, index);
          for (const { number, status, validUntilDay } of cards) {
            const held = final.get(number);
            const answer = index.byNumber(number);
            if (held === undefined || held === status) {
              expect(answer).toEqual({ kind: "card", card: { number, status, validUntilDay } });
            } else {
              expect(answer).toMatchObject({ card: { number, status: held } });
            }
            if (held === undefined && (status === "terminated" || status === "superseded"))
              final.set(number, status);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
