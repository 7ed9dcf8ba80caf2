/**
 * A journal at age: two years of a busy site, a million and a half events. What a start, the proof, one day for an inspector, a page of
 * taps and the roll call cost then, beside what merely reading and hashing the same bytes does.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recentTaps } from "../daemon/answers/recent-taps.ts";
import { readPeriod } from "../daemon/journal/journal-period.ts";
import { verifyJournal } from "../daemon/journal/journal-proof.ts";
import { segmentPath } from "../daemon/journal/journal-segments.ts";
import { JournalWriter } from "../daemon/journal/journal-writer.ts";
import { encodeLine, GENESIS, hashLine } from "../daemon/journal/record.ts";
import { replayJournal } from "../daemon/presence/presence-replay.ts";
import { createFiles } from "../drivers/files.ts";
import { createLog } from "../drivers/log.ts";
import type { Files } from "../drivers/ports.ts";
import { createSystemClock, createSystemDisk, systemRandom } from "../drivers/system.ts";
import type { Figure } from "./figures.ts";

const EVENTS = 1_500_000;
const DAYS = 730;
const DAY_MS = 24 * 3_600_000;
const CARDS = 3_000;
const SENDER = { gateway: "gate-07", site: "slussen" };

export async function benchJournalAge(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-bench-"));
  const dir = join(folder, "journal");
  const files = createFiles(createSystemDisk(), systemRandom);
  try {
    const nowMs = Date.now();
    const bytes = await writeYears(dir, nowMs);
    const hashMs = await timed(() => hashAll(dir));
    const verifyMs = await timed(async () => {
      const { faults, lines } = await verifyJournal(files, dir, () => undefined);
      if (faults.length > 0 || lines !== EVENTS) throw new Error("the journal of the bench does not hold");
    });
    const startMs = await timed(() => begin(dir, files));
    const dayMs = await timed(() => readDay(dir, files, nowMs - (DAYS / 2) * DAY_MS));
    const pageMs = await timed(() => recentTaps(files, dir, SENDER, 500, EVENTS / 2));
    const from = { gateway: SENDER.gateway, headSeq: EVENTS, judgedMs: nowMs };
    const presenceMs = await timed(() => replayJournal(files, dir, from));
    return [
      { what: "events", value: EVENTS, unit: "" },
      { what: "size", value: bytes / 1024 ** 2, unit: "MiB" },
      { what: "reading and hashing the same bytes", value: hashMs / 1_000, unit: "s" },
      { what: "verify", value: verifyMs / 1_000, unit: "s" },
      { what: "verify, times reading and hashing", value: verifyMs / hashMs, unit: "", bound: 8 },
      { what: "finding the end, and making it one to go on from", value: startMs, unit: "ms", bound: 500 },
      { what: "one day for an inspector, a year back", value: dayMs, unit: "ms", bound: 1_000 },
      { what: "a page of 500 taps, a year back", value: pageMs, unit: "ms", bound: 500 },
      { what: "who is on site, from the last seven days", value: presenceMs, unit: "ms", bound: 1_000 },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await act();
  return performance.now() - startMs;
}

/** Taps, each with what its relay did, over two years until now; a segment a day. Returns how many bytes that is. */
async function writeYears(dir: string, nowMs: number): Promise<number> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  let [prev, path, day, text, bytes] = [GENESIS, "", "", "", 0];
  const flush = async (): Promise<void> => {
    bytes += text.length;
    if (text !== "") await writeFile(path, text, { mode: 0o600 });
  };
  for (let seq = 1; seq <= EVENTS; seq += 1) {
    const time = new Date(nowMs - DAYS * DAY_MS * (1 - seq / EVENTS)).toISOString();
    if (!time.startsWith(day) || day === "") {
      await flush();
      [day, text, path] = [time.slice(0, "2026-11-22".length), "", segmentPath(dir, seq)];
    }
    const line = encodeLine({ seq, prev, batch: seq, subject: "north-in", time, ...recordOf(seq) });
    prev = hashLine(line);
    text += `${line}\n`;
  }
  await flush();
  return bytes;
}

function recordOf(seq: number) {
  const clock = { trusted: true, boot: "7b1c0f0e-5d0f-4c1b-9e55-0c8a4c2a7d11", uptimeMs: seq * 42_000 };
  const direction = seq % 4 < 2 ? "entry" : "exit";
  const accessPoint = direction === "entry" ? "north-in" : "north-out";
  const number = String((seq >> 1) % CARDS).padStart(6, "0");
  const tap = {
    ...{ workplaceId: "8112345678", accessPoint, direction, reader: "north-in-1", card: `BB-2401-${number}` },
    ...{ credential: { kind: "number", assurance: "number" }, granted: true, reason: "granted" },
    ...{ list: { revision: 120, ageSeconds: 35, freshness: "fresh" }, clock },
  };
  const passage = {
    ...{ event: "opened", accessPoint, direction, pulseMs: 800 },
    ...{ tap: `gate-07/${seq - 1}`, heldMs: 801, clock },
  };
  return seq % 2 === 1
    ? ({ type: "grindvakt.tap.v1", data: tap } as const)
    : ({ type: "grindvakt.passage.v1", data: passage } as const);
}

async function hashAll(dir: string): Promise<void> {
  const hash = createHash("sha256");
  for (const name of (await readdir(dir)).sort())
    for await (const piece of createReadStream(join(dir, name))) hash.update(piece as Buffer);
  hash.digest("hex");
}

async function begin(dir: string, files: Files): Promise<void> {
  const settings = { dir, keepMs: 740 * DAY_MS, maxBytes: 2 * 1024 ** 3, segmentBytesMax: 4 * 1024 ** 2 };
  const writer = new JournalWriter(settings, { clock: createSystemClock(), files, log: createLog("error") });
  const { head } = await writer.find();
  await writer.mend();
  if (head.seq !== EVENTS) throw new Error(`the end was found at ${head.seq}`);
}

async function readDay(dir: string, files: Files, dayMs: number): Promise<void> {
  const fault = (what: string): never => {
    throw new Error(what);
  };
  let bytes = 0;
  const period = { fromMs: dayMs, toMs: dayMs + DAY_MS, acknowledgedSeq: 0 };
  for await (const { line } of readPeriod(files, dir, period, fault)) bytes += JSON.stringify(line).length;
  if (bytes === 0) throw new Error("there is nothing on that day");
}
