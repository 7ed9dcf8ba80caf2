import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { parseConfiguration } from "../../config/load.ts";
import type { Configuration } from "../../config/schema.ts";
import { startEmbeddedBroker } from "../../drivers/broker-embedded.ts";
import { createLog } from "../../drivers/log.ts";
import { INPUT_TYPES, READER_TYPES, RELAY_TYPES } from "../../drivers/registry.ts";
import { createSystem } from "../../drivers/system.ts";
import { cardRows, publishCards } from "../../sync/publish.ts";
import { initFeed } from "../../sync/publish-feed.ts";
import { TOKEN_KEY_BYTES } from "../../sync/token-seal.ts";
import type { TapView } from "../gate/gateway.ts";
import { TEXTS } from "../gate/reasons.ts";
import { type Daemon, startDaemon } from "../main.ts";
import { centreWorld } from "./centre.ts";
import { demoCards, SHOWCASE } from "./demo-cards.ts";
import { listen, startDemoHub } from "./demo-hub.ts";
import { untilTold } from "./run.ts";
import { paint, print } from "./terms.ts";

const BROKER_PORT = 1883;
const CONSOLE_PORT = 8606;
const READER_PORT = 4001;
/** Told to everybody: it guards made-up cards on loopback, and lets people try what only somebody signed in may. */
const CONSOLE_PASSWORD = "demo";

export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "the whole gateway in one process: broker, signed sample feed, a reader to send cards to; Ctrl-C ends it",
    )
    .action(async () => {
      // Listened to from the first moment, so that Ctrl-C while it starts leaves nothing behind either.
      const told = untilTold((error) => process.stderr.write(`grindvakt: ${String(error)}\n`));
      const folder = await mkdtemp(join(tmpdir(), "grindvakt-demo-"));
      try {
        await demo(folder, told);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
      // With 1 where something broke.
      process.exit();
    });
}

async function demo(folder: string, told: Promise<unknown>): Promise<void> {
  const system = await createSystem();
  const feed = join(folder, "feed");
  const place = { dir: feed, keysDir: `${feed}.keys`, rootKeysDir: `${feed}.keys`, passphrase: null };
  const centre = centreWorld(system);
  await initFeed(place, "demo", centre);
  const cards = demoCards(system.clock.wallMs());
  await publishCards(place, cardRows(cards), { allowChange: 0, dryRun: false }, centre, () => undefined);

  const broker = await startEmbeddedBroker({ port: BROKER_PORT });
  const hub = await startDemoHub(READER_PORT);
  await writeFile(join(folder, "console-password"), CONSOLE_PASSWORD, { mode: 0o600 });
  await writeFile(join(folder, "token.key"), randomBytes(TOKEN_KEY_BYTES).toString("hex"), { mode: 0o600 });
  // For the other commands: they find the running demo by it.
  const file = join(folder, "demo.yaml");
  const start = async (consolePort: number): Promise<Daemon> => {
    const ports = { broker: broker.url, reader: hub.readerPort, console: await freePort(consolePort) };
    const settings = settingsOf(ports);
    await writeFile(file, settings);
    return startDaemon(readSettings(settings, folder), { ...system, log: createLog("warn") }, printTap);
  };
  let daemon = await start(CONSOLE_PORT);
  // Somebody was quicker, between our finding the port free and taking it.
  if (daemon.consoleUrl === null) {
    await daemon.stop();
    daemon = await start(0);
  }
  await daemon.refresh();

  print(`Grindvakt demo: ${cards.length} made-up cards, list revision ${daemon.status().list.revision}`);
  print(`  console   ${daemon.consoleUrl ?? "not open"}   to sign in: ${CONSOLE_PASSWORD}`);
  print(`  broker    ${broker.url}   mosquitto_sub -p ${broker.port} -v -t 'grindvakt/#'`);
  print(`  feed      ${feed}`);
  print(`  reader    tcp://127.0.0.1:${hub.port}`);
  print(`  settings  ${file}   watch, doctor, identify … -c that`);
  print("");
  print("Tap a card:");
  for (const { card, reason } of SHOWCASE) {
    print(`  printf '${card}\\r\\n' | nc -w 1 127.0.0.1 ${hub.port}   ${paint(`# ${reason}`, "dim")}`);
  }
  print("");
  print("Ctrl-C ends the demo. Taps:");
  await told;
  await daemon.stop();
  await hub.stop();
  await broker.stop();
  system.stop();
  print("stopped");
}

function printTap({ time, accessPoint, reader, decision }: TapView): void {
  const { granted, reason, card } = decision;
  const word = paint(reason.padEnd(13), granted ? "green" : "red");
  print(
    `${time} ${accessPoint} ${reader} ${(card ?? "-").padEnd(14)} ${word} ${TEXTS[reason].sv} / ${TEXTS[reason].en}`,
  );
}

function settingsOf(ports: { broker: string; reader: number; console: number }): string {
  return `gateway: { id: gate-1, site: demo }
dataDir: ./data
cards: { feed: ./feed, root: ./feed/root.json, name: demo, refreshSeconds: 1, tokenKey: { file: ./token.key } }
readers:
  - { id: north-in-1, driver: serial, port: "tcp://127.0.0.1:${ports.reader}", reads: card-number }
  - { id: north-out-1, driver: virtual }
accessPoints:
  - { id: north-in, direction: entry, readers: [north-in-1], relay: { driver: virtual } }
  - { id: north-out, direction: exit, readers: [north-out-1], relay: { driver: virtual } }
mqtt: { urls: ["${ports.broker}"] }
console: { listen: "127.0.0.1:${ports.console}", password: { file: ./console-password } }
`;
}

function readSettings(text: string, folder: string): Configuration {
  const loaded = parseConfiguration(text, folder, {
    readers: READER_TYPES,
    relays: RELAY_TYPES,
    inputs: INPUT_TYPES,
  });
  if (loaded.kind === "loaded") return loaded.configuration;
  throw new Error(
    `the demo's own configuration is wrong: ${loaded.faults.map(({ message }) => message).join("; ")}`,
  );
}

/** `wanted`, or a free port when that one is taken. */
async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  const port = await listen(probe, wanted).catch(() => listen(probe, 0));
  await new Promise((done) => probe.close(done));
  return port;
}
