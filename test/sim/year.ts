/**
 * Site life at length: days of a site with its mornings and nights, mostly calm, with a storm now and then, lives cut short,
 * lists that change; every minute is judged. What was judged is forgotten, so that a year fits into memory.
 */
import { SimGate } from "./gate.ts";
import { SimRandom } from "./random.ts";
import { ACCESS_POINTS, CARDS, JOURNAL, type Room } from "./site.ts";
import { TROUBLES } from "./storm.ts";
import { Violation } from "./violation.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** From the first to the last tap of a day, in hours of the world's clock. */
const WORK_HOURS: [number, number] = [5, 17];
const TAPS_A_DAY = 2_000;
/** Once a working day, for some minutes. */
const STORMS_A_MINUTE = 1 / (12 * 60);
const STORM_MINUTES: [number, number] = [1, 5];
/** Twice a day the power goes or the process dies; within the next hundred disk calls, if it is the power. */
const ENDS_A_MINUTE = 2 / (24 * 60);
const IOS_AHEAD_MAX = 100;
const LIST_CHANGES_A_MINUTE = 4 / (24 * 60);
const SITE_CHANGES_A_MINUTE = 6 / (24 * 60);
/** The last part of a trace is kept, to be shown when something does not hold. */
const TRACE_LINES_MAX = 4_000;
const PIECE_MS = 10_000;

export interface YearFigures {
  seed: number;
  hours: number;
  taps: number;
  events: number;
  lives: number;
  storms: number;
  revisions: number;
  /** Power cuts within a disk call, by what the file belongs to. */
  iosCut: Partial<Record<Room, number>>;
}

export class Year {
  readonly gate: SimGate;
  readonly figures: YearFigures;
  readonly #random: SimRandom;
  #stormEndsMs = 0;
  #nextRefreshMs = 0;

  constructor(seed: number) {
    const keeps = { refreshSeconds: 600, journalBytesMax: 48 * 1024 ** 2, journalKeepDays: 30 };
    this.gate = new SimGate(seed, undefined, { forgets: true, ...keeps });
    this.#random = new SimRandom(`year ${seed}`);
    this.figures = { seed, hours: 0, taps: 0, events: 0, lives: 0, storms: 0, revisions: 0, iosCut: {} };
  }

  async start(): Promise<void> {
    await this.gate.start();
    this.figures.lives = 1;
    await this.gate.world.advance(2_000);
  }

  /** An hour of it. Rejects with a `Violation`, whose message says how to see it again and holds the last lines of the trace. */
  async hour(): Promise<void> {
    try {
      for (let minute = 0; minute < 60; minute += 1) await this.#minute();
    } catch (error) {
      const { seed, hours } = this.figures;
      const command = `npm run sim -- --seed ${seed} --hours ${hours + 1}`;
      if (error instanceof Violation)
        error.message += `\n  again: ${command}\n${this.gate.world.trace.slice(-60).join("\n")}`;
      throw error;
    }
    this.figures.hours += 1;
  }

  /** All trouble ends; everything must have arrived. */
  async finish(): Promise<void> {
    const { gate } = this;
    gate.world.disk.cutAt(Number.POSITIVE_INFINITY);
    gate.world.calm();
    if (gate.world.machine === null) gate.boot();
    await gate.world.advance(10 * MINUTE_MS);
    await gate.stop();
    await gate.checkWhole();
    this.#count();
  }

