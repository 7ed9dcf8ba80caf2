/** From what a reader showed to the setting to write. */
import { describe, expect, it } from "vitest";
import {
  type Identified,
  Identifier,
  inClear,
  Search,
  settingOf,
  wayOf,
} from "../../daemon/answers/identify.ts";
import type { LookupAnswer } from "../../daemon/answers/lookup.ts";
import { Sights, sightLine } from "../../daemon/gate/sights.ts";
import { candidatesOf } from "../../drivers/candidates.ts";
import type { Observer, Reading, Sight } from "../../drivers/driver.ts";
import { SimClock } from "../sim/clock.ts";

const CARD = "BB-2611-000001";
const STAMP = { monotonicMs: 1_234.5, wallMs: Date.UTC(2026, 10, 22, 6, 58, 12, 345), trusted: true };
const UIDS = ["04A1B2C3D4E5F6", "1A2B3C4D"];

/** A list with one card and its two chips; cut tokens are found by their end. */
function lookup(reading: Reading): LookupAnswer {
  const credential = reading.kind === "credential" ? reading.credential : null;
  const isKnown =
    credential?.kind === "number"
      ? credential.number === CARD
      : UIDS.some((uid) => {
          if (credential?.part === "first") return uid.startsWith(credential.uid);
          return credential?.part === "last" ? uid.endsWith(credential.uid) : uid === credential?.uid;
        });
  const number = credential?.kind === "number" ? credential.number : null;
  return {
    card: isKnown ? CARD : number,
    status: isKnown ? "active" : null,
    validUntil: null,
    since: null,
    granted: isKnown,
    reason: isKnown ? "granted" : "unknown",
    texts: { sv: "", en: "" },
    list: { revision: 1, cards: 1, publishedAt: null, refreshedAt: null, freshness: "fresh" },
  };
}

const waysOf = (sight: Sight) =>
  candidatesOf(sight, ["BB"]).map((candidate) => wayOf(candidate, { desk: { lookup }, nameToken: inClear }));
const known = (sight: Sight) =>
  waysOf(sight).flatMap(({ setting, card }) => (card === null ? [] : [setting]));
const text = (given: string): Sight => ({ kind: "text", text: given });
const bits = (hex: string, countBits = hex.length * 4): Sight => ({
  kind: "bits",
  countBits,
  bytes: Buffer.from(hex, "hex"),
});

describe("the setting that leads to the card", () => {
  it.each<[what: string, sight: Sight, setting: string]>([
    ["the printed number", text("bb 2611 000001"), "card-number"],
    ["the UID in hex", text("04:A1:B2:C3:D4:E5:F6"), "uid"],
    ["the UID the other way round", text("F6E5D4C3B2A104"), "{ uid: hex, order: lsb, bytes: 7 }"],
    ["the UID in decimal", text("439041101"), "{ uid: dec, bytes: 4 }"],
    ["the UID in decimal, the other way round", text("1295788826"), "{ uid: dec, order: lsb, bytes: 4 }"],
    ["its first four bytes", text("04A1B2C3"), "{ uid: hex, bytes: 4, cut: first }"],
    ["its last three, the other way round", text("F6E5D4"), "{ uid: hex, order: lsb, bytes: 3, cut: last }"],
    ["bits that are the UID", bits("04A1B2C3D4E5F6"), "{ wiegand: 56 }"],
    ["32 bits", bits("1A2B3C4D"), "{ wiegand: 32 }"],
    ["32 bits the other way round", bits("4D3C2B1A"), "{ wiegand: 32, order: lsb }"],
    ["24 bits", bits("2B3C4D"), "{ uid: hex, bytes: 3, cut: last }"],
  ])("by %s", (_what, sight, setting) => {
    expect(known(sight)[0]).toBe(setting);
  });

  it("by 34 bits in their parity", () => {
    const uid = BigInt("0x1A2B3C4D").toString(2).padStart(32, "0");
    const odd = (half: string) => half.replaceAll("0", "").length % 2;
    const wrapped = `${odd(uid.slice(0, 16))}${uid}${1 - odd(uid.slice(16))}`.padEnd(40, "0");
    const hex = (wrapped.match(/.{8}/g) ?? []).map((byte) =>
      Number.parseInt(byte, 2).toString(16).padStart(2, "0"),
    );
    expect(known(bits(hex.join(""), 34))[0]).toBe("{ wiegand: 34 }");
  });

  it("is none where the driver reads UIDs itself", () => {
    expect(waysOf({ kind: "uid", bytes: Buffer.from("1A2B3C4D", "hex") })).toMatchObject([
      { setting: null, card: CARD },
    ]);
  });

  it("is not looked for in bare bytes, nor in what is nothing", () => {
    expect(waysOf({ kind: "bytes", direction: "in", bytes: Buffer.from("BB-2611-000001\r\n") })).toEqual([]);
    expect(waysOf(text("?"))).toEqual([]);
  });

  it("of several that make the same of it is the plainest", () => {
    const settings = waysOf(text("1A2B3C4D")).map(({ setting }) => setting);
    expect(settings[0]).toBe("uid");
    expect(settings).not.toContain("{ uid: hex, bytes: 4 }");
  });
});

describe("a setting, as it is written", () => {
  it.each([
    ["uid", "uid"],
    [{ uid: "dec", order: "msb", bytes: 4 }, "{ uid: dec, bytes: 4 }"],
    [
      { wiegand: 34, order: "lsb", identityOf16Bits: false, cut: "last" },
      "{ wiegand: 34, order: lsb, cut: last }",
    ],
    [{ wiegand: 26, order: "msb", identityOf16Bits: true }, "{ wiegand: 26, identityOf16Bits: true }"],
  ])("%j", (reads, written) => {
    expect(settingOf(reads)).toBe(written);
  });
});

