import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Circumstances, type DecisionRules, decide } from "../../daemon/gate/decide.ts";
import { REASONS, type Reason, TEXTS } from "../../daemon/gate/reasons.ts";
import { parseOpeningHours } from "../../daemon/site/opening-hours.ts";
import { createSiteTime } from "../../daemon/site/site-time.ts";
import type { Reading } from "../../drivers/driver.ts";
import { type CardAnswer, type Freshness, STATUSES, type Status } from "../../sync/card.ts";
import {
  cardOf,
  credential,
  GatewayBench,
  listOf,
  listOfAll,
  misread,
  NUMBER,
  TOKEN,
} from "./gateway-bench.ts";

const DAY_MS = 24 * 3_600_000;
const TIME_ZONE = "Europe/Stockholm";
const ORDINARY_TIME = "2026-11-23T08:00:00+01:00";
/** Reasons that a reader gives, before any list is asked. */
const MISREADS = ["removed-early", "unreadable", "wrong-type", "malformed"] as const;

const page = readFileSync(new URL("../../docs/decision.md", import.meta.url), "utf8");
const reasonRows = tableAfter("## Reasons, in order");
const cases = tableAfter("## Cases").map(caseOf);

// ---------------------------------------------------------------- the page as values

/** The first table after a heading: one record a row, by the head's words. */
function tableAfter(heading: string): Record<string, string>[] {
  const [, after = ""] = page.split(heading);
  const [head = [], , ...rows] = after
    .slice(after.indexOf("\n|") + 1)
    .split(/\n(?!\|)/, 1)[0]!
    .split("\n")
    .map((row) => row.split("|").slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replace(/^`(.*)`$/, "$1")));
  return rows.map((cells) => {
    if (cells.length !== head.length) throw new Error(`a row of ${cells.length} cells: ${cells.join(" | ")}`);
    return Object.fromEntries(head.map((name, column) => [name, cells[column] ?? ""]));
  });
}

interface Case {
  name: string;
  reading: Reading;
  /** Null: no list. */
  answer: CardAnswer | null;
  blocked: boolean;
  allowed: boolean;
  freshness: Freshness;
  wallMs: number;
  trusted: boolean;
  floorMs: number;
  direction: "entry" | "exit";
  admit: DecisionRules["admit"];
  whenStale: DecisionRules["whenStale"];
  hours: string[];
  passback: DecisionRules["passback"];
  lastSeen: "entry" | "exit" | null;
  granted: boolean;
  reason: string;
}

function caseOf(row: Record<string, string>): Case {
  const cell = (name: string, ordinary: string): string => {
    const text = row[name];
    if (text === undefined) throw new Error(`the table has no column "${name}"`);
    return text === "" ? ordinary : text;
  };
  const rules = cell("rules", "entry").split("; ");
  const rule = <T extends string>(name: string, choices: readonly T[], ordinary: T): T => {
    const found = rules.find((text) => text.startsWith(`${name} `))?.slice(name.length + 1) ?? ordinary;
    return oneOf(found, choices);
  };
  for (const text of rules)
    expect(text).toMatch(/^(entry|exit|admit \S+|whenStale \S+|hours [^;]+|passback \S+)$/);
  const site = cell("the site says", "nothing").split(", ");
  for (const word of site) oneOf(word, ["nothing", "blocked", "allowed"]);
  const [believed = "", floor] = cell("clock", "trusted").split(", floor ");
  const lastSeen = cell("last seen going", "never");
  return {
    name: cell("case", "?"),
    reading: readingOf(cell("presented", "number")),
    answer: answerOf(cell("the list says", "active")),
    blocked: site.includes("blocked"),
    allowed: site.includes("allowed"),
    freshness: oneOf(cell("list", "fresh"), ["fresh", "late", "stale"]),
    wallMs: instantOf(cell("time", ORDINARY_TIME)),
    trusted: oneOf(believed, ["trusted", "untrusted"]) === "trusted",
    floorMs: floor === undefined ? 0 : instantOf(floor),
    direction: rules.includes("exit") ? "exit" : "entry",
    admit: rule("admit", ["listed", "site-allowed"], "listed"),
    whenStale: rule("whenStale", ["grant-listed", "deny"], "grant-listed"),
    hours: rules.flatMap((text) => (text.startsWith("hours ") ? text.slice(6).split(", ") : [])),
    passback: rule("passback", ["off", "report", "deny"], "off"),
    lastSeen: lastSeen === "never" ? null : oneOf(lastSeen, ["entry", "exit"] as const),
    granted: oneOf(cell("answer", "?"), ["granted", "refused"]) === "granted",
    reason: cell("reason", "?"),
  };
}