  async #minute(): Promise<void> {
    const { gate } = this;
    const random = this.#random;
    const { world } = gate;
    await this.#change();
    this.#tap();
    if (random.chance(STORMS_A_MINUTE)) this.#storm();
    if (this.#stormEndsMs > 0 && world.clock.monotonicMs() >= this.#stormEndsMs) {
      this.#stormEndsMs = 0;
      world.calm();
    }
    if (random.chance(ENDS_A_MINUTE)) this.#end();
    for (let passedMs = 0; passedMs < MINUTE_MS; passedMs += PIECE_MS) {
      await world.advance(PIECE_MS);
      gate.check();
      if (world.machine === null) this.#boot();
    }
    this.#count();
    this.#forget();
  }

  #tap(): void {
    const { world } = this.gate;
    const hour = (world.clock.wallMs() / HOUR_MS) % 24;
    const [from, to] = WORK_HOURS;
    if (hour < from || hour >= to) return;
    const random = this.#random;
    const perMinute = TAPS_A_DAY / ((to - from) * 60);
    const count = Math.floor(perMinute) + (random.chance(perMinute % 1) ? 1 : 0);
    for (let tap = 0; tap < count; tap += 1) {
      const { id, readers, inputs } = random.pick(ACCESS_POINTS);
      const [reader, card] = [random.pick(readers), random.pick(CARDS).number];
      const atMs = random.between(0, MINUTE_MS - 3_000);
      world.clock.after(atMs, () => this.gate.tap(reader, card));
      if ("passage" in inputs && random.chance(0.7))
        world.clock.after(atMs + 2_000, () => world.input(`${id} passage`).touch());
      this.figures.taps += 1;
    }
  }

  async #change(): Promise<void> {
    const { gate } = this;
    const random = this.#random;
    if (gate.world.clock.monotonicMs() >= this.#nextRefreshMs) {
      await gate.centre.refresh();
      this.#nextRefreshMs = gate.world.clock.monotonicMs() + 24 * HOUR_MS;
    }
    if (random.chance(LIST_CHANGES_A_MINUTE)) {
      const status = random.pick(["active", "blocked", "suspended"] as const);
      await gate.listChange(random.pick(CARDS).number, status, random.chance(0.7) ? "delta" : "whole");
    }
    if (random.chance(SITE_CHANGES_A_MINUTE)) {
      const card = random.pick(CARDS.slice(0, 6)).number;
      gate.siteChange(card, random.chance(0.5) ? "site-blocked" : "site-unblocked");
    }
  }

  #storm(): void {
    const { world } = this.gate;
    this.figures.storms += 1;
    this.#stormEndsMs = world.clock.monotonicMs() + this.#random.between(...STORM_MINUTES) * MINUTE_MS;
    world.storm(TROUBLES);
  }

  #end(): void {
    const random = this.#random;
    const [ahead, policy] = [
      random.between(1, IOS_AHEAD_MAX),
      random.pick(["torn", "lose", "keep"] as const),
    ];
    if (random.chance(0.7)) this.gate.powerCutAtIo(ahead, policy);
    else this.gate.world.clock.after(random.between(0, MINUTE_MS / 2), () => this.gate.kill());
  }

  #boot(): void {
    this.figures.lives += 1;
    if (this.#random.chance(0.2)) this.gate.bootIn1970(this.#random.between(1_000, 120_000));
    else this.gate.boot();
  }

  #count(): void {
    this.figures.events = this.gate.judge.delivery.nextSeq - 1;
    this.figures.revisions = this.gate.centre.revision;
    this.figures.iosCut = Object.fromEntries(this.gate.cuts);
  }

  #forget(): void {
    const { world, judge } = this.gate;
    judge.forget();
    world.feed.fetched.length = 0;
    if (world.machine !== null) world.machine.log.lines.length = 0;
    for (const reader of world.readers.values()) reader.signals.length = 0;
    if (world.trace.length > 2 * TRACE_LINES_MAX) world.trace.splice(0, TRACE_LINES_MAX);
  }
}

/** Days without broker and feed; `told` hears at each midnight. What is on the simulated disk is let go of, as it is no memory of a gateway's. */
export async function liveOffline(
  seed: number,
  days: number,
  told: (day: number, unsent: number) => void,
): Promise<void> {
  const gate = new SimGate(seed, undefined, { forgets: true, refreshSeconds: 300 });
  const { world } = gate;
  const random = new SimRandom(`offline ${seed}`);
  await gate.start();
  await world.advance(10_000);
  world.broker.goDown("no network");
  world.feed.faultOf = () => "unreachable";
  for (let day = 1; day <= days; day += 1) {
    for (let tap = 0; tap < TAPS_A_DAY; tap += 1) {
      const { readers } = random.pick(ACCESS_POINTS);
      gate.tap(random.pick(readers), random.pick(CARDS).number);
      await world.advance((24 * HOUR_MS) / TAPS_A_DAY);
      if (tap % 100 !== 0) continue;
      gate.check();
      gate.judge.forget();
      world.trace.length = 0;
      world.feed.fetched.length = 0;
      if (world.machine !== null) world.machine.log.lines.length = 0;
      for (const reader of world.readers.values()) reader.signals.length = 0;
    }
    const segments = world.disk.paths().filter((path) => path.startsWith(`${JOURNAL}/`));
    for (const path of segments.slice(0, -2)) world.disk.hollow(path);
    told(day, gate.house?.status().outbox.unsent ?? 0);
  }
}
