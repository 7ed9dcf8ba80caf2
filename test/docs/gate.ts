/** The gate that the pages speak of: its cards, a broker, a line to tap on, and the evening on which the sessions were written down. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createSystemClock } from "../../drivers/system.ts";
import { type Configuration, type Daemon, makeFeed, makeSite, type Site } from "../e2e/site.ts";
import { pluggedPty } from "../e2e/stage.ts";
import { type Mosquitto, startMosquitto } from "../peers/mosquitto.ts";
import type { Pty } from "../peers/pty.ts";
import { makeWallClock } from "../peers/wall-clock.ts";
import { Scene } from "./scene.ts";

/** Sessions name days that will have passed when they are read. */
const EVENING = "2026-11-22T22:23:30Z";

const CARDS = `number,status,valid_until,tokens
BB-2401-000001,active,2028-12-31,uid:04A1B2C3
BB-2401-000002,active,2028-12-31,
BB-2401-000003,active,2028-12-31,
BB-1234-567890,active,2028-12-31,
`;

export interface Gate {
  scene: Scene;
  site: Site;
  /** Resolves once it is healthy. */
  start(): Promise<Daemon>;
  /** The clock that its processes go by. */
  env: NodeJS.ProcessEnv;
  broker: Mosquitto;
  /** The cable of reader `north-in-1`. */
  line: Pty;
}

/** As `layGate`, and runs, with a list in force. */
export async function setGate(...args: Parameters<typeof layGate>): Promise<Gate & { daemon: Daemon }> {
  const gate = await layGate(...args);
  return { ...gate, daemon: await gate.start() };
}

/** `name`: of its configuration file. The scene is in the folder of that file. */
export async function layGate(
  name: string,
  configure: (configuration: Configuration, folder: string) => Promise<void> | void = () => undefined,
): Promise<Gate> {
  const folder = await mkdtemp(join(tmpdir(), "grindvakt-docs-gate-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { env } = await makeWallClock(join(folder, "clock"), EVENING);
  const broker = await startMosquitto({ verbose: true });
  onTestFinished(() => broker.dispose());
  const line = await pluggedPty();
  const scene = await Scene.set({}, env);
  onTestFinished(() => scene.dispose());
  await makeFeed(folder, CARDS, { ...createSystemClock(), wallMs: () => Date.parse(EVENING) });
  const site = await makeSite(folder, line.path, async (configuration) => {
    configuration.mqtt = { urls: [broker.url] };
    configuration.readers.push({ id: "desk", driver: "virtual" });
    configuration.accessPoints.push({
      id: "north-out",
      direction: "exit",
      readers: ["desk"],
      relay: { driver: "virtual", pulseMs: 50 },
    });
    await configure(configuration, folder);
  });
  onTestFinished(() => site.dispose());
  await scene.must(`cd ${site.dir}`);
  if (name !== "gate.yaml") await scene.must(`cp gate.yaml ${name}`);
  return { scene, site, start: async () => (await site.run(env)).healthy(), env, broker, line };
}
