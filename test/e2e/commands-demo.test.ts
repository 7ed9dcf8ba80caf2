/** `demo`, as somebody meets it who has just installed: on a machine where its ports may be taken. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { startSubscriber } from "../peers/mosquitto.ts";
import { CARDS, Program, until } from "./site.ts";

const PORTS = [1883, 8606, 4001];

test("the demo shows the whole gate, and leaves nothing behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-e2e-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const taken = (await Promise.all(PORTS.map(takePort))).filter((port) => port !== null);
  const demo = new Program(["demo"], { env: { TMPDIR: folder } });
  onTestFinished(async () => void (await demo.end("SIGKILL")));
  await demo.said("Ctrl-C");

  const console = addressOf(demo.stdout, /console +(http:\/\/127\.0\.0\.1:(\d+))/);
  const broker = addressOf(demo.stdout, /broker +(mqtt:\/\/127\.0\.0\.1:(\d+))/);
  const reader = addressOf(demo.stdout, /reader +(tcp:\/\/127\.0\.0\.1:(\d+))/);
  const feed = /feed +(\S+)/.exec(demo.stdout)?.[1] ?? "";
  expect(await readdir(feed)).toContain("timestamp.json");
  const ports = [broker, console, reader].map(({ port }) => port);
  expect(ports.filter((port) => taken.includes(port))).toEqual([]);
  expect((await fetch(`${console.url}/healthz`)).status).toBe(200);

  const subscriber = await startSubscriber(broker.url, "grindvakt/#", { protocolVersion: 4 });
  onTestFinished(() => subscriber.stop());
  const invitations = [
    ...demo.stdout.matchAll(/^ +(printf '(BB-\S+?)\\r\\n' \| nc -w 1 127\.0\.0\.1 (\d+)) +# (\S+)$/gm),
  ];
  expect(invitations.map(([, , card, port, reason]) => [card, Number(port), reason])).toEqual(
    Object.keys(CARDS).map((reason) => [expect.stringMatching(/^BB-/), reader.port, reason]),
  );
  await Promise.all(invitations.map(([, command]) => promisify(execFile)("bash", ["-c", command!])));

  for (const [, , card, , reason] of invitations) {
    await demo.said(new RegExp(`^\\d{4}-\\S+Z north-in north-in-1 ${card} +${reason} +\\S.* / \\S`));
    const { payload } = await subscriber.hear(({ payload }) => payload.includes(`"card":"${card}"`));
    expect(JSON.parse(payload)).toMatchObject({
      data: { reason, granted: reason === "granted", durable: true },
    });
  }
  const tapLines = demo.stdout.split("\n").filter((line) => /^\d{4}-/.test(line));
  expect(tapLines.length).toBe(invitations.length);
  const { taps } = (await (await fetch(`${console.url}/api/taps`)).json()) as { taps: unknown[] };
  expect(taps.length).toBe(invitations.length);

  expect(await demo.end("SIGINT")).toEqual({ code: 0, signal: null });
  expect(await readdir(folder)).toEqual([]);
  expect(demo.stderr).toBe("");
});

test("demos that start at once have a console each; one in which something broke ends with 1, in a line, and leaves nothing behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-e2e-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const fault = `process.on("SIGUSR2", () => { throw new Error("a fault"); });`;
  const env = { TMPDIR: folder, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fault)}` };
  const [well, broken] = [new Program(["demo"]), new Program(["demo"], { env })];
  const demos = [well, broken];
  onTestFinished(async () => void (await broken.end("SIGKILL")));
  onTestFinished(async () => void (await well.end("SIGTERM")));
  await Promise.all(demos.map((demo) => demo.said("Ctrl-C")));
  const consoles = demos.map(({ stdout }) => addressOf(stdout, /console +(http:\/\/127\.0\.0\.1:(\d+))/).url);
  expect(new Set(consoles).size).toBe(demos.length);
  for (const url of consoles) expect((await fetch(`${url}/healthz`)).status).toBe(200);

  // It may have said that another has its ports.
  const before = broken.stderr.length;
  expect(await broken.end("SIGUSR2")).toEqual({ code: 1, signal: null });
  expect(broken.stderr.slice(before)).toBe("grindvakt: Error: a fault\n");
  expect(await readdir(folder)).toEqual([]);
});

test("the demo ends cleanly when it is told to while it is still starting", async () => {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-e2e-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const demo = new Program(["demo"], { env: { TMPDIR: folder } });
  onTestFinished(async () => void (await demo.end("SIGKILL")));
  await until("its folder is made", async () => ((await readdir(folder)).length > 0 ? true : null));
  expect(await demo.end("SIGINT")).toEqual({ code: 0, signal: null });
  expect(await readdir(folder)).toEqual([]);
});

/** Gives the port, or null where another has it: a demo beside this one, which may give it back at any moment. */
async function takePort(port: number): Promise<number | null> {
  const server = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void server.close());
  return once(server, "listening").then(
    () => port,
    () => null,
  );
}

function addressOf(text: string, pattern: RegExp): { url: string; port: number } {
  const [, url = "", port = ""] = pattern.exec(text) ?? [];
  return { url, port: Number(port) };
}
