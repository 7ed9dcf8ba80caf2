/** Days of a journal, and what is said when something in them is missing or was changed. */
import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Ledger } from "../../daemon/answers/ledger.ts";
import { readPeriod } from "../../daemon/journal/journal-period.ts";
import { createSiteWords } from "../../daemon/site/site-words.ts";
import { createFiles } from "../../drivers/files.ts";
import { createSystemDisk, systemRandom } from "../../drivers/system.ts";
import { writeJournal } from "./paper-journal.ts";

const files = createFiles(createSystemDisk(), systemRandom);
const CARD = "BB-2611-000001";

/** Two lines on the 20th, then four on the 21st in two segments, then two on the 22nd. */
async function journal() {
  const dir = await mkdtemp(join(tmpdir(), "journal-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const on = (day: number) => ({ time: `2026-11-${day}T06:00:00.000Z`, card: CARD });
  const segments = await writeJournal(dir, [
    [on(20), on(20)],
    [on(21), on(21)],
    [on(21), on(21)],
    [on(22), on(22)],
  ]);
  const read = async (fromDay: number, toDay: number, acknowledgedSeq = 0) => {
    const faults: string[] = [];
    const seqs: number[] = [];
    const period = { fromMs: Date.UTC(2026, 10, fromDay), toMs: Date.UTC(2026, 10, toDay), acknowledgedSeq };
    for await (const { line } of readPeriod(files, dir, period, (what) => faults.push(what)))
      seqs.push(line.seq);
    return { seqs, faults };
  };
  return { dir, segments: segments as [Seg, Seg, Seg, Seg], read };
}
type Seg = { path: string; text: string };

test("whole days have no faults, whichever are left out", async () => {
  const { read } = await journal();
  expect(await read(20, 22, 8)).toEqual({ seqs: [1, 2, 3, 4, 5, 6, 7, 8], faults: [] });
  expect(await read(21, 21)).toEqual({ seqs: [3, 4, 5, 6], faults: [] });
  expect(await read(20, 20, 8)).toEqual({ seqs: [1, 2], faults: [] });
  expect(await read(1, 2)).toEqual({ seqs: [], faults: [] });
});

test("a line that was changed is said, also where it is the last of a segment", async () => {
  const { segments, read } = await journal();
  const [, , third] = segments;
  await writeFile(third.path, third.text.replace(/000001(?=[^\n]*\n$)/, "000009"));
  expect(await read(20, 22)).toEqual({
    seqs: [1, 2, 3, 4, 5, 6, 7, 8],
    faults: ["line 7 does not follow the one before: one of the two was changed"],
  });
  // Of other days nothing is said.
  expect((await read(20, 20)).faults).toEqual([]);
});

test("lines that are missing or cannot be read are said, wherever they stood", async () => {
  const { segments, read } = await journal();
  const [, second, third, last] = segments;
  const lines = second.text.split("\n");
  await writeFile(second.path, `${lines[1]}\n`);
  expect(await read(21, 21)).toEqual({ seqs: [4, 5, 6], faults: ["line 3 cannot be read"] });
  await writeFile(second.path, `${lines[0]}\n`);
  expect((await read(21, 21)).faults).toEqual(["line 4 cannot be read"]);
  await writeFile(second.path, "not a line\n");
  expect((await read(20, 22)).faults).toEqual([`no line of ${second.path} can be read`]);
  await writeFile(second.path, second.text);
  await unlink(third.path);
  expect((await read(21, 21)).faults).toEqual(["lines 5 to 6 cannot be read"]);
  await writeFile(third.path, third.text);
  await writeFile(last.path, `${last.text.split("\n")[0]}\n`);
  expect((await read(22, 22)).faults).toEqual([]);
  // Nothing follows it that would show what is gone; the broker's acknowledgement does.
  expect((await read(22, 22, 8)).faults).toEqual(["line 8, which the broker has, cannot be read"]);
});

test("a last line that is being written is no fault", async () => {
  const { segments, read } = await journal();
  const [, , , last] = segments;
  await writeFile(last.path, `${last.text}{"seq":9,"prev":"`);
  expect(await read(22, 22, 8)).toEqual({ seqs: [7, 8], faults: [] });
});

// ---------------------------------------------------------------- people's words

test.each([
  ["Europe/Stockholm", "2026-11-22T06:58:12.345Z", "2026-11-22T07:58:12.345+01:00"],
  ["Europe/Stockholm", "2026-07-01T22:30:00.000Z", "2026-07-02T00:30:00.000+02:00"],
  // The same hour twice, told apart by the offset.
  ["Europe/Stockholm", "2026-10-25T00:30:00.000Z", "2026-10-25T02:30:00.000+02:00"],
  ["Europe/Stockholm", "2026-10-25T01:30:00.000Z", "2026-10-25T02:30:00.000+01:00"],
  ["UTC", "2026-11-22T06:58:12.005Z", "2026-11-22T06:58:12.005+00:00"],
  ["Asia/Kathmandu", "1969-12-31T23:59:59.999Z", "1970-01-01T05:29:59.999+05:30"],
])("in %s, %s is %s, and the same instant", (timeZone, utc, local) => {
  const said = createSiteWords(timeZone).localTime(utc);
  expect(said).toBe(local);
  expect(new Date(said).toISOString()).toBe(utc);
  expect(createSiteWords(timeZone).timeOfDay(utc)).toBe(local.slice(11, 19));
});

test("a day by card: first entry and last exit by their own times, refused and unnamed taps counted", () => {
  const ledger = new Ledger();
  const tap = (time: string, card: string | null, direction: string, granted = true): void =>
    ledger.add({
      specversion: "1.0",
      id: "",
      source: "",
      type: "grindvakt.tap.v1",
      subject: "",
      datacontenttype: "application/json",
      time: `2026-11-22T${time}:00.000Z`,
      data: { card, direction, granted },
    });
  tap("07:00", "BB-2611-000002", "entry");
  tap("06:00", "BB-2611-000001", "entry");
  tap("11:00", "BB-2611-000001", "exit");
  tap("12:00", "BB-2611-000001", "entry");
  tap("16:00", "BB-2611-000001", "exit");
  tap("05:00", "BB-2611-000003", "exit");
  tap("08:00", "BB-2611-000004", "entry", false);
  tap("08:01", null, "entry");
  expect({ rows: ledger.rows(), refused: ledger.refused, unnamed: ledger.unnamed }).toMatchObject({
    rows: [
      {
        card: "BB-2611-000001",
        firstEntry: "2026-11-22T06:00:00.000Z",
        lastExit: "2026-11-22T16:00:00.000Z",
        entries: 2,
        exits: 2,
      },
      { card: "BB-2611-000002", lastExit: null, entries: 1, exits: 0 },
      { card: "BB-2611-000003", firstEntry: null, entries: 0, exits: 1 },
    ],
    refused: 1,
    unnamed: 1,
  });
});
