/**
 * The site's own list: cards it blocks, and cards it allows where it admits only those. What stands on it is the last
 * change of each card and rule, as it was made. Durable before in force: a change is asked for by a tap only once a
 * power cut would find it.
 *
 * The file also keeps each change until the journal has it, so that none is lost between the two. A crash in between
 * journals it twice, never not at all.
 */
import { Low } from "lowdb";
import type { Files, Log } from "../drivers/ports.ts";
import { DurableAdapter, type Found } from "./durable-file.ts";
import {
  CHANGE_BYTES_MAX,
  isChange,
  noRules,
  put,
  type Rules,
  ruleOf,
  type SiteChange,
  type SiteRule,
} from "./site-change.ts";

/** Ten times the people that the largest sites see; the file is written anew at each change. */
export const ENTRIES_MAX = 100_000;
/** Changes that no journal has taken yet: a script that changes the list of a stopped gateway ends here. */
export const UNJOURNALED_MAX = 10_000;
/** Asked for at once; each group of them is written with one call. */
const WAITING_CHANGES_MAX = 1_000;
const FILE_BYTES_MAX = (ENTRIES_MAX + UNJOURNALED_MAX + WAITING_CHANGES_MAX) * CHANGE_BYTES_MAX;
/** Lines of the file made in one turn of the loop: about a millisecond on a small machine. */
const PIECE_LINES = 250;

/** Why nothing has changed; `why` is fit to be shown. */
export interface SiteRefusal {
  code: "busy" | "not-on-it" | "full" | "not-kept";
  why: string;
}

export type SiteOutcome = { kind: "done" } | ({ kind: "refused" } & SiteRefusal);

interface Content extends Rules {
  unjournaled: readonly SiteChange[];
}

interface Waiting {
  change: SiteChange;
  tell(outcome: SiteOutcome): void;
}

export class SiteList {
  readonly #adapter: DurableAdapter<Content>;
  /** What the file holds, or is about to hold. */
  readonly #db: Low<Content>;
  readonly #nowMs: () => number;
  /** What the file is known to hold: taps are decided by it. */
  #inForce: Rules = noRules();
  #waiting: Waiting[] = [];
  /** Journaled since the file was last written. */
  #journaled = new Set<SiteChange>();
  #running: Promise<void> | null = null;

