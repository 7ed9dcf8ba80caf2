import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Journal } from "../../daemon/journal/journal.ts";
import { type Verdict, verifyJournal } from "../../daemon/journal/journal-proof.ts";
import { readEntries } from "../../daemon/journal/journal-reader.ts";
import type { Recovery } from "../../daemon/journal/journal-recovery.ts";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import { createFiles } from "../../drivers/files.ts";
import { SimClock } from "../sim/clock.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimLog } from "../sim/log.ts";
import { SimRandom } from "../sim/random.ts";

const DIR = "/data/journal";

/** Journals in text: the segments' content by name, in order. */
type Segments = Map<string, string>;

function filesOf(disk: SimDisk) {
  return createFiles(disk, new SimRandom(1));
}

function journalOn(disk: SimDisk): { journal: Journal; synced: Entry[] } {
  const synced: Entry[] = [];
  const nothing = () => undefined;
  const journal = new Journal(
    { dir: DIR, gateway: "gate-07", boot: "b", keepMs: 1e12, maxBytes: 1e9, segmentBytesMax: 1_200 },
    { clock: new SimClock(), files: filesOf(disk), log: new SimLog() },
    {
      synced: (entries) => void synced.push(...entries),
      volatile: nothing,
      failed: nothing,
      recovered: nothing,
      gone: nothing,
    },
  );
  return { journal, synced };
}

async function append(journal: Journal, groups: readonly number[]): Promise<void> {
  for (const lines of groups) {
    await Promise.all(
      Array.from({ length: lines }, (_, index) =>
        journal.append({
          type: "grindvakt.tap.v1",
          subject: "north-in",
          time: "2026-11-22T06:58:12.345Z",
          data: { card: "BB-1234-567890", granted: true, index },
        }),
      ),
    );
  }
}

/** A journal of these groups of lines, all synced. The first line of each goes in a group of its own. */
async function written(groups: readonly number[]): Promise<Segments> {
  const disk = new SimDisk();
  const { journal } = journalOn(disk);
  await journal.start(0);
  await append(journal, groups);
  await journal.stop();
  return new Map(disk.paths().map((path) => [path, Buffer.from(disk.durable(path) ?? []).toString()]));
}

function diskWith(segments: Segments): SimDisk {
  const disk = new SimDisk();
  for (const [path, text] of segments) disk.put(path, Buffer.from(text, "latin1"));
  return disk;
}

function verify(segments: Segments): Promise<Verdict> {
  return verifyJournal(filesOf(diskWith(segments)), DIR, () => undefined);
}

async function linesOn(disk: SimDisk): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of readEntries(filesOf(disk), DIR, 1, Number.POSITIVE_INFINITY)) entries.push(entry);
  return entries;
}

/** Starts on these segments, and writes two more lines. */
async function recovered(segments: Segments, acknowledgedSeq = 0) {
  const disk = diskWith(segments);
  const before = await linesOn(disk);
  const { journal, synced } = journalOn(disk);
  const recovery: Recovery = await journal.start(acknowledgedSeq);
  await append(journal, [2]);
  await journal.stop();
  return { recovery, disk, before, after: await linesOn(disk), synced };
}

function lastPath(segments: Segments): string {
  return [...segments.keys()].at(-1) ?? "";
}

function textLines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

const GROUPS = [1, 4, 1, 5, 3, 6, 2, 4];
let whole: Segments;
let count: number;

beforeAll(async () => {
  whole = await written(GROUPS);
  count = GROUPS.reduce((sum, lines) => sum + lines, 0);
  expect(whole.size).toBeGreaterThan(3);
});

// ---------------------------------------------------------------- the proof

