/**
 * Who is on the site, read back from the journal: what it says of the last days, in order. The same lines give the same people as
 * the run that wrote them had.
 */
import type { Files } from "../../drivers/ports.ts";
import { isCanonical } from "../../sync/card.ts";
import { firstEntry, readEntries } from "../journal/journal-reader.ts";
import { type Entry, listSegments, type Segment } from "../journal/journal-segments.ts";
import { isTimeTrusted, type Line } from "../journal/record.ts";
import { type ByHand, type Direction, Presence, REMEMBERED_MS, type Step } from "./presence.ts";

/** A week of a site with ten thousand passages a day, and a second and a half to read. */
const LINES_MAX = 200_000;
/** Grants whose passage may still be told of: it is, within a minute. */
const AWAITED_MAX = 1_024;

/** `judgedMs`: now, as far as that is known. `isWanted`: asked now and then; once it is false, reading ends. */
export async function replayJournal(
  files: Files,
  dir: string,
  { gateway, headSeq, judgedMs }: { gateway: string; headSeq: number; judgedMs: number },
  isWanted: () => boolean = () => true,
): Promise<Presence> {
  const replay = new Replay(gateway);
  const enoughSeq = headSeq - LINES_MAX + 1;
  const fromSeq = Math.max(enoughSeq, await seqOfTheDays(files, dir, judgedMs - REMEMBERED_MS, enoughSeq));
  for await (const { line } of readEntries(files, dir, fromSeq, headSeq)) {
    if (!isWanted()) break;
    replay.add(line);
  }
  return replay.presence;
}

/** The first sequence of the segments that hold what was after `sinceMs`, by times that could be trusted. */
async function seqOfTheDays(files: Files, dir: string, sinceMs: number, enoughSeq: number): Promise<number> {
  let fromSeq = 1;
  for (const segment of (await listSegments(files, dir)).reverse()) {
    fromSeq = segment.firstSeq;
    if (fromSeq <= enoughSeq || (await beginsBefore(files, segment, sinceMs))) break;
  }
  return fromSeq;
}

async function beginsBefore(files: Files, segment: Segment, sinceMs: number): Promise<boolean> {
  const first = await firstEntry(files, segment);
  return first !== null && isTimeTrusted(first.line) && Date.parse(first.line.time) < sinceMs;
}

export class Replay {
  readonly presence = new Presence();
  readonly #gateway: string;
  readonly #awaited = new Map<string, Step>();

  constructor(gateway: string) {
    this.#gateway = gateway;
  }

  add(line: Line): void {
    if (line.type === "grindvakt.tap.v1") this.#tap(line);
    else if (line.type === "grindvakt.passage.v1") this.#passage(line);
  }

  /** The lines, while they are read for something else, too. */
  async *along(entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
    for await (const entry of entries) {
      this.add(entry.line);
      yield entry;
    }
  }

  #tap(line: Line): void {
    const { card, direction, accessPoint, granted } = line.data;
    if (granted !== true || typeof card !== "string" || typeof accessPoint !== "string") return;
    const step = this.#passed(line, card, direction, accessPoint, line.time, null);
    if (step === null) return;
    this.#awaited.set(line.id ?? `${this.#gateway}/${line.seq}`, step);
    if (this.#awaited.size > AWAITED_MAX)
      for (const oldest of this.#awaited.keys()) return void this.#awaited.delete(oldest);
  }

  #passage(line: Line): void {
    const { event, tap, heldMs, card, direction, accessPoint, manual, when } = line.data;
    if (manual === true) {
      const isWhole = typeof card === "string" && isCanonical(card) && typeof accessPoint === "string";
      if (isWhole) this.#passed(line, card, direction, accessPoint, when, byHandOf(line.data));
      return;
    }
    const ledNowhere = event === "not-passed" || event === "withheld" || (event === "failed" && heldMs === 0);
    const step = this.#awaited.get(String(tap));
    if (ledNowhere && step !== undefined) this.presence.takeBack(step);
  }

  #passed(
    line: Line,
    card: string,
    direction: unknown,
    accessPoint: string,
    time: unknown,
    byHand: ByHand | null,
  ): Step | null {
    const wallMs = Date.parse(String(time));
    if (!isDirection(direction) || Number.isNaN(wallMs)) return null;
    const trusted = isTimeTrusted(line);
    return this.presence.passed({ card, direction, accessPoint, wallMs, trusted, monotonicMs: null, byHand });
  }
}

function byHandOf({ who, why }: Line["data"]): ByHand {
  const { by, name } = (who ?? {}) as Record<string, unknown>;
  const isKnownWay = by === "console" || by === "mqtt";
  return { who: { by: isKnownWay ? by : "command", name: String(name ?? "") }, why: String(why ?? "") };
}

function isDirection(value: unknown): value is Direction {
  return value === "entry" || value === "exit";
}