function oneOf<const T extends string>(text: string, choices: readonly T[]): T {
  if (!(choices as readonly string[]).includes(text)) throw new Error(`"${text}" is none of ${choices}`);
  return text as T;
}

function readingOf(presented: string): Reading {
  switch (presented) {
    case "number":
      return credential({ kind: "number", number: NUMBER }, "number");
    case "token":
      return credential({ kind: "token", uid: TOKEN, part: "whole" }, "uid");
    case "cut token":
      return credential({ kind: "token", uid: TOKEN.slice(0, 8), part: "first" }, "uid-cut");
    default:
      return misread(oneOf(presented, MISREADS));
  }
}

function answerOf(said: string): CardAnswer | null {
  if (said === "no list") return null;
  if (said === "unknown" || said === "ambiguous" || said === "unready") return { kind: said };
  const [status = "", until] = said.split(" until ");
  const validUntilDay = until === undefined ? null : Date.parse(`${until}T00:00:00Z`) / DAY_MS;
  return { kind: "card", card: cardOf(NUMBER, { status: oneOf(status, STATUSES), validUntilDay }) };
}

/** An instant as the page writes it. Its offset must be the one that Stockholm has then. */
function instantOf(text: string): number {
  const wallMs = Date.parse(text);
  const local = new Date(wallMs).toLocaleString("sv-SE", { timeZone: TIME_ZONE }).replace(" ", "T");
  expect(text.slice(0, 19), `${text} is no time of ${TIME_ZONE}`).toBe(local);
  return wallMs;
}

function rulesOf(one: Case): DecisionRules {
  const { direction, admit, whenStale, passback } = one;
  return { direction, admit, whenStale, passback, hours: parseOpeningHours(one.hours) };
}

function circumstancesOf(one: Case): Circumstances {
  const siteTime = createSiteTime(TIME_ZONE);
  return {
    list: one.answer === null ? null : { index: listOf(one.answer).index, freshness: one.freshness },
    site: { isBlocked: () => one.blocked, isAllowed: () => one.allowed },
    whereabouts: () => (one.lastSeen === null ? "unknown" : one.lastSeen === "entry" ? "inside" : "outside"),
    day: siteTime.dayOf(one.trusted ? one.wallMs : one.floorMs),
    minuteOfWeek: one.trusted ? siteTime.minuteOfWeekOf(one.wallMs) : null,
  };
}

/** The number an event may show: the one presented, else the one the list gave. */
function cardShown({ reading, answer }: Case): string | null {
  if (reading.kind === "misread") return null;
  return reading.credential.kind === "number" || answer?.kind === "card" ? NUMBER : null;
}

// ---------------------------------------------------------------- the page against the program

describe("the table of reasons", () => {
  test("has the program's reasons, in the program's order", () => {
    expect(reasonRows.map((row) => row.reason)).toEqual([...REASONS]);
  });

  test.each(reasonRows)("says of $reason what the program tells the person", (row) => {
    const said = { sv: row["what the person is told, in Swedish"], en: row["in English"] };
    expect(said).toEqual(TEXTS[row.reason as Reason]);
    expect(row.when).not.toBe("");
  });
});