describe("verify finds", () => {
  const segmentIndex = fc.nat(1_000);
  const at = (index: number) => [...whole.keys()][index % whole.size] ?? "";
  const changed = (path: string, change: (text: string) => string): Segments =>
    new Map([...whole].map(([name, text]) => [name, name === path ? change(text) : text]));

  test("nothing wrong with a whole journal", async () => {
    const verdict = await verify(whole);
    expect(verdict).toMatchObject({
      lines: count,
      firstSeq: 1,
      head: { seq: count },
      faults: [],
      ignoredBytes: 0,
    });
  });

  test("the flip of any bit of any byte, but in the very last line, which nothing follows", async () => {
    const last = lastPath(whole);
    const lastLineBytes = (textLines(whole.get(last) ?? "").at(-1)?.length ?? 0) + 1;
    await fc.assert(
      fc.asyncProperty(segmentIndex, fc.nat(), fc.nat(7), async (index, offset, bit) => {
        const path = at(index);
        const sizeBytes = (whole.get(path) ?? "").length - (path === last ? lastLineBytes : 0);
        const where = offset % sizeBytes;
        const flipped = changed(path, (text) => {
          const bytes = Buffer.from(text, "latin1");
          bytes[where] = (bytes[where] ?? 0) ^ (1 << bit);
          return bytes.toString("latin1");
        });
        expect((await verify(flipped)).faults.length).toBeGreaterThan(0);
      }),
      { numRuns: 400 },
    );
  });

  test("a dropped line, but the very last", async () => {
    for (const [path, text] of whole) {
      const lines = textLines(text);
      for (const [index] of lines.entries()) {
        if (path === lastPath(whole) && index === lines.length - 1) continue;
        const left = changed(path, () =>
          lines
            .filter((_, other) => other !== index)
            .join("\n")
            .concat("\n"),
        );
        expect((await verify(left)).faults.length).toBeGreaterThan(0);
      }
    }
  });

  test("two lines that changed places, in one segment or between two", async () => {
    const all = [...whole.values()].flatMap(textLines);
    await fc.assert(
      fc.asyncProperty(fc.nat(all.length - 1), fc.nat(all.length - 1), async (one, other) => {
        fc.pre(one !== other);
        const swap = (line: string) =>
          line === all[one] ? all[other] : line === all[other] ? all[one] : line;
        const swapped: Segments = new Map(
          [...whole].map(([path, text]) => [path, textLines(text).map(swap).join("\n").concat("\n")]),
        );
        expect((await verify(swapped)).faults.length).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });

  test("a segment that is missing, but the oldest ones, which may have been dropped, and the newest", async () => {
    for (const path of [...whole.keys()].slice(1, -1)) {
      const left = new Map([...whole].filter(([name]) => name !== path));
      expect((await verify(left)).faults[0]?.what).toMatch(/missing/);
    }
    const kept = new Map([...whole].slice(2));
    expect((await verify(kept)).faults).toEqual([]);
  });

  test("a segment that was emptied, whichever", async () => {
    for (const path of whole.keys())
      expect((await verify(changed(path, () => ""))).faults.length).toBeGreaterThan(0);
  });

  test("a line that was put in, and one that was written again without the chain", async () => {
    for (const path of whole.keys()) {
      const doubled = changed(path, (text) => `${textLines(text)[0]}\n${text}`);
      expect((await verify(doubled)).faults.length).toBeGreaterThan(0);
    }
    const forged = changed(at(0), (text) => text.replace("BB-1234-567890", "BB-1234-567891"));
    expect((await verify(forged)).faults[0]).toMatchObject({ seq: 2, what: expect.stringMatching(/hash/) });
  });

  test("a line that is none any more, the last of a segment too, and says where it stands", async () => {
    for (const path of whole.keys()) {
      const lines = textLines(whole.get(path) ?? "");
      for (const index of lines.keys()) {
        const firstSeq = Number(/(\d+)\.ndjson$/.exec(path)?.[1]);
        const broken = lines.map((line, other) => (other === index ? `${line.slice(0, -1)} ` : line));
        const { faults } = await verify(changed(path, () => `${broken.join("\n")}\n`));
        expect(faults[0]).toEqual({ segment: path, seq: firstSeq + index, what: "is not a journal line" });
      }
    }
  });

  test("no fault in an unfinished last line, nor in what a failing disk left behind", async () => {
    const last = lastPath(whole);
    const tail = `{"seq":${count + 1},"pr`;
    const unfinished = changed(last, (text) => text + tail);
    expect(await verify(unfinished)).toMatchObject({ lines: count, faults: [], ignoredBytes: tail.length });
    const path = at(1);
    const next = textLines(whole.get(at(2)) ?? "");
    const abandoned = changed(path, (text) => `${text}${next[0]}\n{"torn`);
    const verdict = await verify(abandoned);
    expect(verdict).toMatchObject({ lines: count, faults: [] });
    expect(verdict.ignoredBytes).toBe((next[0]?.length ?? 0) + 1 + 6);
    expect((await linesOn(diskWith(abandoned))).map(({ line }) => line.seq)).toEqual(
      Array.from({ length: count }, (_, index) => index + 1),
    );
  });

  test("a line that never ends, without holding it, and a gate starts on it", async () => {
    const endless = "x".repeat(1_000_000);
    const path = at(1);
    const { faults } = await verify(changed(path, (text) => `${endless}${text}`));
    expect(faults[0]).toMatchObject({ segment: path, what: "is not a journal line" });
    const { before, after } = await recovered(changed(lastPath(whole), (text) => text + endless));
    expect(before).toHaveLength(count);
    expect(after.slice(0, count)).toEqual(before);
    expect(after).toHaveLength(count + 2);
  });

  test("does not stumble over anything at all", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 4 }), async (contents) => {
        const disk = new SimDisk();
        for (const [index, bytes] of contents.entries())
          disk.put(`${DIR}/${String(index * 3 + 1).padStart(16, "0")}.ndjson`, bytes);
        const verdict = await verifyJournal(filesOf(disk), DIR, () => undefined);
        expect(verdict.faults.length > 0 || verdict.lines === 0).toBe(true);
        const { journal } = journalOn(disk);
        await journal.start(0);
        await append(journal, [1]);
        expect(journal.state).toBe("well");
        await journal.stop();
      }),
      { numRuns: 100 },
    );
  });
});

