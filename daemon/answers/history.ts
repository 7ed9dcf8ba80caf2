/**
 * The last day in figures, for people who would rather look than read: taps an hour, how long the relay took, what was unsent.
 * In memory; what was before this run's start is read back from the journal once, when somebody first asks.
 */
import type { Clock, Timer } from "../../drivers/ports.ts";
import type { TapView } from "../gate/gateway.ts";
import type { Line } from "../journal/record.ts";

const HOUR_MS = 3_600_000;
const HOURS = 24;
/** What is unsent moves slowly, and a day of it must be drawn on a telephone. */
const SPAN_MS = 10 * 60_000;
const SPANS = (HOURS * HOUR_MS) / SPAN_MS;
const SAMPLE_MS = 15_000;
const LATENCIES_MAX = 200;

/** Times are RFC 3339, UTC. Hours and spans without an entry had nothing. */
export interface HistoryView {
  /** Since when latencies and unsent events are known. */
  since: string;
  hours: { at: string; granted: number; refused: number }[];
  /** From the tap's first byte to the relay's having taken the command, the newest last. */
  latenciesMs: number[];
  /** The most there was in each span of ten minutes. */
  unsent: { at: string; count: number }[];
}

export class History {
  readonly #clock: Clock;
  readonly #unsent: () => number;
  readonly #startedMs: number;
  readonly #hours = new Map<number, { granted: number; refused: number }>();
  readonly #spans = new Map<number, number>();
  #latenciesMs: number[] = [];
  #timer: Timer | null = null;
  #past: Promise<void> | null = null;

  constructor(clock: Clock, unsent: () => number) {
    this.#clock = clock;
    this.#unsent = unsent;
    this.#startedMs = clock.wallMs();
  }

  start(): void {
    const span = Math.floor(this.#clock.wallMs() / SPAN_MS);
    this.#spans.set(span, Math.max(this.#spans.get(span) ?? 0, this.#unsent()));
    keepNewest(this.#spans, SPANS);
    this.#timer = this.#clock.after(SAMPLE_MS, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Returns at once. */
  tapped({ decision }: TapView): void {
    this.#count(this.#clock.wallMs(), decision.granted);
  }

  /** Returns at once. */
  measured(latencyMs: number): void {
    this.#latenciesMs.push(latencyMs);
    if (this.#latenciesMs.length > 2 * LATENCIES_MAX)
      this.#latenciesMs = this.#latenciesMs.slice(-LATENCIES_MAX);
  }

  /** `before`: the journal's lines of the day before this run, read when it is asked the first time. */
  async show(before: (fromMs: number, toMs: number) => AsyncIterable<Line>): Promise<HistoryView> {
    this.#past ??= this.#readPast(before);
    await this.#past;
    const atOf = (index: number, lengthMs: number) => new Date(index * lengthMs).toISOString();
    return {
      since: new Date(this.#startedMs).toISOString(),
      hours: inOrder(this.#hours).map(([hour, counts]) => ({ at: atOf(hour, HOUR_MS), ...counts })),
      latenciesMs: this.#latenciesMs.slice(-LATENCIES_MAX),
      unsent: inOrder(this.#spans).map(([span, count]) => ({ at: atOf(span, SPAN_MS), count })),
    };
  }

  async #readPast(before: (fromMs: number, toMs: number) => AsyncIterable<Line>): Promise<void> {
    try {
      for await (const { type, time, data } of before(this.#startedMs - HOURS * HOUR_MS, this.#startedMs)) {
        const atMs = Date.parse(time);
        const isOurs = atMs >= this.#startedMs - HOURS * HOUR_MS && atMs < this.#startedMs;
        if (type === "grindvakt.tap.v1" && isOurs) this.#count(atMs, data.granted === true);
      }
    } catch {
      // A journal that cannot be read is told by the status; the picture begins with this run.
    }
  }

  #count(wallMs: number, granted: boolean): void {
    const hour = Math.floor(wallMs / HOUR_MS);
    const counts = this.#hours.get(hour) ?? { granted: 0, refused: 0 };
    counts[granted ? "granted" : "refused"] += 1;
    this.#hours.set(hour, counts);
    keepNewest(this.#hours, HOURS + 1);
  }
}

function inOrder<Value>(map: ReadonlyMap<number, Value>): [number, Value][] {
  return [...map].sort(([a], [b]) => a - b);
}

function keepNewest(map: Map<number, unknown>, countMax: number): void {
  while (map.size > countMax) map.delete(Math.min(...map.keys()));
}
