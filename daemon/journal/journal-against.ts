/**
 * Holds a journal against the events that a centre has of it. The chain alone does not show that its end was cut off, that
 * its last line was changed, or that all of it was written anew; the copies that left the gateway do.
 */
import { createHash } from "node:crypto";
import type { Entry, Head } from "./journal-segments.ts";
import { eventOfLine, type Sender } from "./record.ts";

/** Ten years of a busy gate; each takes about a tenth of a kilobyte while they are compared. */
const EVENTS_MAX = 5_000_000;
/** Differences listed; further ones would say no more. */
const FAULTS_MAX = 100;

export interface Difference {
  id: string;
  what: string;
}

export interface Comparison {
  /** Events of this gateway that the centre has, each counted once. */
  events: number;
  /** Of these, found in the journal as they are. */
  same: number;
  /** Events of other gateways, and lines that are no events of Grindvakt's; nothing is said of them. */
  others: number;
  /** Older than the oldest line that is kept. */
  dropped: number;
  /** Sent from memory while the disk failed, and never written down afterwards. */
  unwritten: number;
  differences: Difference[];
  /** Found, and not listed. */
  unlisted: number;
}

/** An event as the centre has it: the hash of its line where it was sent from the journal, and of all that it says. */
type Copy = Pick<SentEvent, "seq" | "chain"> & { says: string };

export class Against {
  readonly #sender: Sender;
  readonly #copies = new Map<string, Copy>();
  readonly #result: Comparison = {
    events: 0,
    same: 0,
    others: 0,
    dropped: 0,
    unwritten: 0,
    differences: [],
    unlisted: 0,
  };

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** One event as JSON text; an event may come again. Why it cannot be taken, or null. */
  add(text: string): string | null {
    const event = eventOf(text);
    if (event === null || !event.id.startsWith(`${this.#sender.gateway}/`)) {
      this.#result.others += 1;
      return null;
    }
    const { id, seq, chain } = event;
    const copy = { seq, chain, says: digest(event) };
    const before = this.#copies.get(id);
    if (before === undefined) {
      if (this.#copies.size >= EVENTS_MAX) return `more than ${EVENTS_MAX} events: give them in parts`;
      this.#copies.set(id, copy);
      this.#result.events += 1;
    } else if (before.chain === null && chain !== null) this.#copies.set(id, copy);
    else if (chain !== null && before.says !== copy.says)
      this.#differ(id, "the centre has two that say different things under this id");
    return null;
  }

  /** A line of the journal, whose own chain is proven elsewhere. */
  compare({ line, chain }: Entry): void {
    const event = eventOfLine(line, chain, this.#sender);
    const copy = this.#copies.get(event.id);
    if (copy === undefined) return;
    this.#copies.delete(event.id);
    // The chain first: it speaks of all lines before this one, too.
    if (copy.chain !== null && copy.chain !== chain)
      this.#differ(event.id, "the journal's line is not the one that was sent: the journal was changed");
    else if (copy.says !== digest(event))
      this.#differ(event.id, "the line is the one that was sent, and the centre's event says otherwise");
    else this.#result.same += 1;
  }

  /** What is left over is not in the journal. `firstSeq`: the oldest line there is; `head`: the last. */
  finish(firstSeq: number | null, head: Head | null): Comparison {
    for (const [id, { seq, chain }] of this.#copies) {
      if (chain === null) this.#result.unwritten += 1;
      else if (firstSeq !== null && seq < firstSeq) this.#result.dropped += 1;
      else if (head === null || seq > head.seq)
        this.#differ(id, `the centre has it, and the journal ends at ${head?.seq ?? 0}: its end was cut off`);
      else this.#differ(id, "the centre has it, and the journal does not");
    }
    this.#copies.clear();
    return this.#result;
  }

  #differ(id: string, what: string): void {
    if (this.#result.differences.length < FAULTS_MAX) this.#result.differences.push({ id, what });
    else this.#result.unlisted += 1;
  }
}

interface SentEvent {
  id: string;
  type: unknown;
  subject: unknown;
  time: unknown;
  data: Readonly<Record<string, unknown>>;
  /** Not a number where it was sent from memory. */
  seq: number;
  chain: string | null;
}

function eventOf(text: string): SentEvent | null {
  try {
    const { id, type, subject, time, data } = JSON.parse(text);
    if (typeof id !== "string" || typeof data !== "object" || data === null) return null;
    const chain = typeof data.chain === "string" ? data.chain : null;
    return { id, type, subject, time, data, seq: chain === null ? Number.NaN : Number(data.seq), chain };
  } catch {
    return null;
  }
}

/** Of what is said, however a centre has stored it: not of the order of keys, nor of what only tells how it was sent. */
function digest({
  type,
  subject,
  time,
  data,
}: Pick<SentEvent, "type" | "subject" | "time" | "data">): string {
  const { seq: _seq, durable: _durable, chain: _chain, ...facts } = data;
  const text = JSON.stringify([type, subject, Date.parse(String(time)), sorted(facts)]);
  return createHash("sha256").update(text).digest().toString("latin1");
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, inner]) => [key, sorted(inner)]);
}
