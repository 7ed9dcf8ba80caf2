/**
 * Any text gives a result: never an exception, never a place outside the file, never a secret in a message. And the program as
 * it is built, with the validator that was made of the schema then, gives the same.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { formatFault } from "../../config/faults.ts";
import { type LoadResult, parseConfiguration } from "../../config/load.ts";
import { anyCharacter } from "./any-character.ts";
import { DRIVERS } from "./config-site.ts";

const built: { parseConfiguration: typeof parseConfiguration } = await import(resolve("dist/config/load.js"));
const PAGE = readFileSync("docs/configuration.md", "utf8");
const FIXTURES = [
  /```yaml\n(.*?)```/s.exec(PAGE)![1]!,
  ...["every-driver.yaml", "open.yaml"].map((name) => readFileSync(`test/fixtures/config/${name}`, "utf8")),
];
/** Faults of the configuration in which every secret stands in clear. */
const SECRET_FAULTS = 16;
const HOSTILE_CHARS = 16_384;

function parseAndCheck(text: string): LoadResult {
  const result = parseConfiguration(text, "/etc/grindvakt", DRIVERS);
  expect(built.parseConfiguration(text, "/etc/grindvakt", DRIVERS)).toEqual(result);
  const faults = result.kind === "faults" ? result.faults : result.warnings;
  if (result.kind === "faults") expect(faults).not.toHaveLength(0);
  const rows = text.split("\n");
  const isIn = (place: number, first: number, last: number): boolean => place >= first && place <= last;
  const odd = faults.filter(
    ({ line, column, path, message }) =>
      !isIn(line, 1, rows.length) ||
      !isIn(column, 1, (rows[line - 1] ?? "").length + 1) ||
      path === "" ||
      /undefined|\[object|NaN to/.test(message),
  );
  expect(odd).toEqual([]);
  const places = faults.map(({ line, column }) => line * 1_000_000 + column);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  return result;
}

type Change =
  | { kind: "delete" }
  | { kind: "replace"; value: unknown }
  | { kind: "add"; key: string; value: unknown };

/** Changes one node of `tree`, the `place`th of all, counted round and round. */
function change(tree: unknown, place: number, what: Change): void {
  const spots: { parent: Record<string, unknown> | unknown[]; key: string }[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Object.keys(node)) {
      spots.push({ parent: node as Record<string, unknown>, key });
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(tree);
  const { parent, key } = spots[place % spots.length]!;
  if (what.kind === "delete" && Array.isArray(parent)) parent.splice(Number(key), 1);
  else if (what.kind === "delete") delete (parent as Record<string, unknown>)[key];
  else if (what.kind === "replace") (parent as Record<string, unknown>)[key] = structuredClone(what.value);
  else if (!Array.isArray(parent)) parent[what.key] = structuredClone(what.value);
}

const someValue = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    "serial",
    "virtual",
    "osdp",
    "uid",
    "card-number",
    "north-in-1",
    "2GiB",
    "tcp://a:1",
    "0.0.0.0:1",
  ),
  fc.constant({ uid: "hex", bytes: 3 }),
  fc.constant({ driver: "virtual" }),
);
const someKey = fc.oneof(fc.string(), fc.constantFrom("__proto__", "toString", "driver", "a/b", "a~b", "0"));
const someChange: fc.Arbitrary<Change> = fc.oneof(
  fc.constant<Change>({ kind: "delete" }),
  someValue.map<Change>((value) => ({ kind: "replace", value })),
  fc.record({ kind: fc.constant("add" as const), key: someKey, value: someValue }),
);