describe("a search over several taps", () => {
  const way = (setting: string, card: string | null) => ({ setting, shows: "", card, reason: "granted" });

  it("keeps what fitted every time", () => {
    const search = new Search(null);
    expect(search.add([way("a", CARD), way("b", CARD), way("c", null)])).toEqual(["a", "b"]);
    expect(search.add([way("b", "BB-2611-000002"), way("c", CARD)])).toEqual(["b"]);
    expect(search.add([way("c", CARD)])).toEqual([]);
  });

  it("knows which card it is, where it was told", () => {
    const search = new Search(CARD);
    expect(search.add([way("a", "BB-2611-000002"), way("b", CARD)])).toEqual(["b"]);
  });
});

describe("an identifier", () => {
  function bench() {
    const clock = new SimClock();
    const told: Identified[] = [];
    const asked = { lookups: 0, steps: 0 };
    const identifier = new Identifier({
      clock,
      desk: {
        // As where the list has no table for a cut token.
        *search() {
          for (let step = 0; step < 3; step += 1) {
            asked.steps += 1;
            yield;
          }
        },
        lookup: (reading) => {
          asked.lookups += 1;
          return lookup(reading);
        },
      },
      nameToken: inClear,
      candidatesOf: (sight) => candidatesOf(sight, ["BB"]),
    });
    const take = (sight: Sight) => identifier.take(sight, STAMP, (identified) => told.push(identified));
    return { clock, told, asked, identifier, take };
  }

  it("tells of each tap once, in order, what the list knows first", async () => {
    const { clock, told, take } = bench();
    take(text("F6E5D4C3B2A104"));
    take(text("1A2B3C4D"));
    expect(told).toEqual([]);
    await clock.advance(10);
    expect(told.map(({ sight }) => sight.text)).toEqual(["F6E5D4C3B2A104", "1A2B3C4D"]);
    expect(told[0]?.ways[0]).toMatchObject({ setting: "{ uid: hex, order: lsb, bytes: 7 }", card: CARD });
    expect(told[0]?.ways.at(-1)?.card).toBeNull();
  });

  it("looks for one thing in a turn, however many there are", async () => {
    const { clock, told, asked, take } = bench();
    let done = 0;
    let most = 0;
    // Somebody else whose turn comes in between.
    const look = (): void => {
      most = Math.max(most, asked.steps + asked.lookups - done);
      done = asked.steps + asked.lookups;
      if (told.length === 0) clock.after(0, look);
    };
    clock.after(0, look);
    take(text("1A2B3C4D"));
    await clock.advance(10);
    expect(told).toHaveLength(1);
    expect(most).toBe(1);
    expect(asked.steps).toBe(3 * asked.lookups);
  });

  it("remembers no more than a few and says how many it left out, looks at nothing after its end, and not at bare bytes", async () => {
    const { clock, told, take, identifier, asked } = bench();
    for (let tap = 0; tap < 1_000; tap += 1) take(text("1A2B3C4D"));
    take({ kind: "bytes", direction: "in", bytes: Uint8Array.of(1) });
    await clock.advance(1_000);
    expect(told.map(({ leftOut }) => leftOut)).toEqual([992, 0, 0, 0, 0, 0, 0, 0]);
    const { lookups } = asked;
    take(text("1A2B3C4D"));
    identifier.stop();
    await clock.advance(1_000);
    expect(told).toHaveLength(8);
    expect(asked.lookups).toBe(lookups);
  });
});

describe("sights", () => {
  it.each<[Sight, object]>([
    [
      { kind: "bytes", direction: "out", bytes: Uint8Array.of(0, 255) },
      { direction: "out", hex: "00ff" },
    ],
    [text("x"), { text: "x" }],
    [bits("ff80", 9), { countBits: 9, hex: "ff80" }],
    [{ kind: "uid", bytes: Uint8Array.of(4) }, { hex: "04" }],
  ])("%j travel as a line", (sight, line) => {
    expect(sightLine(sight, STAMP)).toEqual({
      kind: sight.kind,
      time: "2026-11-22T06:58:12.345Z",
      monotonicMs: 1_234.5,
      ...line,
    });
  });

  it("are shown to all who watch, while they do, and to a few only", () => {
    const observers: (Observer | null)[] = [];
    const reader = {
      start: async () => {},
      stop: async () => {},
      observe: (observer: Observer | null) => void observers.push(observer),
    };
    const deaf = { start: reader.start, stop: reader.stop };
    const sights = new Sights(
      new Map<string, typeof reader | typeof deaf>([
        ["in", reader],
        ["deaf", deaf],
      ]),
    );
    const seen: string[] = [];
    const stops = ["a", "b", "c", "d"].map((name) => sights.watch("in", () => seen.push(name)));
    expect(() => sights.watch("in", () => {})).toThrow("in is watched by 4 others");
    expect(() => sights.watch("out", () => {})).toThrow("there is no reader out, but: in, deaf");
    expect(() => sights.watch("deaf", () => {})).toThrow("deaf has a driver that cannot be watched");
    observers.at(-1)?.(text("x"), STAMP);
    expect(seen).toEqual(["a", "b", "c", "d"]);
    stops[0]?.();
    observers.at(-1)?.(text("x"), STAMP);
    expect(seen.slice(4)).toEqual(["b", "c", "d"]);
    for (const stop of stops) stop();
    expect(observers.at(-1)).toBeNull();
  });
});
