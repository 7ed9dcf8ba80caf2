/**
 * Proves from the events alone that they are the lines of their gateway's journal, none changed and none left out. An event carries the
 * hash of its line (`chain`), and a line the hash of the line before (`prev`); docs/journal.md says what a line looks like. What the event
 * does not carry is `batch`, the first sequence synced with it: that is the one of the line before, or the line's own sequence. Pure.
 */
import { createHash } from "node:crypto";

/** Before the first line. */
const GENESIS = "0".repeat(64);
/** Where the line before is not known, neither is its group; a gateway syncs no more lines together. */
const GROUP_LINES_MAX = 512;

export interface Kept {
  seq: number;
  chain: string;
  /** The event as it came. */
  text: string;
}

/** `unproven`: nothing is here that it could rest on, as the event before is missing. */
export type Verdict = "proven" | "unproven" | "broken";

export class Chain {
  readonly #gateway: string;
  #before: { seq: number; chain: string; batch: number | null } = { seq: 0, chain: GENESIS, batch: null };

  constructor(gateway: string) {
    this.#gateway = gateway;
  }

  /** Events in sequence. A broken one is taken as it says it is, so that one change is told of once. */
  add({ seq, chain, text }: Kept): Verdict {
    const before = this.#before;
    if (seq !== before.seq + 1) {
      this.#before = { seq, chain, batch: null };
      return "unproven";
    }
    const lineOf = this.#lineOf(seq, before.chain, text);
    const batch = batchesOf(seq, before.batch).find((batch) => sha256(lineOf(batch)) === chain) ?? null;
    this.#before = { seq, chain, batch };
    return batch === null ? "broken" : "proven";
  }

  #lineOf(seq: number, prev: string, text: string): (batch: number) => string {
    const { id, type, subject, time, data } = JSON.parse(text) as Record<string, unknown>;
    const { seq: _, durable: __, chain: ___, ...said } = data as Record<string, unknown>;
    // It was sent before it could be written, under another id.
    const own = id === `${this.#gateway}/${seq}` ? {} : { id };
    return (batch) => JSON.stringify({ seq, prev, batch, ...own, type, subject, time, data: said });
  }
}

function batchesOf(seq: number, before: number | null): number[] {
  if (before !== null) return [before, seq];
  const least = Math.max(1, seq - GROUP_LINES_MAX + 1);
  return Array.from({ length: seq - least + 1 }, (_, back) => seq - back);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
