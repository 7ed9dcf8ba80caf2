/** The example's consumer between a real mosquitto and a real PostgreSQL, with events of gateways on paper. */
import mqtt, { type MqttClient } from "mqtt";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../e2e/site.ts";
import { type Mosquitto, startMosquitto } from "../peers/mosquitto.ts";
import type { Postgres } from "../peers/postgres.ts";
import { type Consumer, endConsumers, startConsumer, startDatabase, verify } from "./consumer.ts";
import { type Paper, PaperGate, publish } from "./paper-gate.ts";

const TAPS = 1_000;
const KILLS = 5;
const NOON = Date.parse("2026-11-23T11:00:00Z");

let broker: Mosquitto;
let postgres: Postgres;
let owner: pg.Client;
let reader: pg.Client;
let consumer: Consumer;
let gates: MqttClient;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  broker = await startMosquitto({ persistence: true });
  ({ postgres, owner, reader } = await startDatabase());
  env = { ...postgres.env("grindvakt_consumer"), MQTT_URL: broker.url, GAP_SECONDS: "1" };
  consumer = startConsumer(env);
  await consumer.said("the broker is here");
  gates = await mqtt.connectAsync(broker.url, { protocolVersion: 5 });
});
afterAll(async () => {
  await gates?.endAsync();
  await endConsumers();
  await postgres?.dispose();
  await broker?.dispose();
});

const count = async (where: string): Promise<number> => {
  const { rows } = await reader.query<{ count: number }>(`select count(*)::int as count from ${where}`);
  return rows[0]!.count;
};
const counted = (where: string, enough: number) =>
  until(`${enough} of ${where}`, async () => ((await count(where)) >= enough ? enough : null), 60_000);
const card = (n: number): string => `BB-2611-${String(n).padStart(6, "0")}`;
const at = (minutes: number): string => new Date(NOON + minutes * 60_000).toISOString();

test("killed again and again, and with its database away, it keeps each event once", async () => {
  const gate = new PaperGate("gate-01", "slussen");
  const papers = Array.from({ length: TAPS }, (_, n) =>
    gate.write(gate.tap(card(n), "entry", at(0)), { joins: n % 3 === 1 }),
  );
  const startedMs = performance.now();
  const sent = publish(gates, papers);
  for (let kill = 0; kill < KILLS; kill += 1) {
    await counted("event where gateway = 'gate-01'", Math.floor(((kill + 1) * TAPS) / (KILLS + 3)));
    await consumer.kill9();
    consumer = startConsumer(env);
  }
  await postgres.kill();
  await postgres.start();
  owner = await postgres.connect("owner");
  reader = await postgres.connect("grindvakt_reader");
  await sent;
  // Everything once more, as after a broker's restart.
  await publish(gates, papers);
  await counted("event where gateway = 'gate-01'", TAPS);
  const last = new PaperGate("gate-02", "slussen");
  await publish(gates, [last.write(last.tap(card(0), "entry", at(1)))]);
  await counted("event where gateway = 'gate-02'", 1);
  console.log(
    `${TAPS} events sent twice, ${KILLS} kills, one of the database: ${Math.round(performance.now() - startedMs)} ms`,
  );
  const { rows } = await owner.query(
    "select body::text as text from event where gateway = 'gate-01' order by seq",
  );
  expect(rows.map(({ text }) => text)).toEqual(papers.map(({ payload }) => payload));
  expect(await count("refused")).toBe(0);
  expect(await count("missing")).toBe(0);
});

