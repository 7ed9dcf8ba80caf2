import { Journal, type Settlement } from "../../daemon/journal/journal.ts";
import { verifyJournal } from "../../daemon/journal/journal-proof.ts";
import { readEntries } from "../../daemon/journal/journal-reader.ts";
import type { Recovery } from "../../daemon/journal/journal-recovery.ts";
import type { Entry } from "../../daemon/journal/journal-segments.ts";
import { type Draft, encodeLine } from "../../daemon/journal/record.ts";
import type { Files } from "../../drivers/ports.ts";
import { type Machine, SimWorld } from "./world.ts";

export const DIR = "/data/journal";
const GATEWAY = "gate-07";

export interface JournalSiteOptions {
  seed: number;
  segmentBytesMax?: number;
  maxBytes?: number;
  keepMs?: number;
  /** Changes the disk's habits before the journal is built on them: how a bug is planted. */
  plant?: (machine: Machine) => Files;
}

/**
 * A journal in a simulated world, and a model of what it has promised: every line that was told as synced, over all
 * lives of the machine, with checks at the moment it is told and after each recovery. A broken promise throws.
 */
export class JournalSite {
  readonly world: SimWorld;
  journal: Journal | null = null;
  machine: Machine | null = null;
  recovery: Recovery | null = null;
  /** What the outbox's cursor says; handed over at each start. */
  acknowledgedSeq = 0;
  /** Text of each line that was told as synced, by sequence. */
  readonly told = new Map<number, string>();
  /** Ids of records of this life that were told as not on disk, until they are. */
  readonly volatile = new Map<string, Draft>();
  /** All that was sent from memory, over all lives. */
  readonly volatileIds = new Set<string>();
  /** `failed` and `recovered` of this life, in order. */
  readonly news: string[] = [];
  readonly settlements: Settlement[] = [];
  readonly problems: string[] = [];
  readonly #options: Required<JournalSiteOptions>;
  readonly #volatileDrafts = new Set<Draft>();
  #records = 0;

