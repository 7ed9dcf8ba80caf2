/**
 * Metrics for Prometheus (CONTRACT 8). On the way of a tap a number is raised and a sample put by; everything else happens when
 * somebody asks. prom-client is loaded then: a gate that nobody asks spares its 11 MB.
 */
import type { RelayEvents } from "../../drivers/driver.ts";
import type { Clock, Files } from "../../drivers/ports.ts";
import type { TapView } from "../gate/gateway.ts";
import { REASONS, type Reason } from "../gate/reasons.ts";
import { readEntries } from "../journal/journal-reader.ts";
import { type Look, METRICS, type MetricRow } from "./metrics-table.ts";
import type { Status } from "./status.ts";

/** Between two scrapes, or before the first; taps beyond it are counted and not measured. */
const SAMPLES_MAX = 10_000;
/** A relay that has not moved by then does so for another tap. */
const WAIT_MS_MAX = 10_000;
/** From a relay at hand to a disk that takes its time: a sync counts as failed after 1 s. */
const BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];

export interface MetricsWorld {
  clock: Clock;
  files: Files;
  /** The journal's directory. */
  journalDir: string;
  status(): Status;
  /** A tap's relay took the command so much later. */
  measured(seconds: number): void;
}

export interface Exposition {
  contentType: string;
  text: string;
}

type Page = { fill(look: Look, samples: readonly LatencySample[]): void; text(): Promise<Exposition> };

interface LatencySample {
  accessPoint: string;
  seconds: number;
}

export class Metrics {
  readonly #world: MetricsWorld;
  readonly #startedMs: number;
  readonly #decisions = new Map<string, Map<Reason, number>>();
  /** By access point: when the tap was presented that its relay is about to move for. */
  readonly #waiting = new Map<string, number>();
  #samples: LatencySample[] = [];
  #page: Promise<Page> | null = null;
  #oldest: { seq: number; timeMs: number } | null = null;

  /** `accessPoints`: told from the start, so that the first refusal is a rise and not a beginning. */
  constructor(accessPoints: readonly string[], world: MetricsWorld) {
    this.#world = world;
    this.#startedMs = world.clock.wallMs();
    for (const id of accessPoints) this.#decisions.set(id, new Map(REASONS.map((reason) => [reason, 0])));
  }

  /** Returns at once. */
  tapped({ accessPoint, decision, monotonicMs }: TapView): void {
    const counts = this.#decisions.get(accessPoint);
    counts?.set(decision.reason, (counts.get(decision.reason) ?? 0) + 1);
    if (!decision.granted) return;
    const firstMs = this.#waiting.get(accessPoint);
    // A second grant before the relay has moved rides on the first one's pulse.
    if (firstMs === undefined || monotonicMs - firstMs > WAIT_MS_MAX)
      this.#waiting.set(accessPoint, monotonicMs);
  }

  /** The same events, looked at on their way; the house hears of them first. */
  watchRelay(accessPoint: string, events: RelayEvents): RelayEvents {
    return {
      ...events,
      energised: () => {
        const nowMs = this.#world.clock.monotonicMs();
        events.energised();
        const tappedMs = this.#waiting.get(accessPoint);
        if (tappedMs === undefined) return;
        const seconds = (nowMs - tappedMs) / 1_000;
        this.#world.measured(seconds);
        if (this.#samples.length < SAMPLES_MAX) this.#samples.push({ accessPoint, seconds });
      },
      released: () => {
        this.#waiting.delete(accessPoint);
        events.released();
      },
      failed: (why) => {
        this.#waiting.delete(accessPoint);
        events.failed(why);
      },
    };
  }

  /** Prometheus' text format. One at a time: the caller sees to that. */
  async render(): Promise<Exposition> {
    this.#page ??= openPage();
    const page = await this.#page;
    const look = await this.#look();
    page.fill(look, this.#samples.splice(0));
    return page.text();
  }

  async #look(): Promise<Look> {
    const { clock, status } = this.#world;
    const now = status();
    const { user, system } = process.cpuUsage();
    return {
      status: now,
      nowMs: clock.wallMs(),
      oldestUnsentMs: await this.#oldestUnsentMs(now),
      decisions: [...this.#decisions].flatMap(([accessPoint, counts]) =>
        [...counts].map(([reason, count]) => ({ accessPoint, reason, count })),
      ),
      process: {
        cpuSeconds: (user + system) / 1_000_000,
        residentBytes: process.memoryUsage.rss(),
        startedMs: this.#startedMs,
        node: process.version,
      },
    };
  }

  /** Read from the journal only when another event has become the first. */
  async #oldestUnsentMs({ outbox, journal }: Status): Promise<number | null> {
    const seq = outbox.acknowledgedSeq + 1;
    if (outbox.unsent === 0 || seq > journal.headSeq) return null;
    if (this.#oldest?.seq === seq) return this.#oldest.timeMs;
    const { files, journalDir } = this.#world;
    try {
      for await (const { line } of readEntries(files, journalDir, seq, journal.headSeq)) {
        this.#oldest = { seq, timeMs: Date.parse(line.time) };
        return this.#oldest.timeMs;
      }
    } catch {
      // A journal that cannot be read is told by `grindvakt_journal_writable`.
    }
    return null;
  }
}

async function openPage(): Promise<Page> {
  const { Counter, Gauge, Histogram, Registry } = await import("prom-client");
  const registry = new Registry();
  const registers = [registry];
  const make = ({ name, help, kind, labels }: MetricRow) => {
    const options = { name, help, labelNames: [...labels], registers };
    return kind === "gauge" ? new Gauge(options) : new Counter(options);
  };
  const rows = METRICS.map((row) => ({ row, metric: make(row) }));
  const latency = new Histogram({
    name: "grindvakt_tap_to_relay_seconds",
    help: "From the tap's first byte to the relay's having taken the command.",
    labelNames: ["access_point"],
    buckets: BUCKETS_SECONDS,
    registers,
  });
  return {
    fill(look, samples) {
      for (const { row, metric } of rows) {
        const values = row.samples(look);
        metric.reset();
        // Without labels it would be back at 0, which is not the same as not known.
        if (values.length === 0) metric.remove({});
        for (const [labels, value] of values) metric.inc(labels, value);
      }
      for (const { accessPoint, seconds } of samples) latency.observe({ access_point: accessPoint }, seconds);
    },
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
