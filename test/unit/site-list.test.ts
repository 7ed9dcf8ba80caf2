/** The site's own list against a model, over power cuts and failing disks. */

import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFiles } from "../../drivers/files.ts";
import {
  CHANGE_BYTES_MAX,
  ruleOf,
  type SiteChange,
  type SiteEvent,
  WHO_CHARACTERS_MAX,
  WHY_CHARACTERS_MAX,
} from "../../sync/site-change.ts";
import { ENTRIES_MAX, SiteList, UNJOURNALED_MAX } from "../../sync/site-list.ts";
import { SimDisk } from "../sim/disk.ts";
import type { CrashPolicy } from "../sim/disk-nodes.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";

const FILE = "/data/site-list.json";
const COPY = `${FILE}.copy`;
const NOW_MS = Date.parse("2026-11-23T06:00:00Z");
const [A, B, C] = ["BB-2611-000001", "BB-2611-000002", "BB-2611-000003"] as const;
const EVENTS: SiteEvent[] = ["site-blocked", "site-unblocked", "site-allowed", "site-disallowed"];

function change(event: SiteEvent, card: string, more: Partial<SiteChange> = {}): SiteChange {
  return {
    event,
    card,
    until: null,
    untilMs: null,
    why: null,
    who: { by: "command", name: "anna" },
    at: "2026-11-23T06:00:00.000Z",
    atTrusted: true,
    ...more,
  };
}

/** The list on a disk, by a clock that stands still unless told. */
async function listOn(disk: SimDisk, clock = { nowMs: NOW_MS }) {
  const files = createFiles(disk, new SimRandom(1));
  await files.makeDirs("/data");
  const log = new SimLog();
  const list = new SiteList(FILE, files, log, () => clock.nowMs);
  const found = await list.load();
  return { list, found, log };
}

function cardsUnder(list: SiteList): string[] {
  return [...list.all()].map(({ event, card }) => `${ruleOf(event).rule} ${card}`).sort();
}