describe("parseConfiguration", () => {
  it("is built without what would make the validator", async () => {
    expect(Object.keys(await import(resolve("dist/config/validator.js")))).toEqual(["VALIDATORS"]);
  });

  it("gives a result for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 200 }), (text) => void parseAndCheck(text)),
    );
  });

  it("gives a result for any row of YAML's own words", () => {
    const words = fc.constantFrom(
      ..."a b: ? - [ ] { } , & &a * *a ! !!str !x | > |2 % @ ` ' \" # \t \n --- ... %YAML gateway: ~ null 0x1 .inf << \\".split(
        " ",
      ),
      " ",
      "\n",
      "\n  ",
      "\r\n",
      "\ufeff",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 40 }), (row) => void parseAndCheck(row.join(""))),
      { numRuns: 500 },
    );
  });

  it("gives a result for an example with a piece cut out or put in", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FIXTURES),
        fc.nat(),
        fc.nat(20),
        fc.string({ unit: anyCharacter }),
        (text, at, cut, piece) => {
          const from = at % text.length;
          parseAndCheck(text.slice(0, from) + piece + text.slice(from + cut));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("gives a result for an example with nodes deleted, replaced or added", () => {
    const changes = fc.array(fc.tuple(fc.nat(), someChange), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...FIXTURES), changes, (text, all) => {
        const tree = parse(text);
        for (const [place, what] of all) change(tree, place, what);
        parseAndCheck(stringify(tree, { aliasDuplicateObjects: false }));
      }),
      { numRuns: 150 },
    );
  });

  it("does not depend on how the YAML is written", () => {
    const loaded = FIXTURES.map((text) =>
      [text, stringify(parse(text)), JSON.stringify(parse(text))].map(parseAndCheck),
    );
    for (const [asWritten, ...others] of loaded) {
      if (asWritten?.kind !== "loaded") continue;
      const { configuration } = asWritten;
      expect(others).toEqual([
        expect.objectContaining({ configuration }),
        expect.objectContaining({ configuration }),
      ]);
    }
    expect(loaded.flat().filter(({ kind }) => kind === "loaded")).toHaveLength(6);
  });

  it("never repeats a secret", () => {
    const secret = fc.stringMatching(/^[a-z]{6}[0-9]{6}$/);
    const digits = fc.stringMatching(/^[1-9][0-9]{11}$/);
    fc.assert(
      fc.property(fc.oneof(secret, digits), (word) => {
        const result = parseAndCheck(`
cards: { feed: "https://u:${word}@h/", password: [${word}] }
readers: [{ id: a, driver: osdp, port: "tcp://${word}@h:1", address: 1, scbk: ${word} }]
mqtt: { urls: ["mqtts://u:${word}@h", "mqtts://u:${word}@h"], username: u, password: { env: "${word}!", file: [${word}] } }
console: { password: ${word} }
`);
        const said = result.kind === "faults" ? result.faults.map((fault) => formatFault("f", fault)) : [];
        expect(said).toHaveLength(SECRET_FAULTS);
        expect(said.join(" ")).not.toContain(word);
      }),
    );
  });

  it.each<[what: string, text: string]>([
    ["lists without end", "[".repeat(HOSTILE_CHARS)],
    ["maps without end", "{".repeat(HOSTILE_CHARS)],
    ["a list in a list", "- ".repeat(HOSTILE_CHARS / 2)],
    ["a key in a key", "? ".repeat(HOSTILE_CHARS / 2)],
    ["many keys", Array.from({ length: HOSTILE_CHARS / 8 }, (_, index) => `k${index}:`).join("\n")],
    ["a key without end", `? ${"k".repeat(HOSTILE_CHARS)}\n: 1`],
    ["many faults", "]\n".repeat(HOSTILE_CHARS / 2)],
    ["an alias bomb", aliasBomb(16)],
    ["an alias in itself", "a: &a\n  b: *a\n"],
  ])("refuses %s", (_what, text) => {
    expect(parseAndCheck(text).kind).toBe("faults");
  });
});

function aliasBomb(levels: number): string {
  const rows = Array.from(
    { length: levels },
    (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level},`.repeat(9)}]`,
  );
  return ["l0: &l0 [x,x,x,x,x,x,x,x,x]", ...rows].join("\n");
}
