/** The questions of docs/hundred-gates.md over many events: they are answered from indexes, and what they took is printed. */
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Postgres } from "../peers/postgres.ts";
import { startDatabase } from "./consumer.ts";
import { PaperGate } from "./paper-gate.ts";

/** `EVENTS=1000000` is ten days of a hundred gates, and took three minutes. */
const EVENTS = Number(process.env.EVENTS ?? 200_000);
const GATES = 100;
const DAYS = 10;

// Of each gate a tap and what its relay did, in turn, spread over the days: 200 people, in and out.
const FILL = `insert into event (id, gateway, site, kind, seq, chain, at, trusted, boot, uptime_ms, what, access_point, direction, card,
  granted, reason, workplace, tap, moves, takes_back, received, body)
select gateway || '/' || seq, gateway, 'site-' || gate / 2, case when is_tap then 'tap' else 'passage' end, seq,
  encode(sha256((gateway || seq)::bytea), 'hex'), at, true, 'boot', seq, case when not is_tap then 'opened' end, 'in',
  case when is_tap then case when seq % 4 = 1 then 'entry' else 'exit' end end,
  case when is_tap then 'BB-26' || lpad((gate % 100)::text, 2, '0') || '-' || lpad((seq / 4 % 200)::text, 6, '0') end,
  is_tap, case when is_tap then 'granted' end, '8112345678', case when not is_tap then gateway || '/' || seq - 1 end, is_tap, false, at, $1
from (
  select seq, gate, 'gate-' || gate as gateway, seq % 2 = 1 as is_tap,
    now() - (${EVENTS / GATES} - seq) * interval '${(DAYS * 86_400) / (EVENTS / GATES)} seconds' as at
  from generate_series(1, ${EVENTS / GATES}) seq, generate_series(1, ${GATES}) gate) made
order by at`;

const QUESTIONS = [
  "select * from on_site where site = 'site-7'",
  "select * from on_site",
  "select * from on_site_at(now() - interval '3 days') where site = 'site-7'",
  "select * from ledger(current_date - 4, current_date - 4) where site = 'site-7'",
  "select * from ledger(current_date - 4, current_date - 4)",
  "select * from missing",
  "select * from fleet",
  "select * from tap where card = 'BB-2607-000017'",
];

let postgres: Postgres;
let owner: pg.Client;
let reader: pg.Client;
beforeAll(async () => {
  ({ postgres, owner, reader } = await startDatabase());
  const gate = new PaperGate("gate-07", "slussen");
  const more = {
    workplaceId: "8112345678",
    reader: "north-in-1",
    list: { revision: 120, ageSeconds: 35, freshness: "fresh" },
  };
  const tap = { ...more, credential: { kind: "number", assurance: "number" } };
  const { payload } = gate.write(gate.tap("BB-2611-000001", "entry", new Date().toISOString(), tap));
  await owner.query(FILL, [payload]);
  await owner.query(
    "insert into gateway (gateway, site, state, whole_to) select gateway, min(site), 'online', max(seq) from event group by gateway",
  );
  await owner.query("vacuum analyze");
});
afterAll(() => postgres?.dispose());

test("every question is answered without reading all events", async () => {
  const size = "select (pg_total_relation_size('event') / count(*))::int as bytes from event";
  console.log(
    `${EVENTS} events of ${(await owner.query(size)).rows[0].bytes} bytes each, with their indexes`,
  );
  for (const question of QUESTIONS) {
    const { rows } = await reader.query(`explain (analyze, costs off) ${question}`);
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
    console.log(`${question}: ${/Execution Time: .*/.exec(plan)?.[0]}`);
    expect(plan).not.toContain("Seq Scan on event");
  }
});