// ---------------------------------------------------------------- recovery

describe("at start", () => {
  test("a journal that was cut anywhere loses the torn line and nothing else, and goes on", async () => {
    const path = lastPath(whole);
    const text = whole.get(path) ?? "";
    const firstLineBytes = text.indexOf("\n") + 1;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: firstLineBytes, max: text.length }), async (sizeBytes) => {
        const cut = new Map(whole).set(path, text.slice(0, sizeBytes));
        const { recovery, before, after, disk } = await recovered(cut);
        const wholeBytes = text.lastIndexOf("\n", sizeBytes - 1) + 1;
        expect(recovery).toMatchObject({ tornBytes: sizeBytes - wholeBytes, damaged: false, missing: null });
        expect(after.slice(0, before.length)).toEqual(before);
        expect(after.length).toBe(before.length + 2);
        expect((await verifyJournal(filesOf(disk), DIR, () => undefined)).faults).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test("a hole in the last group is torn: the group is cut from there", async () => {
    const path = lastPath(whole);
    const lines = textLines(whole.get(path) ?? "");
    const batch = (line: string | undefined) => (JSON.parse(line ?? "") as { batch: number }).batch;
    const lastBatch = batch(lines.at(-1));
    const start = lines.findIndex((line) => batch(line) === lastBatch);
    expect(lines.length - start).toBeGreaterThan(1);
    const torn = lines.map((line, index) => (index === start ? "\0".repeat(line.length) : line));
    const { recovery, disk } = await recovered(new Map(whole).set(path, `${torn.join("\n")}\n`));
    expect(recovery).toMatchObject({ head: { seq: lastBatch - 1 }, damaged: false, missing: null });
    expect(recovery.tornBytes).toBe(lines.slice(start).join("\n").length + 1);
    expect((await verifyJournal(filesOf(disk), DIR, () => undefined)).faults).toEqual([]);
  });

  test("the same hole is damage once the broker has acknowledged what stood there: nothing is cut", async () => {
    const path = lastPath(whole);
    const lines = textLines(whole.get(path) ?? "");
    const holed = lines.map((line, index) => (index === lines.length - 2 ? "\0".repeat(line.length) : line));
    const { recovery, before, after, disk } = await recovered(
      new Map(whole).set(path, `${holed.join("\n")}\n`),
      count - 1,
    );
    expect(recovery).toMatchObject({ head: { seq: count }, tornBytes: 0, damaged: true, missing: null });
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.at(-1)?.line.seq).toBe(count + 2);
    expect(Buffer.from(disk.seen(path) ?? []).toString("latin1")).toBe(`${holed.join("\n")}\n`);
  });

  test("whatever is damaged, no line that was synced and can be read is lost, nor a number of one used again", async () => {
    const path = lastPath(whole);
    const text = whole.get(path) ?? "";
    const lastBatch = (JSON.parse(textLines(text).at(-1) ?? "") as { batch: number }).batch;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(text.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(count),
        async (changes, acknowledgedSeq) => {
          const bytes = Buffer.from(text, "latin1");
          for (const [offset, value] of changes) bytes[offset] = value;
          const { before, after, synced } = await recovered(
            new Map(whole).set(path, bytes.toString("latin1")),
            acknowledgedSeq,
          );
          const intact = [...whole.values()].flatMap(textLines);
          const isIntact = (entry: Entry) => sameLine(intact[entry.line.seq - 1], entry);
          const left = new Set(after.map(({ chain }) => chain));
          // The last group cannot be told from one that was being written, unless it was acknowledged; and what is
          // before it only by a line of it that can be read.
          const lastIsProven = acknowledgedSeq >= lastBatch;
          const restIsProven =
            lastIsProven || before.some((entry) => entry.line.seq >= lastBatch && isIntact(entry));
          for (const entry of before.filter(isIntact)) {
            const isProven = entry.line.seq >= lastBatch ? lastIsProven : restIsProven;
            if (isProven) expect(left.has(entry.chain)).toBe(true);
          }
          const used = before.filter((entry) => left.has(entry.chain)).map(({ line }) => line.seq);
          for (const { line } of synced) expect(line.seq).toBeGreaterThan(Math.max(acknowledgedSeq, ...used));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("a last segment whose first line is gone is damage: it is left as it is, and its number not used again", async () => {
    const path = lastPath(whole);
    const firstSeq = Number(path.slice(-23, -7));
    for (const content of ["", "\0\0\0\0", "not a line\n"]) {
      const { recovery, after, disk } = await recovered(new Map(whole).set(path, content));
      expect(recovery).toMatchObject({ head: { seq: firstSeq }, tornBytes: 0, damaged: true });
      expect(after.at(-1)?.line.seq).toBe(firstSeq + 2);
      expect(Buffer.from(disk.seen(path) ?? []).toString()).toBe(content);
    }
  });

  test("a sequence that changed to a smaller one does not send numbering back", async () => {
    const segments = await written([1, 1, 1, 1]);
    const path = lastPath(segments);
    const lines = textLines(segments.get(path) ?? "");
    expect(lines).toHaveLength(4);
    const spoilt = [
      lines[0],
      lines[1]?.replace("true", "null"),
      lines[2],
      lines[3]?.replace('"seq":4', '"seq":1'),
    ];
    const { recovery, synced } = await recovered(new Map([[path, `${spoilt.join("\n")}\n`]]));
    expect(recovery).toMatchObject({ head: { seq: 4 }, tornBytes: 0, damaged: true });
    expect(synced[0]?.line.seq).toBe(5);
  });
});

function sameLine(text: string | undefined, { line }: Entry): boolean {
  return text !== undefined && JSON.stringify(JSON.parse(text)) === JSON.stringify(line);
}

// ---------------------------------------------------------------- by hand

describe("docs/journal.md", () => {
  const dir = mkdtempSync(join(tmpdir(), "grindvakt-journal-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** The shell script of the page. */
  function script(): string {
    const page = readFileSync(new URL("../../docs/journal.md", import.meta.url), "utf8");
    return /```sh\n(prev=[\s\S]*?)```/.exec(page)?.[1] ?? "";
  }

  function byHand(segments: Segments): string {
    const folder = mkdtempSync(join(dir, "case-"));
    mkdirSync(join(folder, "journal"));
    for (const [path, text] of segments)
      writeFileSync(join(folder, "journal", path.slice(DIR.length + 1)), text, "latin1");
    return execFileSync("bash", ["-c", script()], { cwd: folder, encoding: "utf8" });
  }

  test("its check by hand agrees with verify, line by line", async () => {
    expect(script()).toContain("sha256sum");
    expect(byHand(whole)).toBe(`checked up to line ${count}\n`);
    const path = [...whole.keys()][1] ?? "";
    const forged = new Map(whole).set(
      path,
      (whole.get(path) ?? "").replace("BB-1234-567890", "BB-1234-567891"),
    );
    const { faults } = await verify(forged);
    expect(faults).toHaveLength(1);
    expect(byHand(forged)).toBe(`line ${faults[0]?.seq} does not follow\nchecked up to line ${count}\n`);
  });
});
