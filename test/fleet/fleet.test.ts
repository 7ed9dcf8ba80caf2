/**
 * Ten gates and their centre as docs/hundred-gates.md sets them up: everything that can be killed is, and the database has every event
 * of every journal once. Then an eleventh gate, by one command.
 */
import { createHash } from "node:crypto";
import { cp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import mqtt from "mqtt";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../e2e/site.ts";
import type { Postgres } from "../peers/postgres.ts";
import { CARDS, type Centre, card, type Gate, makeCentre, succeed } from "./centre.ts";
import { type Consumer, endConsumers, startDatabase, verify } from "./consumer.ts";
import { panelsOf } from "./dashboard.ts";

const GATES = 10;
const GATES_A_SITE = 2;
/** Of each gate, in the worst of times. */
const TAPS = 60;
const CONSUMER_KILLS = 5;
const GATE_KILLS = 3;
const PATIENCE_MS = 120_000;

let centre: Centre;
let postgres: Postgres;
let reader: pg.Client;
let consumer: Consumer;
let gates: Gate[];
beforeAll(async () => {
  [centre, { postgres, reader }] = await Promise.all([makeCentre(), startDatabase()]);
  consumer = centre.consumer(postgres.env("grindvakt_consumer"));
  gates = [];
  for (let n = 0; n < GATES; n += 1)
    gates.push(await centre.addGate(`gate-${String(n + 1).padStart(2, "0")}`, siteOf(n)));
  // Two at a time: a machine with two cores is to start ten.
  for (let n = 0; n < GATES; n += 2) await Promise.all(gates.slice(n, n + 2).map((gate) => gate.start()));
});
afterAll(async () => {
  await endConsumers();
  await centre?.dispose();
  await postgres?.dispose();
});

const siteOf = (n: number): string => `site-${Math.floor(n / GATES_A_SITE) + 1}`;

interface Line {
  id: string;
  seq: number;
  chain: string;
  type: string;
  time: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the journal holds
  data: Record<string, any>;
}

async function journalOf({ dir, name }: Gate): Promise<Line[]> {
  const folder = join(dir, "data", "journal");
  const segments = (await readdir(folder)).filter((file) => file.endsWith(".ndjson")).sort();
  const texts = await Promise.all(segments.map((file) => readFile(join(folder, file), "utf8")));
  return texts
    .flatMap((text) => text.split("\n").slice(0, -1))
    .map((text) => {
      const line = JSON.parse(text) as Omit<Line, "id" | "chain">;
      return { ...line, id: `${name}/${line.seq}`, chain: createHash("sha256").update(text).digest("hex") };
    });
}

async function query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  return (await reader.query<Row>(text, values)).rows;
}

/** Waits until the database has what the journals have, and says how many events that are. */
async function everythingIsThere(): Promise<number> {
  let [written, there]: (number | undefined)[] = [];
  await until(
    () => `${written} events; there are ${there}. ${consumer.log()} ${centre.broker.log}`,
    async () => {
      written = (await Promise.all(gates.map(journalOf))).flat().length;
      there = (await query<{ n: number }>("select count(*)::int as n from event"))[0]?.n;
      return there === written || null;
    },
    PATIENCE_MS,
  );
  return written ?? 0;
}

async function tapAll(gate: Gate, from: number): Promise<void> {
  for (let n = 0; n < TAPS; n += 1) {
    const way = n % 3 === 2 ? "out-1" : "in-1";
    // While it is dead nobody can tap; what it took is in its journal.
    await gate.tap(way, card((from + n * 7) % CARDS)).catch(() => undefined);
    await new Promise((done) => setTimeout(done, 50));
  }
}