test("what is no event of its gateway's is put aside, once, and holds up nothing", async () => {
  const [gate, second] = [
    new PaperGate("gate-03", "slussen"),
    new PaperGate("gate-03", "slussen", "another-journal"),
  ];
  const good = gate.write(gate.tap(card(1), "entry", at(0)));
  const deep = "[".repeat(60_000) + "]".repeat(60_000);
  const others: Paper[] = [
    { ...good, topic: "grindvakt/slussen/gate-04/tap" },
    { ...good, topic: "grindvakt/danderyd/gate-03/tap" },
    { ...good, topic: "grindvakt/slussen/gate-03/passage" },
    { topic: good.topic, payload: "no JSON" },
    { topic: good.topic, payload: good.payload.replace('"seq":1', '"seq":-1') },
    { topic: good.topic, payload: good.payload.replace("2026-11-23", "2026-19-23") },
    // More than PostgreSQL reads, and not more than JavaScript does.
    { topic: good.topic, payload: good.payload.replace('"data":{', `"data":{"deep":${deep},`) },
    { topic: "grindvakt/slussen/gate-03/state", payload: `{"state":"offline","deep":${deep}}` },
    // A second journal under one name: what it says must not vanish as "known".
    second.write(second.tap(card(2), "entry", at(0))),
  ];
  await publish(gates, [good, ...others, good, ...others]);
  const after = gate.write(gate.tap(card(3), "entry", at(0), { step: "a\u0000b\ud800" }));
  await publish(gates, [after]);
  await counted("event where gateway = 'gate-03'", 2);
  const { rows } = await reader.query("select gateway, why, times::int from refused order by received");
  expect(rows).toEqual([
    { gateway: "gate-04", why: "its source does not fit its topic", times: 2 },
    { gateway: "gate-03", why: "its source does not fit its topic", times: 2 },
    { gateway: "gate-03", why: "its type does not fit its topic", times: 2 },
    { gateway: "gate-03", why: "is no JSON object", times: 2 },
    { gateway: "gate-03", why: "it has no sequence, or no hash", times: 2 },
    { gateway: "gate-03", why: "it says no time", times: 2 },
    { gateway: "gate-03", why: "PostgreSQL does not take it: stack depth limit exceeded", times: 2 },
    { gateway: "gate-03", why: "PostgreSQL does not take it: stack depth limit exceeded", times: 2 },
    { gateway: "gate-03", why: expect.stringMatching(/^another event than .* gate-03\/1: /), times: 2 },
  ]);
  const { rows: kept } = await owner.query(
    "select body::text as text from event where gateway = 'gate-03' order by seq",
  );
  expect(kept.map(({ text }) => text)).toEqual([good.payload, after.payload]);
});

test("an event that the gateway could not write is there at once, and then as it was written", async () => {
  const gate = new PaperGate("gate-05", "slussen");
  const draft = gate.tap(card(1), "entry", at(0));
  const id = "gate-05/boot/1";
  const early = gate.volatile(id, draft);
  await publish(gates, [early]);
  await counted("event where gateway = 'gate-05' and seq is null", 1);
  const written = gate.write(draft, { id });
  await publish(gates, [written, early, written]);
  await counted("event where gateway = 'gate-05' and seq = 1", 1);
  expect(await count("event where gateway = 'gate-05'")).toBe(1);
  expect(await count("refused where gateway = 'gate-05'")).toBe(0);
});

test("what the database holds is proven, event by event, to be what the gateways wrote", async () => {
  const database = postgres.env("grindvakt_reader");
  const gate = new PaperGate("gate-06", "slussen");
  const papers = [false, true, true, false, true, false].map((joins, n) =>
    gate.write(gate.tap(card(n), "entry", at(n)), { joins, ...(n === 2 ? { id: "gate-06/boot/7" } : {}) }),
  );
  await publish(gates, papers);
  await counted("event where gateway = 'gate-06'", papers.length);
  const whole = await verify(database, "gate-01", "gate-03", "gate-05", "gate-06");
  expect(whole.stdout.replace(/, 1 to .*/g, "")).toBe(
    `gate-01: ${TAPS} events, whole\ngate-03: 2 events, whole\ngate-05: 1 events, whole\ngate-06: 6 events, whole\n`,
  );
  expect(whole.code).toBe(0);
  const change = "update event set body = replace(body::text, $1, $2)::json where id = $3";
  await owner.query(change, [card(3), card(4), "gate-06/4"]);
  expect(await verify(database, "gate-06")).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /^gate-06: 6 events, 1 to 6, the last with [0-9a-f]{64}\ngate-06: 4 is not the line[^\n]*\n$/,
    ),
  });
  await owner.query(change, [card(4), card(3), "gate-06/4"]);
  await owner.query("delete from event where id = 'gate-06/2'");
  const missing = (await verify(database, "gate-06")).stdout;
  expect(missing.split("\n").slice(1)).toEqual(["gate-06: 2 to 2 are missing", ""]);
  expect((await verify(database, "gate-99")).code).toBe(1);
});

