/**
 * `npm run bench:peers`: the gateway beside what people would pick instead, in one run: a Node-RED flow with the same cards, the
 * same kind of line and the same broker, tapped in turn; and beside the plainest program that writes a tap down before it is told
 * (`plainest.ts`), which is the limit. `--check` exits 1 on a missed bound, `--json` is for a program.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { centreWorld } from "../daemon/commands/centre.ts";
import { createSystemClock, systemRandom } from "../drivers/system.ts";
import { cardRows, publishCards } from "../sync/publish.ts";
import { initFeed } from "../sync/publish-feed.ts";
import { type Mosquitto, type Subscriber, startMosquitto, startSubscriber } from "../test/peers/mosquitto.ts";
import { Pty } from "../test/peers/pty.ts";
import { MadeUpCards } from "./cards.ts";
import { type Figure, isMissed, percentile, showFigure } from "./figures.ts";
import { makeNodeRed, PEER_TOPIC } from "./node-red.ts";
import { PLAINEST_TOPIC } from "./plainest.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/daemon/cli.js", import.meta.url));
const PLAINEST = fileURLToPath(new URL("./plainest.js", import.meta.url));
const WARM_UP_TAPS = 50;
/** Taps presented while the broker is away; how far apart a busy turnstile has them. */
const OUTAGE_TAPS = 200;
const OUTAGE_TAP_MS = 20;
/** After an outage: the slower of both reconnects within it, many times over. */
const ARRIVAL_MS = 40_000;
const READY_MS_MAX = 180_000;
const READY_LOOK_MS = 500;
const MB = 1024;

