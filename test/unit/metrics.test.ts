/** What Prometheus is told: the right numbers, no cards, and files of ours that Prometheus' own tool takes. */
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import type { TapView } from "../../daemon/gate/gateway.ts";
import { REASONS, type Reason } from "../../daemon/gate/reasons.ts";
import { Metrics } from "../../daemon/report/metrics.ts";
import { METRICS } from "../../daemon/report/metrics-table.ts";
import type { Status } from "../../daemon/report/status.ts";
import type { RelayEvents } from "../../drivers/driver.ts";
import type { Files } from "../../drivers/ports.ts";
import { CARD, wellStatus } from "../e2e/console-house.ts";
import { SimClock } from "../sim/clock.ts";

const run = promisify(execFile);
/** `test/setup/packages.sh` brings it where it is not installed. */
const env = { ...process.env, PATH: `${process.env.PATH}${delimiter}${resolve(".tools")}` };

/** A journal whose only line is `seq`, of 06:00; `reads` counts how often it was looked for. */
function journalWith(seq: number): { files: Files; reads: { count: number } } {
  const reads = { count: 0 };
  const line = { seq, prev: "0", batch: seq, type: "grindvakt.tap.v1", subject: "north-in", data: {} };
  const bytes = Buffer.from(`${JSON.stringify({ ...line, time: "2026-11-22T06:00:00.000Z" })}\n`);
  const file = {
    read: async (offset: number, lengthBytes: number) => bytes.subarray(offset, offset + lengthBytes),
    close: async () => {},
  };
  const files = {
    names: async () => [`${String(seq).padStart(16, "0")}.ndjson`],
    open: async () => {
      reads.count += 1;
      return file;
    },
  };
  return { files: files as unknown as Files, reads };
}

function makeMetrics(status: () => Status = wellStatus) {
  const clock = new SimClock({ wallMs: Date.parse("2026-11-22T07:00:00.000Z") });
  const { files, reads } = journalWith(121);
  const measured: number[] = [];
  const metrics = new Metrics(["north-in", "south-in"], {
    clock,
    files,
    journalDir: "/journal",
    status,
    measured: (seconds) => measured.push(seconds),
  });
  const values = async () => valuesIn((await metrics.render()).text);
  return { clock, metrics, reads, values, measured };
}