describe("the site list", () => {
  it("is what a model of it is, whatever is done, over restarts and the passing of time", async () => {
    const step = fc.oneof(
      fc.record({
        event: fc.constantFrom(...EVENTS),
        card: fc.constantFrom(A, B, C),
        lastsMs: fc.option(fc.integer({ min: 1, max: 50 })),
      }),
      fc.constantFrom("restart" as const, "journaled" as const),
      fc.integer({ min: 1, max: 40 }),
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const disk = new SimDisk();
      const clock = { nowMs: NOW_MS };
      let { list } = await listOn(disk, clock);
      const model = new Map<string, number>();
      let waiting: SiteChange[] = [];
      for (const one of steps) {
        if (one === "restart") list = (await listOn(disk, clock)).list;
        else if (one === "journaled") {
          list.journaled(list.unjournaled);
          waiting = [];
          await list.settled();
        } else if (typeof one === "number") clock.nowMs += one;
        else {
          const { event, card, lastsMs } = one;
          const { rule, isOn } = ruleOf(event);
          const untilMs = lastsMs === null || !isOn ? null : clock.nowMs + lastsMs;
          const made = change(event, card, { untilMs });
          const key = `${rule} ${card}`;
          const stands = (model.get(key) ?? 0) > clock.nowMs;
          const outcome = await list.change(made);
          expect(outcome.kind).toBe(isOn || stands ? "done" : "refused");
          if (outcome.kind === "done") waiting.push(made);
          if (isOn) model.set(key, untilMs ?? Number.POSITIVE_INFINITY);
          else model.delete(key);
        }
        const standing = [...model].filter(([, untilMs]) => untilMs > clock.nowMs).map(([key]) => key);
        expect(cardsUnder(list)).toEqual(standing.sort());
        for (const card of [A, B, C]) {
          expect(list.find("blocked", card) !== null).toBe(standing.includes(`blocked ${card}`));
          expect(list.find("allowed", card) !== null).toBe(standing.includes(`allowed ${card}`));
        }
        expect(list.unjournaled).toEqual(waiting);
      }
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it("keeps what was said, as text a person can read, one change a line", async () => {
    const disk = new SimDisk();
    const { list } = await listOn(disk);
    const block = change("site-blocked", A, {
      until: "2026-12-24",
      untilMs: NOW_MS + 9e8,
      why: "tappat, ”Åke”",
    });
    await list.change(block);
    await list.change(change("site-allowed", B));
    expect((await listOn(disk)).list.find("blocked", A)).toEqual(block);
    const text = new TextDecoder().decode(disk.seen(FILE)!);
    expect(
      text.split("\n").filter((line) => line.includes(A) && line.includes("tappat, ”Åke”")),
    ).toHaveLength(2);
    expect(JSON.parse(text)).toMatchObject({ data: { version: 1, entries: [{ card: A }, { card: B }] } });
    expect(disk.seen(COPY)).toEqual(disk.seen(FILE));
  });

  it("writes what is asked for together in one go, in order, and answers each", async () => {
    const disk = new SimDisk();
    const { list } = await listOn(disk);
    await list.change(change("site-blocked", B));
    const before = disk.ios;
    await list.change(change("site-blocked", A));
    const iosOfOne = disk.ios - before;
    const asked = [
      ...Array.from({ length: 400 }, (_, index) => change("site-allowed", `BB-2612-${100_000 + index}`)),
      change("site-unblocked", C),
      change("site-blocked", C),
      change("site-unblocked", C),
    ];
    const outcomes = await Promise.all(asked.map((one) => list.change(one)));
    expect(outcomes.filter(({ kind }) => kind === "refused")).toEqual([
      { kind: "refused", code: "not-on-it", why: `${C} is not blocked by this site` },
    ]);
    expect(list.find("blocked", C)).toBeNull();
    // The pieces of a file with 400 lines are a few more writes, in the file and its copy.
    expect(disk.ios - before - iosOfOne).toBeLessThanOrEqual(iosOfOne + 8);
  });
});

describe("bounds", () => {
  async function* cards(count: number): AsyncGenerator<SiteChange> {
    for (let index = 0; index < count; index++)
      yield change(
        "site-allowed",
        `BB-${String(1_000 + Math.floor(index / 1e6))}-${String(index % 1e6).padStart(6, "0")}`,
      );
  }

  it("holds so many cards and refuses more, until one has ended or is taken off", async () => {
    const disk = new SimDisk();
    const clock = { nowMs: NOW_MS };
    const { list } = await listOn(disk, clock);
    await list.restore(cards(ENTRIES_MAX - 1));
    await list.change(change("site-blocked", A, { until: "2026-11-23", untilMs: NOW_MS + 5 }));
    expect(await list.change(change("site-blocked", B))).toEqual({
      kind: "refused",
      code: "full",
      why: `the site list is full: it holds ${ENTRIES_MAX} cards`,
    });
    expect((await list.change(change("site-blocked", A, { why: "again", untilMs: NOW_MS + 5 }))).kind).toBe(
      "done",
    );
    clock.nowMs += 10;
    expect((await list.change(change("site-blocked", B))).kind).toBe("done");
    const { list: again, found } = await listOn(disk, clock);
    expect(found).toBe("file");
    expect([again.count("allowed"), again.count("blocked")]).toEqual([ENTRIES_MAX - 1, 1]);
  });

  it("keeps so many changes for the journal and refuses more, until it has them", async () => {
    const { list } = await listOn(new SimDisk());
    for (let round = 0; round < UNJOURNALED_MAX / 1_000; round++) {
      const event = round % 2 === 0 ? "site-blocked" : "site-unblocked";
      const group = Array.from({ length: 1_000 }, (_, index) =>
        list.change(change(event, `BB-2612-${100_000 + index}`)),
      );
      expect(new Set((await Promise.all(group)).map(({ kind }) => kind))).toEqual(new Set(["done"]));
    }
    expect(await list.change(change("site-blocked", A))).toEqual({
      kind: "refused",
      code: "not-kept",
      why: `${UNJOURNALED_MAX} changes wait to be journaled: start the gateway first`,
    });
    list.journaled(list.unjournaled);
    await list.settled();
    expect((await list.change(change("site-blocked", A))).kind).toBe("done");
  });

  it("lets so many wait", async () => {
    const { list } = await listOn(new SimDisk());
    const asked = Array.from({ length: 1_001 }, () => list.change(change("site-blocked", A)));
    const refused = (await Promise.all(asked)).filter(({ kind }) => kind === "refused");
    expect(refused).toEqual([{ kind: "refused", code: "busy", why: "too many changes at once; try again" }]);
  });

  it("knows how long the longest change is", () => {
    const longest = change("site-disallowed", A, {
      until: "2026-12-24T17:00:00.000Z",
      untilMs: 253_402_300_799_999,
      why: "€".repeat(WHY_CHARACTERS_MAX),
      who: { by: "command", name: '"'.repeat(WHO_CHARACTERS_MAX) },
      atTrusted: false,
    });
    expect(Buffer.byteLength(`  ${JSON.stringify(longest)},\n`)).toBeLessThanOrEqual(CHANGE_BYTES_MAX);
  });
});

describe("a damaged list", () => {
  async function written(): Promise<SimDisk> {
    const disk = new SimDisk();
    const { list } = await listOn(disk);
    await list.change(change("site-blocked", A));
    return disk;
  }

  it("is read from its copy, whichever bit is wrong, and says so", async () => {
    const disk = await written();
    for (let place = 0; place < disk.seen(FILE)!.length; place++) {
      disk.flipBit(FILE, place);
      const { list, found, log } = await listOn(disk);
      expect([found, cardsUnder(list)], `byte ${place}`).toEqual(["copy", [`blocked ${A}`]]);
      expect(log.messages("error")).toEqual([`${FILE} is damaged, its copy is used`]);
      disk.flipBit(FILE, place);
    }
  });

  it.each([
    ["", "", "is damaged, and so is its copy: starting without"],
    ["{}", null, "is damaged, and its copy is gone: starting without"],
    [null, "null", "is gone, and its copy is damaged: starting without"],
  ])("is lost, and not nothing, where neither can be used (%j, %j)", async (main, copy, words) => {
    const disk = new SimDisk();
    if (main !== null) disk.put(FILE, main);
    if (copy !== null) disk.put(COPY, copy);
    const { list, found, log } = await listOn(disk);
    expect([found, cardsUnder(list)]).toEqual(["lost", []]);
    expect(log.messages("error")).toEqual([`${FILE} ${words}`]);
  });

  it("is none of ours with another version or another kind of change, though its check is right", async () => {
    const good = change("site-blocked", A);
    const contents = [
      { version: 1, entries: [good], unjournaled: [good] },
      { version: 2, entries: [], unjournaled: [] },
      { version: 1, entries: [good] },
      { version: 1, entries: [null], unjournaled: [] },
      { version: 1, entries: [], unjournaled: [5] },
      ...[{ at: 5 }, { card: "BB-1" }, { event: "site-admired" }, { event: "toString" }, { who: null }].map(
        (wrong) => ({
          version: 1,
          entries: [good, { ...good, ...wrong }],
          unjournaled: [],
        }),
      ),
    ];
    const found = [];
    for (const content of contents) {
      const disk = new SimDisk();
      const body = `{ "data": ${JSON.stringify(content)}`;
      disk.put(FILE, `${body}, "check": "${crc32(body).toString(16).padStart(8, "0")}" }\n`);
      found.push((await listOn(disk)).found);
    }
    expect(found).toEqual(["file", ...contents.slice(1).map(() => "lost")]);
  });

  it("is restored by the changes that led to it, and is whole again", async () => {
    const disk = await written();
    disk.put(FILE, "");
    disk.put(COPY, "");
    const { list, found } = await listOn(disk);
    expect(found).toBe("lost");
    await list.restore(
      (async function* () {
        yield change("site-blocked", A);
        yield change("site-allowed", B);
        yield change("site-blocked", C, { untilMs: NOW_MS - 1 });
        yield change("site-unblocked", A);
        yield change("site-blocked", A, { why: "twice" });
      })(),
    );
    expect(cardsUnder(list)).toEqual([`allowed ${B}`, `blocked ${A}`]);
    const again = await listOn(disk);
    expect([again.found, cardsUnder(again.list)]).toEqual(["file", cardsUnder(list)]);
    expect(again.list.find("blocked", A)?.why).toBe("twice");
    expect(again.list.unjournaled).toEqual([]);
  });

  it("keeps what came before the changes broke off, and forgets none of it with the next change", async () => {
    const disk = new SimDisk();
    disk.put(FILE, "");
    const { list } = await listOn(disk);
    const broken = list.restore(
      (async function* () {
        yield change("site-blocked", A);
        throw new Error("EIO");
      })(),
    );
    await expect(broken).rejects.toThrow("EIO");
    await list.change(change("site-blocked", B));
    expect(cardsUnder(list)).toEqual([`blocked ${A}`, `blocked ${B}`]);
    expect(cardsUnder((await listOn(disk)).list)).toEqual(cardsUnder(list));
  });
});

describe("a power cut", () => {
  it.each<CrashPolicy>(["lose", "keep", "torn"])(
    "at any call leaves the old or the new, with its place in the journal's row, and never less than was answered (%s)",
    async (policy) => {
      const seen = new Set<string>();
      for (let cut = 1; ; cut++) {
        const disk = new SimDisk();
        const { list } = await listOn(disk);
        await list.change(change("site-blocked", A));
        disk.cutAt(disk.ios + cut);
        let answered = 0;
        const story = (async () => {
          await list.change(change("site-blocked", B));
          answered = 1;
          await list.change(change("site-unblocked", A));
          answered = 2;
          list.journaled(list.unjournaled);
          await list.settled();
          answered = 3;
        })();
        const isFinished = await Promise.race([story.then(() => true), cutOff(disk)]);
        const after = await listOn(disk.crash(policy, { random: new SimRandom(cut) }));
        const found = `${cardsUnder(after.list).join()}; ${after.list.unjournaled.map(({ event }) => event).join()}`;
        const place = STORY.indexOf(found);
        expect(STORY, `call ${cut}`).toContain(found);
        expect(place, `call ${cut}`).toBeGreaterThanOrEqual(answered);
        expect(after.found).toBe("file");
        seen.add(found);
        if (isFinished) {
          expect([place, cut > 30]).toEqual([3, true]);
          break;
        }
      }
      expect(seen.size).toBe(STORY.length);
    },
  );

  const STORY = [
    `blocked ${A}; site-blocked`,
    `blocked ${A},blocked ${B}; site-blocked,site-blocked`,
    `blocked ${B}; site-blocked,site-blocked,site-unblocked`,
    `blocked ${B}; `,
  ];
});

describe("a disk that fails", () => {
  it.each(["EIO", "ENOSPC"] as const)(
    "in any one call refuses the change or has it on disk, and is forgiven (%s)",
    async (code) => {
      const outcomes = new Set<string>();
      for (let fail = 1; ; fail++) {
        const disk = new SimDisk();
        const { list } = await listOn(disk);
        await list.change(change("site-blocked", A));
        const failing = disk.ios + fail;
        disk.failAt(failing, code);
        const outcome = await list.change(change("site-unblocked", A));
        outcomes.add(outcome.kind);
        if (outcome.kind === "refused") {
          expect(outcome.why).toMatch(new RegExp(`^the site list could not be written: .*${code}`));
          expect(cardsUnder(list)).toEqual([`blocked ${A}`]);
          expect(list.unjournaled).toHaveLength(1);
        } else {
          expect(cardsUnder((await listOn(disk.crash("lose"))).list)).toEqual([]);
        }
        if (disk.ios < failing) break;
        expect((await list.change(change("site-blocked", B))).kind).toBe("done");
        expect(cardsUnder((await listOn(disk.crash("lose"))).list)).toEqual(cardsUnder(list));
      }
      expect(outcomes).toEqual(new Set(["done", "refused"]));
    },
  );

  it("nothing is in force before a power cut would find it", async () => {
    const disk = new SimDisk();
    const { list } = await listOn(disk);
    let looks = 0;
    disk.faultOf = () => {
      const durable = new TextDecoder().decode(disk.durable(FILE) ?? new Uint8Array());
      if (list.find("blocked", A) !== null) expect(durable).toContain(A);
      looks += 1;
      return null;
    };
    const done = list.change(change("site-blocked", A));
    expect(list.find("blocked", A)).toBeNull();
    await done;
    expect(list.find("blocked", A)).not.toBeNull();
    expect(new TextDecoder().decode(disk.durable(FILE)!)).toContain(A);
    expect(looks).toBeGreaterThan(8);
  });

  it("what was journaled is taken off the file with the next change, where that failed at first", async () => {
    const disk = new SimDisk();
    const { list } = await listOn(disk);
    await list.change(change("site-blocked", A));
    disk.faultOf = ({ kind }) => (kind === "write" ? "ENOSPC" : null);
    list.journaled(list.unjournaled);
    await list.settled();
    expect(list.unjournaled).toHaveLength(1);
    disk.faultOf = () => null;
    await list.change(change("site-blocked", B));
    expect(list.unjournaled.map(({ card }) => card)).toEqual([B]);
  });
});

/** Resolves to false once the power is off and every promise has settled that can. */
async function cutOff(disk: SimDisk): Promise<boolean> {
  for (let turn = 0; turn < 1_000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (disk.isOff) return false;
  }
  throw new Error("neither done nor cut");
}