  /** `nowMs`: a wall time that has surely come, to judge by whether something has ended. */
  constructor(path: string, files: Files, log: Log, nowMs: () => number) {
    this.#adapter = new DurableAdapter(
      { path, sizeBytesMax: FILE_BYTES_MAX, encode, accept: acceptContent },
      files,
      log,
    );
    this.#db = new Low(this.#adapter, { ...noRules(), unjournaled: [] });
    this.#nowMs = nowMs;
  }

  /** Never rejects. After `lost` nothing is on the list; see `restore`. */
  async load(): Promise<Found> {
    await this.#db.read();
    const { blocked, allowed } = this.#db.data;
    this.#inForce = { blocked: new Map(blocked), allowed: new Map(allowed) };
    return this.#adapter.found;
  }

  /** What puts the card under this rule now, or null. */
  find(rule: SiteRule, card: string): SiteChange | null {
    const found = this.#inForce[rule].get(card);
    return found === undefined || hasEnded(found, this.#nowMs()) ? null : found;
  }

  /** Everything that is in force, in no order. */
  *all(): Generator<SiteChange> {
    const nowMs = this.#nowMs();
    for (const rule of [this.#inForce.blocked, this.#inForce.allowed]) {
      for (const change of rule.values()) if (!hasEnded(change, nowMs)) yield change;
    }
  }

  /** How many stand on it; some may have ended since the last change. */
  count(rule: SiteRule): number {
    return this.#inForce[rule].size;
  }

  /** Changes that the journal may not have. */
  get unjournaled(): readonly SiteChange[] {
    return this.#db.data.unjournaled;
  }

  /** Resolves once the change is durable and in force, or is refused. */
  change(change: SiteChange): Promise<SiteOutcome> {
    if (this.#waiting.length >= WAITING_CHANGES_MAX) {
      return Promise.resolve({ kind: "refused", code: "busy", why: "too many changes at once; try again" });
    }
    return new Promise((tell) => {
      this.#waiting.push({ change, tell });
      this.#run();
    });
  }

  /** These are in the journal, and need not be kept for it any more. */
  journaled(changes: Iterable<SiteChange>): void {
    for (const change of changes) this.#journaled.add(change);
    this.#run();
  }

  /**
   * After `lost`: what journaled changes, in their order, come to. In force as it comes; rejects when they could not be
   * read to their end, or it could not be written.
   */
  async restore(changes: AsyncIterable<SiteChange>): Promise<void> {
    const nowMs = this.#nowMs();
    try {
      for await (const change of changes) {
        put(this.#inForce, change);
        if (hasEnded(change, nowMs)) this.#inForce[ruleOf(change.event).rule].delete(change.card);
      }
    } finally {
      const { blocked, allowed } = this.#inForce;
      this.#db.data = { blocked: new Map(blocked), allowed: new Map(allowed), unjournaled: [] };
    }
    await this.#db.write();
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  // ---------------------------------------------------------------- inside

  #run(): void {
    this.#running ??= this.#writeGroups();
  }

  async #writeGroups(): Promise<void> {
    // Those that are asked for together are written together.
    await null;
    for (;;) {
      const group = this.#takeGroup();
      if (group.length === 0 && this.#journaled.size === 0) break;
      const why = await this.#write(group);
      for (const { change, tell } of group) {
        if (why === null) put(this.#inForce, change);
        else this.#undo(change);
        tell(why === null ? { kind: "done" } : { kind: "refused", code: "not-kept", why });
      }
      // What was journaled is taken off the file with the next change that can be written.
      if (why !== null && this.#waiting.length === 0) break;
    }
    this.#running = null;
  }

  /** Refuses what cannot be, and does the rest to what is to be written. */
  #takeGroup(): Waiting[] {
    this.#dropEnded();
    return this.#waiting.splice(0).filter(({ change, tell }) => {
      const refusal = this.#refusalOf(change);
      if (refusal === null) put(this.#db.data, change);
      else tell({ kind: "refused", ...refusal });
      return refusal === null;
    });
  }

  #refusalOf({ event, card }: SiteChange): SiteRefusal | null {
    const { data } = this.#db;
    const { rule, isOn } = ruleOf(event);
    const isOnIt = data[rule].has(card);
    if (!isOn && !isOnIt) return { code: "not-on-it", why: `${card} is not ${rule} by this site` };
    if (isOn && !isOnIt && data.blocked.size + data.allowed.size >= ENTRIES_MAX)
      return { code: "full", why: `the site list is full: it holds ${ENTRIES_MAX} cards` };
    if (data.unjournaled.length >= UNJOURNALED_MAX)
      return {
        code: "not-kept",
        why: `${UNJOURNALED_MAX} changes wait to be journaled: start the gateway first`,
      };
    return null;
  }

  /** Why it could not be written, or null. */
  async #write(group: readonly Waiting[]): Promise<string | null> {
    const { data } = this.#db;
    const journaled = new Set(this.#journaled);
    const before = data.unjournaled;
    data.unjournaled = [
      ...before.filter((change) => !journaled.has(change)),
      ...group.map(({ change }) => change),
    ];
    try {
      await this.#db.write();
    } catch (error) {
      data.unjournaled = before;
      return `the site list could not be written: ${(error as Error).message}`;
    }
    for (const change of journaled) this.#journaled.delete(change);
    return null;
  }

  #undo({ event, card }: SiteChange): void {
    const { rule } = ruleOf(event);
    const before = this.#inForce[rule].get(card);
    if (before === undefined) this.#db.data[rule].delete(card);
    else this.#db.data[rule].set(card, before);
  }

  #dropEnded(): void {
    const nowMs = this.#nowMs();
    for (const rule of ["blocked", "allowed"] as const) {
      for (const [card, change] of this.#db.data[rule]) {
        if (!hasEnded(change, nowMs)) continue;
        this.#db.data[rule].delete(card);
        this.#inForce[rule].delete(card);
      }
    }
  }
}

function hasEnded({ untilMs }: SiteChange, nowMs: number): boolean {
  return untilMs !== null && untilMs <= nowMs;
}

// ---------------------------------------------------------------- the file

const VERSION = 1;

/** One change a line. */
function* encode({ blocked, allowed, unjournaled }: Content): Generator<string> {
  yield `{ "version": ${VERSION}, "entries": [`;
  yield* encodeLines([blocked.values(), allowed.values()]);
  yield '], "unjournaled": [';
  yield* encodeLines([unjournaled]);
  yield "] }";
}

function* encodeLines(groups: readonly Iterable<SiteChange>[]): Generator<string> {
  let lines: string[] = [];
  let comma = "";
  for (const group of groups) {
    for (const change of group) {
      lines.push(`${comma}\n  ${JSON.stringify(change)}`);
      comma = ",";
      if (lines.length < PIECE_LINES) continue;
      yield lines.join("");
      lines = [];
    }
  }
  yield `${lines.join("")}\n`;
}

function acceptContent(value: unknown): Content | null {
  const { version, entries, unjournaled } = value as Record<string, unknown>;
  if (version !== VERSION || !isChanges(entries) || !isChanges(unjournaled)) return null;
  const content = { ...noRules(), unjournaled };
  for (const entry of entries) put(content, entry);
  return content;
}

function isChanges(value: unknown): value is SiteChange[] {
  return Array.isArray(value) && value.every(isChange);
}
