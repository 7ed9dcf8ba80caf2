/**
 * What many would pick instead of a gateway: a Node-RED flow that reads lines from a serial port, looks the card up in a Map
 * and publishes what it found. Installed into a folder of the bench's; no part of the project.
 */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { MadeUpCards } from "./cards.ts";

/** The last that runs on the oldest Node that the gateway runs on. */
const PACKAGES = ["node-red@4", "node-red-node-serialport@2"];
const INSTALL_MS_MAX = 300_000;
export const PEER_TOPIC = "node-red/taps";

export interface NodeRed {
  version: string;
  /** Arguments of `node` that run it. */
  args: string[];
}

/** Rejects where the packages are not to be had. */
export async function makeNodeRed(
  folder: string,
  site: { port: string; brokerPort: number; cards: MadeUpCards },
): Promise<NodeRed> {
  await writeFile(join(folder, "package.json"), '{ "private": true }\n');
  const options = { cwd: folder, timeout: INSTALL_MS_MAX };
  await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", ...PACKAGES], options);
  const program = join(folder, "node_modules", "node-red");
  const { version } = JSON.parse(await readFile(join(program, "package.json"), "utf8")) as {
    version: string;
  };
  const list = join(folder, "cards.csv");
  await writeFile(list, linesOf(site.cards));
  await writeFile(join(folder, "flows.json"), JSON.stringify(flow(site)));
  await writeFile(join(folder, "settings.js"), settings(list));
  return { version, args: [join(program, "red.js"), "-u", folder, "-s", join(folder, "settings.js")] };
}

function* linesOf(cards: MadeUpCards): Generator<string> {
  for (let i = 0; i < cards.count; i++) yield `${cards.number(i)},${cards.status(i)}\n`;
}

/** The list is in memory before the flow starts, as it would be in the gateway. */
function settings(list: string): string {
  return `const { readFileSync } = require("node:fs");
const cards = new Map();
for (const line of readFileSync(${JSON.stringify(list)}, "utf8").split("\\n")) {
  const comma = line.indexOf(",");
  if (comma > 0) cards.set(line.slice(0, comma), line.slice(comma + 1));
}
module.exports = {
  flowFile: "flows.json",
  httpAdminRoot: false,
  httpNodeRoot: false,
  uiHost: "127.0.0.1",
  uiPort: 0,
  credentialSecret: false,
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: "error" } },
  functionGlobalContext: { cards },
};
`;
}

const LOOK_UP = `const card = msg.payload.trim();
const status = global.get("cards").get(card);
msg.payload = { card, granted: status === "active", reason: status ?? "unknown", time: new Date().toISOString() };
return msg;`;

function flow({ port, brokerPort }: { port: string; brokerPort: number }): object[] {
  return [
    { id: "gate", type: "tab", label: "gate" },
    {
      id: "line",
      type: "serial-port",
      serialport: port,
      serialbaud: "9600",
      databits: "8",
      parity: "none",
      stopbits: "1",
      newline: "\\n",
      bin: "false",
      out: "char",
    },
    { id: "read", type: "serial in", z: "gate", serial: "line", wires: [["decide"]] },
    { id: "decide", type: "function", z: "gate", func: LOOK_UP, outputs: 1, wires: [["report"]] },
    {
      id: "broker",
      type: "mqtt-broker",
      broker: "127.0.0.1",
      port: String(brokerPort),
      clientid: "node-red",
      autoConnect: true,
      protocolVersion: "5",
      keepalive: "60",
    },
    { id: "report", type: "mqtt out", z: "gate", topic: PEER_TOPIC, qos: "1", broker: "broker", wires: [] },
  ];
}