function valuesIn(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

function tap(reason: Reason, monotonicMs = 0): TapView {
  const decision = { granted: reason === "granted", reason, card: CARD, passbackViolated: false };
  return { accessPoint: "north-in", reader: "north-in-1", time: "", monotonicMs, decision };
}

const RELAY: RelayEvents = {
  energised: () => undefined,
  released: () => undefined,
  failed: () => undefined,
  up: () => undefined,
  down: () => undefined,
};

test("every decision is counted by access point and reason, from nought", async () => {
  const { metrics, values } = makeMetrics();
  const key = (reason: string, accessPoint = "north-in") =>
    `grindvakt_decisions_total{access_point="${accessPoint}",reason="${reason}"}`;
  const before = await values();
  for (const reason of REASONS) expect(before.get(key(reason, "south-in"))).toBe(0);
  for (const reason of ["granted", "blocked", "blocked"] as const) metrics.tapped(tap(reason));
  for (let scrape = 0; scrape < 2; scrape += 1) {
    const now = await values();
    expect([now.get(key("granted")), now.get(key("blocked")), now.get(key("unknown"))]).toEqual([1, 2, 0]);
  }
});

test("the time from a tap to its relay is measured once a pulse, and not where somebody asked to go out", async () => {
  const { clock, metrics, values, measured } = makeMetrics();
  const relay = metrics.watchRelay("north-in", RELAY);
  metrics.tapped(tap("blocked", clock.monotonicMs()));
  relay.energised();
  relay.released();
  metrics.tapped(tap("granted", clock.monotonicMs()));
  await clock.advance(15);
  metrics.tapped(tap("granted", clock.monotonicMs()));
  await clock.advance(15);
  relay.energised();
  metrics.tapped(tap("granted", clock.monotonicMs()));
  relay.released();
  relay.energised();
  relay.failed("stuck");
  const now = await values();
  const name = (part: string, more = "") =>
    `grindvakt_tap_to_relay_seconds_${part}{${more}access_point="north-in"}`;
  expect(now.get(name("count"))).toBe(1);
  expect(now.get(name("sum"))).toBeCloseTo(0.03);
  expect([now.get(name("bucket", 'le="0.02",')), now.get(name("bucket", 'le="0.05",'))]).toEqual([0, 1]);
  // For whoever draws it, too.
  expect(measured).toEqual([0.03]);
});

test("a grant whose relay never moved is not taken for the next one's", async () => {
  const { clock, metrics, values } = makeMetrics();
  const relay = metrics.watchRelay("north-in", RELAY);
  metrics.tapped(tap("granted", clock.monotonicMs()));
  await clock.advance(60_000);
  metrics.tapped(tap("granted", clock.monotonicMs()));
  await clock.advance(4);
  relay.energised();
  expect((await values()).get('grindvakt_tap_to_relay_seconds_sum{access_point="north-in"}')).toBeCloseTo(
    0.004,
  );
});

test("the house hears of its relay whatever is measured", () => {
  const heard: string[] = [];
  const { metrics } = makeMetrics();
  const relay = metrics.watchRelay("north-in", {
    energised: () => heard.push("energised"),
    released: () => heard.push("released"),
    failed: (why) => heard.push(why),
    up: () => heard.push("up"),
    down: (why) => heard.push(why),
  });
  relay.up({});
  relay.energised();
  relay.released();
  relay.failed("stuck");
  relay.down("gone");
  expect(heard).toEqual(["up", "energised", "released", "stuck", "gone"]);
});

test("samples that nobody asks for are bounded, and counting goes on", async () => {
  const { metrics, values } = makeMetrics();
  const relay = metrics.watchRelay("north-in", RELAY);
  for (let count = 0; count < 10_050; count += 1) {
    metrics.tapped(tap("granted"));
    relay.energised();
    relay.released();
  }
  const now = await values();
  expect(now.get('grindvakt_tap_to_relay_seconds_count{access_point="north-in"}')).toBe(10_000);
  expect(now.get('grindvakt_decisions_total{access_point="north-in",reason="granted"}')).toBe(10_050);
});

test("the state of the gate is told, and what is not known is left out", async () => {
  let status = wellStatus();
  const { values } = makeMetrics(() => status);
  const well = await values();
  expect(Object.fromEntries(well)).toMatchObject({
    grindvakt_healthy: 1,
    grindvakt_clock_trusted: 1,
    grindvakt_list_revision: 120,
    grindvakt_list_cards: 1_000,
    'grindvakt_list_freshness{freshness="fresh"}': 1,
    'grindvakt_list_freshness{freshness="stale"}': 0,
    'grindvakt_reader_up{reader="north-in-1"}': 1,
    'grindvakt_reader_up{reader="office"}': 0,
    'grindvakt_reader_taps_total{reader="office"}': 7,
    'grindvakt_reader_early_removals_total{reader="office"}': 2,
    'grindvakt_relay_up{access_point="north-in"}': 1,
    grindvakt_broker_up: 1,
    grindvakt_outbox_unsent_events: 3,
    grindvakt_outbox_oldest_unsent_age_seconds: 3_600,
    grindvakt_journal_events_total: 123,
    grindvakt_journal_writable: 1,
    'grindvakt_site_list_cards{rule="blocked"}': 2,
    'grindvakt_site_list_cards{rule="allowed"}': 0,
    'grindvakt_presence_cards{state="on-site"}': 41,
    'grindvakt_presence_cards{state="overdue"}': 2,
    'grindvakt_list_freshness{freshness="late"}': 0,
    'grindvakt_reader_misreads_total{reader="office"}': 1,
    'grindvakt_reader_dropped_total{reader="office"}': 0,
    grindvakt_outbox_refused: 0,
    // The alert rules warn from four fifths of the one by the other.
    grindvakt_journal_size_bytes: 4_096,
    grindvakt_journal_limit_bytes: 2 ** 31,
  });
  expect(well.get("grindvakt_list_age_seconds")).toBeCloseTo(107.655);
  status = {
    ...status,
    list: { revision: null, cards: 0, publishedAt: null, refreshedAt: null, freshness: "stale" },
    broker: { state: "none", url: null, protocol: null, why: null },
    journal: { ...status.journal, state: "failed" },
    outbox: { unsent: 1, acknowledgedSeq: 123, refused: "not authorized" },
  };
  const ill = await values();
  for (const absent of ["grindvakt_list_revision", "grindvakt_list_age_seconds", "grindvakt_broker_up"])
    expect(ill.has(absent)).toBe(false);
  expect(Object.fromEntries(ill)).toMatchObject({
    grindvakt_healthy: 0,
    grindvakt_journal_writable: 0,
    grindvakt_outbox_refused: 1,
    // It is in memory only, and the journal does not know its time.
    grindvakt_outbox_oldest_unsent_age_seconds: 0,
  });
});

test("the journal is read for the first unsent event only when another has become the first", async () => {
  const { values, reads } = makeMetrics();
  for (let scrape = 0; scrape < 3; scrape += 1) await values();
  expect(reads.count).toBe(1);
});

test("no card is in it, and Prometheus' own tool has nothing to say against names, units and text", async () => {
  const { metrics } = makeMetrics();
  for (const reason of REASONS) metrics.tapped(tap(reason));
  const { text, contentType } = await metrics.render();
  expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(text).not.toContain(CARD);
  expect(execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8", env })).toBe("");
});

// ---------------------------------------------------------------- what lies in deploy/

test("the alert rules are sound, and go off at the faults they are for", async () => {
  const { stdout } = await run("promtool", ["check", "rules", "deploy/alerts.yaml"], { env });
  expect(stdout).toContain("SUCCESS");
  const tried = await run("promtool", ["test", "rules", "test/fixtures/metrics/alerts.test.yaml"], { env });
  expect(tried.stdout).toContain("SUCCESS");
  await expectKnown(await readFile("deploy/alerts.yaml", "utf8"));
});

test("the dashboard asks only for what there is, in words that Prometheus understands", async () => {
  const text = await readFile("deploy/grafana-dashboard.json", "utf8");
  const { panels } = JSON.parse(text) as { panels: { title: string; targets: { expr: string }[] }[] };
  const asked = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(asked.length).toBeGreaterThan(10);
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-rules-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const rules = asked.map((expr, index) => ({
    record: `dashboard:${index}`,
    expr: expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, "any"),
  }));
  const file = join(dir, "rules.yaml");
  await writeFile(file, stringify({ groups: [{ name: "dashboard", rules }] }));
  const { stdout } = await run("promtool", ["check", "rules", file], { env });
  expect(stdout).toContain(`SUCCESS: ${asked.length} rules found`);
  await expectKnown(text);
});

test("the page of metrics tells of each of them, and of no other", async () => {
  const page = await readFile("docs/metrics.md", "utf8");
  await expectKnown(page);
  for (const { name } of METRICS) expect(page, name).toContain(`\`${name}\``);
  expect(METRICS.every(({ help }) => help.endsWith("."))).toBe(true);
});

/** Names no metric of ours but those that there are. */
async function expectKnown(text: string): Promise<void> {
  const known = new Set(METRICS.map(({ name }) => name));
  for (const part of ["", "_bucket", "_sum", "_count"]) known.add(`grindvakt_tap_to_relay_seconds${part}`);
  const named = new Set(text.match(/\b(grindvakt|process)_[a-z_]+\b/g));
  expect([...named].filter((name) => !known.has(name))).toEqual([]);
}
