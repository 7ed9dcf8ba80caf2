/**
 * What the gateway tells Prometheus, one row a metric: its name, what it means, and its values from one look at the gate.
 * Names and units follow Prometheus' conventions; no label ever holds a card or a chip.
 */
import type { Reason } from "../gate/reasons.ts";
import { ailment, type Status } from "./status.ts";

/** One look. Ages are null where they are not known. */
export interface Look {
  status: Status;
  nowMs: number;
  /** By the event's own time; null where every event has been acknowledged. */
  oldestUnsentMs: number | null;
  decisions: readonly { accessPoint: string; reason: Reason; count: number }[];
  process: { cpuSeconds: number; residentBytes: number; startedMs: number; node: string };
}

export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export interface MetricRow {
  name: string;
  help: string;
  kind: "gauge" | "counter";
  labels: readonly string[];
  samples(look: Look): readonly Sample[];
}

export const METRICS: readonly MetricRow[] = [
  gauge(
    "grindvakt_build_info",
    "Always 1: which version runs.",
    ["version", "node"],
    ({ status, process }) => [[{ version: status.version, node: process.node }, 1]],
  ),
  plain("grindvakt_healthy", "Whether the gate can do its work, as /healthz has it.", ({ status }) =>
    bit(ailment(status) === null),
  ),
  plain("grindvakt_clock_trusted", "Whether the machine's time has been synchronised.", ({ status }) =>
    bit(status.clockTrusted),
  ),
  counter(
    "grindvakt_decisions_total",
    "Taps decided, by access point and reason.",
    ["access_point", "reason"],
    ({ decisions }) =>
      decisions.map(({ accessPoint, reason, count }) => [{ access_point: accessPoint, reason }, count]),
  ),
  // ---------------------------------------------------------------- the list
  plain(
    "grindvakt_list_revision",
    "The revision of the card list in force.",
    ({ status }) => status.list.revision,
  ),
  plain("grindvakt_list_cards", "Cards on the list in force.", ({ status }) => status.list.cards),
  plain(
    "grindvakt_list_age_seconds",
    "Time since the feed last verified; absent while that is not known.",
    ({ status, nowMs }) => ageSeconds(status.list.refreshedAt, nowMs),
  ),
  gauge("grindvakt_list_freshness", "1 for the freshness that the list has.", ["freshness"], ({ status }) =>
    (["fresh", "late", "stale"] as const).map((freshness) => [
      { freshness },
      bit(status.list.freshness === freshness),
    ]),
  ),
  gauge(
    "grindvakt_site_list_cards",
    "Cards that the site itself blocks or allows.",
    ["rule"],
    ({ status }) => [
      [{ rule: "blocked" }, status.siteList.blocked],
      [{ rule: "allowed" }, status.siteList.allowed],
    ],
  ),
  gauge(
    "grindvakt_presence_cards",
    "Cards that came in and have not left: on site, or overdue.",
    ["state"],
    ({ status }) => [
      [{ state: "on-site" }, status.presence.onSite],
      [{ state: "overdue" }, status.presence.overdue],
    ],
  ),
  // ---------------------------------------------------------------- devices
  gauge("grindvakt_reader_up", "Whether the reader is there.", ["reader"], ({ status }) =>
    Object.entries(status.readers).map(([reader, { state }]) => [{ reader }, bit(state === "up")]),
  ),
  readerCounter("grindvakt_reader_taps_total", "Presentations that gave a credential.", "taps"),
  readerCounter("grindvakt_reader_misreads_total", "Presentations that gave none.", "misreads"),
  readerCounter("grindvakt_reader_early_removals_total", "Cards taken away too early.", "earlyRemovals"),
  readerCounter(
    "grindvakt_reader_dropped_total",
    "Readings refused because too many were waiting.",
    "dropped",
  ),
  gauge("grindvakt_relay_up", "Whether the relay is there.", ["access_point"], ({ status }) =>
    Object.entries(status.relays).map(([id, { state }]) => [{ access_point: id }, bit(state === "up")]),
  ),
  // ---------------------------------------------------------------- journal and broker
  gauge(
    "grindvakt_broker_up",
    "Whether the broker is connected; absent where none is configured.",
    [],
    ({ status }) => (status.broker.state === "none" ? [] : [[{}, bit(status.broker.state === "up")]]),
  ),
  plain(
    "grindvakt_outbox_unsent_events",
    "Events that no broker has acknowledged.",
    ({ status }) => status.outbox.unsent,
  ),
  plain(
    "grindvakt_outbox_oldest_unsent_age_seconds",
    "Age of the first event that no broker has acknowledged; 0 where there is none.",
    ({ oldestUnsentMs, nowMs }) =>
      oldestUnsentMs === null ? 0 : Math.max(0, (nowMs - oldestUnsentMs) / 1_000),
  ),
  plain("grindvakt_outbox_refused", "Whether the broker refuses the first of them.", ({ status }) =>
    bit(status.outbox.refused !== null),
  ),
  counter("grindvakt_journal_events_total", "Events ever journaled: the last sequence.", [], ({ status }) => [
    [{}, status.journal.headSeq],
  ]),
  plain(
    "grindvakt_journal_size_bytes",
    "What the journal takes of the disk.",
    ({ status }) => status.journal.bytes,
  ),
  plain("grindvakt_journal_limit_bytes", "The most it may take.", ({ status }) => status.journal.maxBytes),
  plain("grindvakt_journal_writable", "Whether the journal can be written.", ({ status }) =>
    bit(status.journal.state === "well"),
  ),
  // ---------------------------------------------------------------- the process
  counter("process_cpu_seconds_total", "Processor time used, user and system.", [], ({ process }) => [
    [{}, process.cpuSeconds],
  ]),
  plain("process_resident_memory_bytes", "Resident memory.", ({ process }) => process.residentBytes),
  plain(
    "process_start_time_seconds",
    "When the process started, since 1970.",
    ({ process }) => process.startedMs / 1_000,
  ),
];

function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  samples: MetricRow["samples"],
): MetricRow {
  return { name, help, kind: "gauge", labels, samples };
}

function counter(
  name: string,
  help: string,
  labels: readonly string[],
  samples: MetricRow["samples"],
): MetricRow {
  return { name, help, kind: "counter", labels, samples };
}

/** One value without labels, or none. */
function plain(name: string, help: string, value: (look: Look) => number | null): MetricRow {
  return gauge(name, help, [], (look) => {
    const one = value(look);
    return one === null ? [] : [[{}, one]];
  });
}

function readerCounter(
  name: string,
  help: string,
  field: "taps" | "misreads" | "earlyRemovals" | "dropped",
): MetricRow {
  return counter(name, help, ["reader"], ({ status }) =>
    Object.entries(status.readers).map(([reader, state]) => [{ reader }, state[field]]),
  );
}

function bit(is: boolean): number {
  return is ? 1 : 0;
}

function ageSeconds(since: string | null, nowMs: number): number | null {
  return since === null ? null : Math.max(0, (nowMs - Date.parse(since)) / 1_000);
}