const { values } = parseArgs({
  options: {
    cards: { type: "string", default: "1000000" },
    taps: { type: "string", default: "1000" },
    check: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const cleanUp: (() => Promise<unknown>)[] = [];

async function measure(count: number, taps: number): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-peers-"));
  cleanUp.push(() => rm(folder, { recursive: true, force: true }));
  const broker = await startMosquitto({ persistence: true });
  cleanUp.push(() => broker.dispose());
  const cards = new MadeUpCards(count);
  say(`publishing a list of ${cards.count} cards`);
  const ours = await makeGateway(folder, broker, cards);
  say("installing Node-RED");
  const theirs = await makePeer(folder, broker, cards);
  // Its session outlives the outages, as a centre's does.
  const subscriber = await startSubscriber(broker.url, [PEER_TOPIC, PLAINEST_TOPIC, "grindvakt/#"], {
    clientId: "centre",
    clean: false,
    properties: { sessionExpiryInterval: 3_600 },
    reconnectPeriod: 50,
  });
  subscriber.client.on("error", () => undefined);
  cleanUp.push(() => subscriber.stop());
  const plainest = await makePlainest(folder, broker);
  const bench = new Bench(cards, subscriber, broker);
  for (const gate of [ours, theirs, plainest]) {
    gate.start();
    await bench.ready(gate);
  }
  say(`${taps} taps in turn`);
  const latency = await bench.latency([ours, theirs, plainest], taps);
  await plainest.end("SIGKILL");
  const memory = await Promise.all([ours, theirs].map((gate) => gate.residentMb()));
  say("an outage of the broker");
  const outage = await bench.outage([ours, theirs], false);
  say("an outage, and kill -9 in the middle of it");
  const killed = await bench.outage([ours, theirs], true);
  const [us, them] = [ours.name, theirs.name];
  const p = (gate: Gate, share: number) => percentile(latency.get(gate) ?? [], share);
  return [
    { what: `${plainest.name}: bytes in to message, p50`, value: p(plainest, 0.5), unit: "ms" },
    { what: `${plainest.name}: p99`, value: p(plainest, 0.99), unit: "ms" },
    { what: `${us}: p50 as a multiple of it`, value: p(ours, 0.5) / p(plainest, 0.5), unit: "" },
    { what: `${them}: bytes in to message, p50`, value: p(theirs, 0.5), unit: "ms" },
    { what: `${us}: the same, p50`, value: p(ours, 0.5), unit: "ms", bound: p(theirs, 0.5) },
    { what: `${them}: p99`, value: p(theirs, 0.99), unit: "ms" },
    { what: `${us}: p99`, value: p(ours, 0.99), unit: "ms", bound: p(theirs, 0.99) },
    { what: `${them}: resident memory`, value: memory[1] ?? Number.NaN, unit: "MB" },
    { what: `${us}: resident memory`, value: memory[0] ?? Number.NaN, unit: "MB", bound: 110 },
    { what: `${them}: taps of ${OUTAGE_TAPS} lost in an outage`, value: lost(outage, theirs), unit: "" },
    { what: `${us}: the same`, value: lost(outage, ours), unit: "", bound: 0 },
    { what: `${them}: taps lost in an outage with kill -9`, value: lost(killed, theirs), unit: "" },
    { what: `${us}: the same`, value: lost(killed, ours), unit: "", bound: 0 },
  ];
}

function lost(arrived: ReadonlyMap<Gate, number>, gate: Gate): number {
  return OUTAGE_TAPS - (arrived.get(gate) ?? 0);
}

// ---------------------------------------------------------------- the two

class Gate {
  readonly name: string;
  readonly pty: Pty;
  readonly #args: string[];
  readonly #topicEnd: string;
  #child: ChildProcess | null = null;

  constructor(name: string, pty: Pty, args: string[], topicEnd: string) {
    this.name = name;
    this.pty = pty;
    this.#args = args;
    this.#topicEnd = topicEnd;
    cleanUp.push(() => this.end("SIGKILL"));
  }

  start(): void {
    this.#child = spawn(process.execPath, this.#args, { stdio: ["ignore", "ignore", "inherit"] });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  /** Whether a message is this one's word about that card. */
  reported({ topic, payload }: { topic: string; payload: string }, card: string): boolean {
    return topic.endsWith(this.#topicEnd) && payload.includes(card);
  }

  async residentMb(): Promise<number> {
    const status = await readFile(`/proc/${this.#child?.pid}/status`, "latin1");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / MB;
  }
}

async function makeGateway(folder: string, broker: Mosquitto, cards: MadeUpCards): Promise<Gate> {
  const dir = join(folder, "feed");
  const place = { dir, keysDir: `${dir}.keys`, rootKeysDir: `${dir}.keys`, passphrase: null };
  const centre = centreWorld({ clock: createSystemClock(), random: systemRandom });
  await initFeed(place, "bench", centre);
  const options = { allowChange: 0, dryRun: false };
  await publishCards(place, cardRows(cards.rows()), options, centre, () => undefined);
  const pty = await pluggedPty();
  const file = join(folder, "grindvakt.yaml");
  await writeFile(
    file,
    `gateway: { id: bench, site: bench }
dataDir: ./data
cards: { feed: ./feed, root: ./feed/root.json, name: bench }
readers: [{ id: line, driver: serial, port: ${pty.path} }]
accessPoints: [{ id: in, direction: entry, readers: [line], relay: { driver: virtual, pulseMs: 50 } }]
mqtt: { urls: ["${broker.url}"] }
log: { level: error }
`,
  );
  return new Gate("Grindvakt", pty, [PROGRAM, "run", "-c", file], "/tap");
}

async function makePeer(folder: string, broker: Mosquitto, cards: MadeUpCards): Promise<Gate> {
  const peer = join(folder, "node-red");
  await mkdir(peer);
  const pty = await pluggedPty();
  const { version, args } = await makeNodeRed(peer, { port: pty.path, brokerPort: broker.port, cards });
  return new Gate(`Node-RED ${version}`, pty, args, PEER_TOPIC);
}

async function makePlainest(folder: string, broker: Mosquitto): Promise<Gate> {
  const pty = await pluggedPty();
  const args = [PLAINEST, pty.path, broker.url, join(folder, "plainest.ndjson")];
  return new Gate("The plainest that writes first", pty, args, PLAINEST_TOPIC);
}

async function pluggedPty(): Promise<Pty> {
  const pty = await Pty.make();
  cleanUp.push(() => pty.remove());
  await pty.plug();
  return pty;
}

// ---------------------------------------------------------------- what is done to them

class Bench {
  readonly #cards: MadeUpCards;
  readonly #subscriber: Subscriber;
  readonly #broker: Mosquitto;
  #next = 0;

  constructor(cards: MadeUpCards, subscriber: Subscriber, broker: Mosquitto) {
    this.#cards = cards;
    this.#subscriber = subscriber;
    this.#broker = broker;
  }

  /** Taps until it answers. */
  async ready(gate: Gate): Promise<void> {
    const untilMs = performance.now() + READY_MS_MAX;
    while (performance.now() < untilMs) {
      const card = this.#card();
      await gate.pty.send(`${card}\r\n`);
      await pause(READY_LOOK_MS);
      if (this.#subscriber.heard.some((message) => gate.reported(message, card))) return;
    }
    throw new Error(`${gate.name} reported no tap within ${READY_MS_MAX / 1_000} s`);
  }

  async latency(gates: readonly Gate[], taps: number): Promise<Map<Gate, number[]>> {
    const samples = new Map<Gate, number[]>(gates.map((gate) => [gate, []]));
    for (let tap = 0; tap < taps + WARM_UP_TAPS; tap++) {
      for (const gate of gates) {
        const card = this.#card();
        const sentMs = performance.now();
        const heard = this.#subscriber.hear((message) => gate.reported(message, card));
        await gate.pty.send(`${card}\r\n`);
        await heard;
        if (tap >= WARM_UP_TAPS) samples.get(gate)?.push(performance.now() - sentMs);
        this.#subscriber.heard.length = 0;
      }
    }
    return samples;
  }

  /** How many of the taps made while the broker was away came to the subscriber in the end. */
  async outage(gates: readonly Gate[], killed: boolean): Promise<Map<Gate, number>> {
    this.#subscriber.heard.length = 0;
    await this.#broker.stop();
    const sent = Array.from({ length: OUTAGE_TAPS }, () => this.#card());
    for (const [index, card] of sent.entries()) {
      if (killed && index === OUTAGE_TAPS / 2) await this.#killAll(gates);
      for (const gate of gates) await gate.pty.send(`${card}\r\n`);
      await pause(OUTAGE_TAP_MS);
    }
    await pause(1_000);
    if (killed) await this.#killAll(gates);
    await this.#broker.restart();
    await pause(ARRIVAL_MS);
    const { heard } = this.#subscriber;
    return new Map(
      gates.map((gate) => [
        gate,
        sent.filter((card) => heard.some((message) => gate.reported(message, card))).length,
      ]),
    );
  }

  /** What came over the line while nobody listened is no tap of either: they get time to start again. */
  async #killAll(gates: readonly Gate[]): Promise<void> {
    await Promise.all(gates.map((gate) => gate.end("SIGKILL")));
    for (const gate of gates) gate.start();
    await pause(ARRIVAL_MS);
  }

  #card(): string {
    const card = this.#cards.number(this.#next);
    this.#next += 1;
    return card;
  }
}

function say(what: string): void {
  process.stderr.write(`peers: ${what}\n`);
}

// ---------------------------------------------------------------- the run

let figures: Figure[];
try {
  figures = await measure(Number(values.cards), Number(values.taps));
} finally {
  for (const step of cleanUp.reverse()) await step();
}
const missed = figures.filter(isMissed).length;
if (values.json) process.stdout.write(`${JSON.stringify({ bench: "peers", figures })}\n`);
else process.stdout.write(`${figures.map(showFigure).join("\n")}\n`);
if (missed > 0) process.stderr.write(`bench: ${missed} bounds missed\n`);
process.exit(values.check && missed > 0 ? 1 : 0);