describe("the table of cases", () => {
  test("has every reason", () => {
    expect(new Set(cases.map(({ reason }) => reason))).toEqual(new Set(REASONS));
  });

  test.each(cases)("decide: $name is $reason", (one) => {
    const decision = decide(one.reading, rulesOf(one), circumstancesOf(one));
    expect(decision).toMatchObject({ granted: one.granted, reason: one.reason, card: cardShown(one) });
    const twice = one.lastSeen === one.direction && (one.granted || one.reason === "passback");
    expect(decision.passbackViolated).toBe(twice && one.passback !== "off");
  });

  /** The same through the loop, which knows the day, the floor and where a card was last seen by itself. */
  test.each(cases)("the gateway: $name is $reason", async (one) => {
    const { admit, whenStale, floorMs, direction, hours, passback } = one;
    const bench = new GatewayBench({
      clock: { wallMs: one.wallMs, trustedAfterMs: one.trusted ? 0 : Number.POSITIVE_INFINITY },
      settings: { admit, whenStale, siteTime: createSiteTime(TIME_ZONE) },
      accessPoints: [
        { id: "gate", direction, hours, passback: { mode: passback, resetMinutes: 60 } },
        { id: "other-in", direction: "entry" },
        { id: "other-out", direction: "exit" },
      ],
    });
    bench.scribe.raiseFloor(floorMs);
    if (one.lastSeen !== null) {
      bench.useList(listOfAll());
      bench.allowed.add(NUMBER);
      bench.presentNumber(one.lastSeen === "entry" ? "other-in-1" : "other-out-1");
      await bench.settle();
      bench.allowed.clear();
    }
    if (one.answer !== null) bench.useList(listOf(one.answer));
    if (one.blocked) bench.blocked.add(NUMBER);
    if (one.allowed) bench.allowed.add(NUMBER);
    bench.age = { ...bench.age, freshness: one.freshness };
    bench.present("gate-1", one.reading);
    await bench.settle();
    expect(bench.dataOf("tap").at(-1)).toMatchObject({
      accessPoint: "gate",
      granted: one.granted,
      reason: one.reason,
      card: cardShown(one),
      clock: { trusted: one.trusted },
    });
    expect(bench.pulses.filter(({ accessPoint }) => accessPoint === "gate").length).toBe(one.granted ? 1 : 0);
  });
});

// ---------------------------------------------------------------- the order

/** Everything that may be wrong at once, and the reasons that alone would refuse. */
function* combinations(): Generator<{ one: Case; causes: Set<string> }> {
  const asked = cases[0]!;
  const answers: (CardAnswer | null | Status)[] = [
    null,
    { kind: "ambiguous" },
    { kind: "unknown" },
    ...STATUSES,
  ];
  const flags = 6;
  for (const presented of ["number", "token", ...MISREADS])
    for (const answer of answers)
      for (let bits = 0; bits < 1 << flags; bits += 1) {
        const on = (bit: number): boolean => (bits & (1 << bit)) !== 0;
        const expired = on(1);
        const isStatus = typeof answer === "string";
        const card = isStatus ? cardOf(NUMBER, { status: answer, validUntilDay: expired ? 0 : null }) : null;
        const one: Case = {
          ...asked,
          reading: readingOf(presented),
          answer: isStatus ? { kind: "card", card: card! } : answer,
          blocked: on(0),
          admit: on(2) ? "site-allowed" : "listed",
          freshness: on(3) ? "stale" : "fresh",
          whenStale: on(3) ? "deny" : "grant-listed",
          hours: on(4) ? ["sun 00:00-24:00"] : [],
          passback: on(5) ? "deny" : "off",
          lastSeen: "entry",
        };
        const causes = new Set<string>(["granted", presented]);
        if (answer === null) causes.add("list-missing");
        else if (!isStatus) causes.add(answer.kind);
        else causes.add(answer);
        const reasons = [
          "site-blocked",
          "expired",
          "not-allowed-here",
          "list-stale",
          "outside-hours",
          "passback",
        ];
        for (const [bit, reason] of reasons.entries()) if (on(bit)) causes.add(reason);
        yield { one, causes };
      }
}

test("whatever is wrong at once, the first row of the table that fits is the reason", () => {
  let tried = 0;
  for (const { one, causes } of combinations()) {
    const first = reasonRows.find(({ reason }) => causes.has(reason ?? ""))?.reason;
    expect(decide(one.reading, rulesOf(one), circumstancesOf(one)).reason, [...causes].join(" + ")).toBe(
      first,
    );
    tried += 1;
  }
  expect(tried).toBe(6 * 9 * 64);
});

test("the same question gives the same answer", () => {
  for (const one of cases) {
    const ask = () => decide(one.reading, rulesOf(one), circumstancesOf(one));
    expect(ask()).toEqual(ask());
  }
});