test("everything that can be killed is, and each event is in the database once", async () => {
  const startedMs = performance.now();
  const tapping = Promise.all(gates.map((gate, n) => tapAll(gate, n * 31)));
  for (let kill = 0; kill < CONSUMER_KILLS; kill += 1) {
    await consumer.said("the broker is here");
    await consumer.kill9();
    if (kill < GATE_KILLS) {
      await gates[kill * 3]!.end("SIGKILL");
      await gates[kill * 3]!.start();
    }
    if (kill === 1) {
      await centre.broker.end("SIGTERM");
      await centre.broker.start();
    }
    if (kill === 3) {
      // What it had taken and not saved is lost to it, and not to the gates.
      await centre.broker.end("SIGKILL");
      await centre.broker.start();
    }
    consumer = centre.consumer(postgres.env("grindvakt_consumer"));
  }
  await tapping;
  const total = await everythingIsThere();
  const taps = (await query<{ n: number }>("select count(*)::int as n from tap"))[0]!.n;
  console.log(
    `${GATES} gates: ${total} events, ${taps} of them taps, each once; killed: the consumer ${CONSUMER_KILLS} times, the broker once and ` +
      `stopped once, gates ${GATE_KILLS} times; ${Math.round((performance.now() - startedMs) / 1_000)} s`,
  );
  expect(taps).toBeGreaterThan((GATES * TAPS) / 2);
  for (const gate of gates) {
    const journal = await journalOf(gate);
    const rows = await query<{ id: string; seq: string; chain: string }>(
      "select id, seq, chain from event where gateway = $1 order by seq",
      [gate.name],
    );
    expect(rows.map(({ id, seq, chain }) => [id, Number(seq), chain])).toEqual(
      journal.map(({ id, seq, chain }) => [id, seq, chain]),
    );
  }
  expect(await query("select * from missing")).toEqual([]);
  expect(await query("select * from refused")).toEqual([]);
});

test("who is on site is right, over the gates of a site, and with what people say", async () => {
  const gate = gates[0]!;
  await succeed(gate.command("presence", "enter", card(1), "--why", "forgot her card"));
  await succeed(gate.command("presence", "leave", card(2), "--why", "forgot to tap out"));
  await gates[1]!.tap("in-1", card(3));
  await gates[0]!.tap("out-1", card(3));
  await everythingIsThere();
  const last = new Map<string, { site: string; card: string; at: string; direction: string }>();
  for (const { site, lines } of await Promise.all(
    gates.map(async (gate) => ({ site: gate.site, lines: await journalOf(gate) })),
  ))
    for (const { type, time, data } of lines) {
      const isMovement = type === "grindvakt.tap.v1" ? data.granted : data.manual;
      if (isMovement !== true) continue;
      const key = `${site} ${data.card}`;
      const at = data.when ?? time;
      if ((last.get(key)?.at ?? "") <= at)
        last.set(key, { site, card: data.card, at, direction: data.direction });
    }
  const expected = [...last.values()].filter(({ direction }) => direction === "entry");
  const found = await query<{ who: string }>("select site || ' ' || card as who from on_site");
  expect(found.map(({ who }) => who).sort()).toEqual(
    expected.map(({ site, card }) => `${site} ${card}`).sort(),
  );
  expect(found.length).toBeGreaterThan(GATES);
  expect(found).toContainEqual({ who: `site-1 ${card(1)}` });
  expect(found).not.toContainEqual({ who: `site-1 ${card(3)}` });
  console.log(`on site: ${found.length} people at ${GATES / GATES_A_SITE} sites, as the journals have it`);
});

test("the database is proven to be what the gates wrote, and each gate's journal to be what the centre has", async () => {
  await everythingIsThere();
  const proof = await verify(postgres.env("grindvakt_reader"));
  expect(proof.stdout.match(/^gate-\d\d: \d+ events, whole/gm)).toHaveLength(GATES);
  expect(proof.code).toBe(0);
  const gate = gates[0]!;
  const events = await query<{ text: string }>("select body::text as text from event where gateway = $1", [
    gate.name,
  ]);
  const file = join(gate.dir, "centre.ndjson");
  await writeFile(file, events.map(({ text }) => `${text}\n`).join(""));
  const against = await succeed(gate.command("journal", "verify", "--against", file, "--json"));
  expect(JSON.parse(against.stdout)).toMatchObject({
    against: { events: events.length, same: events.length },
  });
});