test("who is on site follows from what came, however late and in whatever order it came", async () => {
  const dawn = Date.now() - 6 * 3_600_000;
  const hours = (n: number): string => new Date(dawn + n * 3_600_000).toISOString();
  const [north, south] = [new PaperGate("gate-21", "nacka"), new PaperGate("gate-22", "nacka")];
  const elsewhere = new PaperGate("gate-23", "solna");
  const unset = { clock: { trusted: false, uptimeMs: 60_000 } };
  const manual = { manual: true, accessPoint: "in", why: "said", who: { by: "command", name: "anna" } };
  const papers: Paper[] = [
    // 1: in by the one gate, out by the other.
    north.write(north.tap(card(1), "entry", hours(0))),
    south.write(south.tap(card(1), "exit", hours(1))),
    // 2: in, and another site has nothing to say of it.
    north.write(north.tap(card(2), "entry", hours(0))),
    elsewhere.write(elsewhere.tap(card(2), "exit", hours(1))),
    // 3: let in, and did not go through; 4: let out, and did not, so is still there; 5: the relay failed before it opened.
    north.write(north.tap(card(3), "entry", hours(0))),
    north.write(north.passage("not-passed", hours(0), { tap: "gate-21/3" })),
    north.write(north.tap(card(4), "entry", hours(0))),
    north.write(north.tap(card(4), "exit", hours(1))),
    north.write(north.passage("not-passed", hours(1), { tap: "gate-21/6" })),
    north.write(north.tap(card(5), "entry", hours(0))),
    north.write(north.passage("failed", hours(0), { tap: "gate-21/8", heldMs: 0 })),
    // 6: refused.
    north.write(north.tap(card(6), "entry", hours(0), { granted: false, reason: "blocked" })),
    // 7: forgot to tap out, and said so, a time before a later tap in; 8: said only; 9: said after all.
    north.write(north.tap(card(7), "entry", hours(3))),
    south.write(
      south.passage("left", hours(4), { ...manual, direction: "exit", card: card(7), when: hours(2) }),
    ),
    south.write(
      south.passage("entered", hours(4), { ...manual, direction: "entry", card: card(8), when: hours(2) }),
    ),
    north.write(north.tap(card(9), "entry", hours(0))),
    south.write(
      south.passage("left", hours(4), { ...manual, direction: "exit", card: card(9), when: hours(3) }),
    ),
    // 10: came in thirteen hours ago; 11: eight days ago.
    north.write(north.tap(card(10), "entry", hours(-7))),
    north.write(north.tap(card(11), "entry", hours(-8 * 24))),
  ];
  // 12: in by the set clock at two, out before by a clock of 1970 that was found, later, to have meant one.
  const reset = new PaperGate("gate-24", "nacka", "a run that began in 1970");
  papers.push(north.write(north.tap(card(12), "entry", hours(2))));
  papers.push(reset.write(reset.tap(card(12), "exit", "1970-01-01T00:01:00Z", unset)));
  const set = reset.write(
    reset.draft("gateway", hours(1.5), { event: "clock-trusted", clock: { uptimeMs: 60_000 + 1_800_000 } }),
  );
  await publish(gates, papers);
  await counted("event where site in ('nacka', 'solna')", papers.length);
  const people = async () =>
    (
      await reader.query(
        "select site, card, overdue, by_hand from on_site where site in ('nacka', 'solna') order by card",
      )
    ).rows;
  const there = (n: number, more: object = {}) => ({
    site: "nacka",
    card: card(n),
    overdue: false,
    by_hand: false,
    ...more,
  });
  const known = [there(2), there(4), there(7), there(8, { by_hand: true }), there(10, { overdue: true })];
  // Until it says when that was, the exit was before it came: after everything else.
  expect(await people()).toEqual(known);
  await publish(gates, [set]);
  await counted("event where gateway = 'gate-24'", 2);
  expect(await people()).toEqual([...known, there(12)]);
  const { rows: earlier } = await reader.query(
    "select card from on_site_at($1) where site = 'nacka' order by card",
    [hours(0.5)],
  );
  expect(earlier.map(({ card }) => card)).toEqual([2, 4, 1, 9, 10].sort((a, b) => a - b).map(card));
});