  constructor(options: JournalSiteOptions) {
    this.#options = {
      segmentBytesMax: 1_500,
      maxBytes: 1e9,
      keepMs: 1e12,
      plant: ({ files }) => files,
      ...options,
    };
    this.world = new SimWorld({ seed: options.seed });
    this.world.disk.put("/data/made-by-the-house", "");
  }

  /** Starts a life and its journal; ends when that has started, or the power was cut. */
  async boot(cut: { io: number; policy: "lose" | "keep" | "torn" } | null = null): Promise<void> {
    const machine = this.world.boot();
    if (cut !== null) this.world.powerCutAtIo(cut.io, cut.policy);
    const life = machine.life;
    const unlessOver = (act: () => void) => {
      if (this.world.machine?.life === life) act();
    };
    this.volatile.clear();
    this.news.length = 0;
    this.machine = machine;
    this.recovery = null;
    const { seed, plant, ...settings } = this.#options;
    this.journal = new Journal(
      { ...settings, dir: DIR, gateway: GATEWAY, boot: `life-${life}` },
      { clock: machine.clock, files: plant(machine), log: machine.log },
      {
        synced: (entries) => unlessOver(() => this.#synced(entries)),
        volatile: ({ id, draft }) => unlessOver(() => this.#isVolatile(id, draft)),
        failed: () => unlessOver(() => this.news.push("failed")),
        recovered: (lost) => unlessOver(() => this.news.push(`recovered, ${lost} lost`)),
        gone: ({ from, to }) => unlessOver(() => this.news.push(`${from} to ${to} gone`)),
      },
    );
    let isOver = false;
    this.journal.start(this.acknowledgedSeq).then(
      (recovery) => {
        isOver = true;
        this.recovery = recovery;
      },
      () => {
        isOver = true;
      },
    );
    await this.#until(() => isOver, machine);
  }

  /** Records that begin a group, or join one. */
  append(count: number, padBytes = 0): void {
    const { journal, machine } = this;
    if (journal === null || machine === null || this.world.machine !== machine) return;
    for (let index = 0; index < count; index++) {
      this.#records += 1;
      const draft: Draft = {
        type: "grindvakt.tap.v1",
        subject: "north-in",
        time: new Date(machine.clock.wallMs()).toISOString(),
        data: { n: this.#records, pad: "x".repeat(padBytes), clock: { trusted: machine.clock.trusted() } },
      };
      void journal.append(draft).then((settlement) => {
        if (this.world.machine === machine) this.settlements.push(settlement);
      });
    }
  }

  /** A clean stop; the machine goes off after it, and keeps what the disk has. */
  async stop(): Promise<void> {
    let isOver = false;
    void this.journal?.stop().then(() => {
      isOver = true;
    });
    const stoppedAtMs = this.world.clock.monotonicMs();
    await this.#until(() => isOver);
    if (this.world.clock.monotonicMs() - stoppedAtMs > 2_100)
      this.problems.push("a stop took over two seconds");
    if (this.world.machine !== null) this.world.kill();
  }

  /** The broker has acknowledged everything that is on disk, and the cursor says so. */
  acknowledge(seq = this.journal?.headSeq ?? 0): void {
    this.acknowledgedSeq = Math.max(this.acknowledgedSeq, seq);
    this.journal?.acknowledge(this.acknowledgedSeq);
  }

  /**
   * What must hold of the disk as a reader finds it now: the chain holds, nothing is missing from the first line
   * kept to the last, and whatever was told as synced is there, byte for byte, but for what was acknowledged and is
   * older than everything kept.
   */
  async check(): Promise<void> {
    const isOff = this.world.machine === null;
    const { files } = this.world.machine ?? this.world.boot();
    const verdict = await this.#ran(verifyJournal(files, DIR, () => undefined));
    for (const { seq, what } of verdict.faults) this.problems.push(`line ${seq}: ${what}`);
    const found = new Map<number, string>();
    const records = new Set<unknown>();
    await this.#ran(
      (async () => {
        for await (const { line } of readEntries(files, DIR, 1, Number.POSITIVE_INFINITY)) {
          found.set(line.seq, encodeLine(line));
          if (records.has(line.data.n)) this.problems.push(`record ${line.data.n} was written twice`);
          records.add(line.data.n);
        }
      })(),
    );
    if (isOff) this.world.kill();
    const firstSeq = verdict.firstSeq ?? Number.POSITIVE_INFINITY;
    for (const [seq, text] of this.told) {
      if (seq < firstSeq && seq <= this.acknowledgedSeq) continue;
      if (found.get(seq) !== text) this.problems.push(`line ${seq} was synced and is ${found.get(seq)}`);
    }
    if (this.problems.length > 0) throw new Error(this.problems.join("\n"));
  }

  /** What was told as not on disk in this life and is still not there. */
  unwritten(): string[] {
    return [...this.volatile.keys()];
  }

  // ---------------------------------------------------------------- inside

  #synced(entries: readonly Entry[]): void {
    const durable = this.#durableLines();
    for (const { line } of entries) {
      const text = encodeLine(line);
      const before = this.told.get(line.seq);
      if (before !== undefined) this.problems.push(`sequence ${line.seq} was used twice`);
      if (line.seq <= this.acknowledgedSeq) this.problems.push(`sequence ${line.seq} had been acknowledged`);
      if (!durable.has(text)) this.problems.push(`line ${line.seq} was told before it was durable`);
      this.told.set(line.seq, text);
      if (line.id !== undefined) this.volatile.delete(line.id);
    }
  }

  #isVolatile(id: string, draft: Draft): void {
    if (this.volatileIds.has(id)) this.problems.push(`${id} was sent from memory twice`);
    if (this.#volatileDrafts.has(draft)) this.problems.push(`record ${draft.data.n} has two ids`);
    this.volatileIds.add(id);
    this.#volatileDrafts.add(draft);
    this.volatile.set(id, draft);
  }

  /** What was just told must stand in the last segment. */
  #durableLines(): Set<string> {
    const { disk } = this.world;
    const last = disk.paths().findLast((path) => path.startsWith(DIR) && path.endsWith(".ndjson"));
    const bytes = last === undefined ? null : disk.durable(last);
    return new Set(
      Buffer.from(bytes ?? [])
        .toString("utf8")
        .split("\n"),
    );
  }

  async #ran<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const done = work.finally(() => {
      isOver = true;
    });
    done.catch(() => undefined);
    await this.#until(() => isOver);
    return done;
  }

  /** Lets time pass until it is over, or the machine is. */
  async #until(isOver: () => boolean, machine = this.world.machine): Promise<void> {
    for (let waitedMs = 0; !isOver() && this.world.machine === machine; waitedMs += 10) {
      if (waitedMs > 100_000) throw new Error("nothing comes of it");
      await this.world.advance(10);
    }
  }
}
