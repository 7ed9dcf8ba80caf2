/** What the running program opens to the network, as the kernel has it. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { startMosquitto } from "../peers/mosquitto.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import { type Configuration, makeSite, sharedFeed } from "./site.ts";

const feedDir = await sharedFeed();

/** proc(5): the state of a TCP socket that waits for connections. */
const LISTEN = "0A";

/** Inodes of the sockets that a process and those it started hold. */
async function socketsOf(pid: number): Promise<Set<string>> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const pids = [pid, ...children.trim().split(" ").filter(Boolean).map(Number)];
  const found = new Set<string>();
  for (const one of pids) {
    for (const fd of await readdir(`/proc/${one}/fd`).catch(() => [])) {
      const [, inode] =
        /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${one}/fd/${fd}`).catch(() => "")) ?? [];
      if (inode !== undefined) found.add(inode);
    }
  }
  return found;
}

/** What of it takes something from the network: TCP sockets that listen, and UDP ones whoever sends. */
async function openTo(pid: number): Promise<string[]> {
  const sockets = await socketsOf(pid);
  const found: string[] = [];
  for (const table of ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet"]) {
    const rows = (await readFile(`/proc/net/${table}`, "utf8").catch(() => "")).trim().split("\n").slice(1);
    for (const row of rows) {
      const columns = row.trim().split(/\s+/);
      const [, local = "", , state] = columns;
      if (!columns.some((column) => sockets.has(column))) continue;
      if (table.startsWith("tcp") && state !== LISTEN) continue;
      found.push(`${table} ${address(local)}`);
    }
  }
  return found;
}

/** IPv4 as the kernel of a little-endian machine writes it. */
function address(local: string): string {
  const [host = "", port = ""] = local.split(":");
  const bytes =
    host
      .match(/../g)
      ?.reverse()
      .map((byte) => Number.parseInt(byte, 16)) ?? [];
  return `${bytes.length === 4 ? bytes.join(".") : host}:${Number.parseInt(port, 16)}`;
}

test.each([
  ["the console, where there is one", true],
  ["nothing, where there is none", false],
])("a gateway with a reader and a broker listens at %s", async (_, hasConsole) => {
  const broker = await startMosquitto();
  onTestFinished(() => broker.dispose());
  const line = await TcpDevice.listen();
  onTestFinished(() => line.vanish());
  const site = await makeSite(feedDir, `tcp://127.0.0.1:${line.port}`, (configuration: Configuration) => {
    configuration.mqtt = { urls: [broker.url] };
    if (!hasConsole) delete configuration.console;
  });
  onTestFinished(() => site.dispose());
  const daemon = await site.run();
  await daemon.said("broker");
  const { console: url } = JSON.parse(await daemon.said("grindvakt runs")) as { console: string | null };
  expect(url === null).toBe(!hasConsole);
  const wanted = url === null ? [] : [`tcp 127.0.0.1:${new URL(url).port}`];
  expect(await openTo(daemon.pid)).toEqual(wanted);
});

test("what looks for open sockets sees those of this very test", async () => {
  const line = await TcpDevice.listen();
  onTestFinished(() => line.vanish());
  expect(await openTo(process.pid)).toContain(`tcp 127.0.0.1:${line.port}`);
});