test("a database put back from an older copy fetches what came since from the gates", async () => {
  const total = await everythingIsThere();
  expect(await consumer.end()).toBe(0);
  const owner = await postgres.connect("owner");
  await owner.query("update gateway set whole_to = least(whole_to, 10)");
  const { rowCount } = await owner.query("delete from event where seq > 10");
  consumer = centre.consumer(postgres.env("grindvakt_consumer"));
  const again = await everythingIsThere();
  // A gateway writes down what it was asked.
  expect(again).toBeGreaterThan(total);
  console.log(`${rowCount} events taken out of the database came again from ${GATES} journals`);
});

test("every panel of the dashboard asks something that the database answers", async () => {
  const sites = [...new Set(gates.map(({ site }) => site))];
  const panels = await panelsOf(sites, new Date(Date.now() - 3_600_000), new Date());
  expect(panels.length).toBeGreaterThan(10);
  const empty = [];
  for (const { title, type, sql } of panels) {
    const rows = await query(sql);
    if (rows.length === 0) empty.push(title);
    if (type === "timeseries") expect(Object.keys(rows[0] ?? {})).toEqual(["time", "metric", "value"]);
  }
  // Nobody was refused so far.
  expect(empty).toEqual(["Refused at the gate"]);
});

test("an eleventh gate takes one command, while everything runs", async () => {
  gates.push(await centre.addGate("gate-11", "site-6"));
  const gate = gates.at(-1)!;
  // Who else has an account on the box reads no key.
  const modes = await Promise.all(
    (await readdir(gate.dir)).map(async (file) => [file, (await stat(join(gate.dir, file))).mode & 0o777]),
  );
  expect(Object.fromEntries(modes)).toEqual({
    "ca.pem": 0o644,
    "gate.key": 0o600,
    "gate.pem": 0o644,
    "grindvakt.yaml": 0o644,
    "root.json": 0o644,
  });
  await gate.start();
  await gate.tap("in-1", card(9));
  const rows = await until("its tap is in the database", async () => {
    const found = await query("select gateway, site, card, reason from tap where gateway = 'gate-11'");
    return found.length > 0 ? found : null;
  });
  expect(rows).toEqual([{ gateway: "gate-11", site: "site-6", card: card(9), reason: "granted" }]);
  expect((await centre.script("add-gate", "gate-11", "--site", "site-6")).stderr).toContain(
    "is there already",
  );
  expect((await centre.script("add-gate", "centre", "--site", "site-6")).stderr).toContain(
    "its rights are another's",
  );
  expect((await centre.script("add-gate", "a;reboot", "--site", "site-6")).code).toBe(2);
});

test("a gate's certificate writes under no other gate's name, and nobody comes in without one", async () => {
  const files = async (folder: string, name: string) => ({
    ca: await readFile(join(folder, "ca.pem")),
    cert: await readFile(join(folder, `${name}.pem`)),
    key: await readFile(join(folder, `${name}.key`)),
    protocolVersion: 5 as const,
    reconnectPeriod: 0,
  });
  const own = await files(gates[0]!.dir, "gate");
  const client = await mqtt.connectAsync(centre.brokerUrl, { ...own, clientId: "somebody" });
  const tap = { qos: 1 as const };
  await expect(client.publishAsync("grindvakt/site-2/gate-03/tap", "{}", tap)).rejects.toThrow(
    "Not authorized",
  );
  await expect(client.publishAsync("grindvakt/site-2/gate-01/tap", "{}", tap)).rejects.toThrow(
    "Not authorized",
  );
  await expect(client.publishAsync("grindvakt/feeds/id06", "{}", tap)).rejects.toThrow("Not authorized");
  await client.publishAsync("grindvakt/site-1/gate-01/gateway", "{}", tap);
  await client.endAsync();
  await until("and what it may say is put aside where it is no event", async () =>
    (await query("select from refused where gateway = 'gate-01'")).length === 1 ? true : null,
  );
  const { cert: _, key: __, ...without } = own;
  await expect(mqtt.connectAsync(centre.brokerUrl, without)).rejects.toThrow();
  // The broker's own certificate is for a server.
  const broker = await files(join(centre.fleet, "broker"), "broker");
  await expect(mqtt.connectAsync(centre.brokerUrl, broker)).rejects.toThrow();
});

test("a block at the centre is in force at every gate", async () => {
  const blocked = card(CARDS - 1);
  const notify = ["--notify", centre.brokerUrl];
  const startedMs = performance.now();
  await succeed(centre.feed("set", join(centre.dir, "lists"), blocked, "blocked", ...notify));
  await Promise.all(
    gates.map(({ daemon }) => daemon.become("revision 2", ({ list }) => list.revision === 2)),
  );
  console.log(
    `a block in force at ${gates.length} gates after ${Math.round(performance.now() - startedMs)} ms`,
  );
  await Promise.all(gates.map((gate) => gate.tap("in-1", blocked)));
  await everythingIsThere();
  const refused = await query(
    "select gateway from tap where card = $1 and reason = 'blocked' order by gateway",
    [blocked],
  );
  expect(refused.map(({ gateway }) => gateway)).toEqual(gates.map(({ name }) => name));
  const lag = await centre.feed("gates", "--broker", centre.brokerUrl, "--json");
  expect(lag).toMatchObject({ code: 0 });
});

test("a gate's certificate is renewed, and a stolen gate is shut out, while everything runs", async () => {
  const gate = gates[1]!;
  const before = await readFile(join(centre.fleet, "gates", gate.name, "gate.pem"), "utf8");
  expect(await centre.script("renew-gate", "--due", "60")).toMatchObject({ code: 0, stdout: "" });
  const due = await centre.script("renew-gate", "--due", "800");
  expect(due.code).toBe(1);
  expect(due.stdout.split("\n").filter((line) => line.includes("/gates/"))).toHaveLength(gates.length);
  await succeed(centre.script("renew-gate", gate.name));
  const after = join(centre.dir, "renewed");
  await cp(join(centre.fleet, "gates", gate.name), after, { recursive: true });
  expect(await readFile(join(after, "gate.pem"), "utf8")).not.toBe(before);
  const credentials = async (dir: string) => ({
    ca: await readFile(join(dir, "ca.pem")),
    cert: await readFile(join(dir, "gate.pem")),
    key: await readFile(join(dir, "gate.key")),
  });
  const say = async (dir: string): Promise<void> => {
    const options = { protocolVersion: 5 as const, reconnectPeriod: 0, clientId: `test-${gate.name}` };
    const client = await mqtt.connectAsync(centre.brokerUrl, { ...(await credentials(dir)), ...options });
    const said = client.publishAsync(`grindvakt/${gate.site}/${gate.name}/reader`, "{}", { qos: 1 });
    await said.finally(() => client.endAsync());
  };
  const list = async (dir: string): Promise<number | undefined> => {
    const tls = await credentials(dir);
    return new Promise((done, failed) => {
      get(`${centre.webUrl}timestamp.json`, { ...tls, agent: false }, (reply) => {
        reply.resume();
        done(reply.statusCode);
      }).on("error", failed);
    });
  };
  for (const dir of [gate.dir, after]) {
    await say(dir);
    expect(await list(dir)).toBe(200);
  }
  await succeed(centre.script("renew-centre"));
  for (const server of [centre.broker, centre.web]) {
    await server.end("SIGTERM");
    await server.start();
  }
  await say(after);
  expect(await list(after)).toBe(200);
  // Else it finds itself shut out when it comes back, and has no connection that stands.
  await gate.daemon.become("it is connected again", ({ broker }) => broker.state === "up");
  await succeed(centre.script("retire-gate", gate.name));
  for (const dir of [gate.dir, after]) {
    // A moment after the signal; one that came in just before may say nothing.
    await until("its certificate is refused", async () => {
      const why = await say(dir).then(String, String);
      expect(why).toMatch(/Not authorized|certificate revoked/);
      return why.includes("certificate revoked") || null;
    });
    await until("nor is the list given to it", async () => ((await list(dir)) === 400 ? true : null));
  }
  // What is connected stays so, and may say nothing.
  await gate.tap("in-1", card(5));
  const { outbox } = await gate.daemon.become("it is told so", ({ outbox }) => outbox.refused !== null);
  expect(outbox.refused).toBe("not authorized");
  await gates[2]!.tap("in-1", card(5));
  await gates[2]!.daemon.become("the others go on", ({ outbox }) => outbox.unsent === 0);
});
