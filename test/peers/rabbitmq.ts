/**
 * A real RabbitMQ cluster of three nodes on loopback, with the configuration and the commands that docs/rabbitmq.md shows: ports,
 * node names, Erlang's port mapper, cookie and folder are its own, so that it meets no other RabbitMQ of the machine. Ends
 * only the processes it started.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { until } from "../e2e/site.ts";
import { makeAuthority } from "./certificates.ts";
import { freePort } from "./mosquitto.ts";

const HOUSE = resolve(import.meta.dirname, "../..");
/** Where test/setup/packages.sh unpacks it. */
const PROGRAMS = join(HOUSE, ".tools/rabbitmq/sbin");
const NAMES = ["rabbit-1@localhost", "rabbit-2@localhost", "rabbit-3@localhost"] as const;
/** Three virtual machines that start on two cores, which others use too. */
const START_MS_MAX = 180_000;

export interface RabbitCluster {
  nodes: readonly RabbitNode[];
  /** Signed the certificate that all nodes show. */
  caFile: string;
  /** The folder in which `shell` runs, with the definitions of the docs. */
  dir: string;
  /** Runs lines of shell; RabbitMQ's commands then ask the first node. */
  shell(lines: string): Promise<string>;
  dispose(): Promise<void>;
}

/** What all processes of a cluster share. */
interface Ground {
  dir: string;
  environment: NodeJS.ProcessEnv;
  certificate: { caFile: string; certFile: string; keyFile: string };
  children: Set<ChildProcess>;
}

export async function startRabbitCluster(): Promise<RabbitCluster> {
  const ground = await prepareGround();
  const { dir, environment, certificate, children } = ground;
  const killAll = (): void => {
    for (const child of children) killGroup(child);
  };
  // A test that fails before it disposes of its cluster must not leave it behind.
  process.on("exit", killAll);
  const dispose = async (): Promise<void> => {
    killAll();
    process.off("exit", killAll);
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  const nodes = await Promise.all(NAMES.map((name) => RabbitNode.make(name, ground)));
  try {
    const mapper = ["-port", environment.ERL_EPMD_PORT ?? "", "-address", "127.0.0.1"];
    start(ground, "epmd", mapper, environment);
    // One after the other, as the docs say.
    for (const node of nodes) await node.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    nodes,
    caFile: certificate.caFile,
    dir,
    shell: async (lines) => {
      const env = { ...environment, RABBITMQ_NODENAME: NAMES[0] };
      return (await promisify(execFile)("sh", ["-euc", lines], { cwd: dir, env })).stdout;
    },
    dispose,
  };
}

async function prepareGround(): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), "rabbitmq-"));
  const authority = await makeAuthority(dir);
  const certificate = { caFile: authority.caFile, ...(await authority.issue("broker")) };
  // Who does not show it is let in by no node.
  await writeFile(join(dir, ".erlang.cookie"), randomUUID(), { mode: 0o400 });
  await copyFile(join(HOUSE, "docs/rabbitmq-definitions.json"), join(dir, "rabbitmq-definitions.json"));
  const environment = {
    PATH: `${PROGRAMS}:${process.env.PATH}`,
    LANG: "C.UTF-8",
    HOME: dir,
    ERL_EPMD_PORT: String(await freePort()),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    // Nothing of a RabbitMQ that the machine may have.
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
  };
  return { dir, environment, certificate, children: new Set() };
}

export class RabbitNode {
  readonly name: string;
  /** Its door for gateways. */
  readonly url: string;
  /** Its HTTP interface. */
  readonly management: string;
  readonly #port: number;
  readonly #ground: Ground;
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | null = null;

  private constructor(
    name: string,
    ports: { mqtt: number; management: number },
    ground: Ground,
    env: NodeJS.ProcessEnv,
  ) {
    this.name = name;
    this.url = `mqtts://127.0.0.1:${ports.mqtt}`;
    this.management = `http://127.0.0.1:${ports.management}`;
    this.#port = ports.mqtt;
    this.#ground = ground;
    this.#environment = env;
  }

  static async make(name: string, ground: Ground): Promise<RabbitNode> {
    const folder = join(ground.dir, name);
    const ports = { mqtt: await freePort(), amqp: await freePort(), management: await freePort() };
    const { caFile, certFile, keyFile } = ground.certificate;
    await mkdir(join(folder, "conf.d"), { recursive: true });
    await writeFile(join(folder, "enabled_plugins"), "[rabbitmq_mqtt,rabbitmq_management].\n");
    // Read after the file of the docs: what has to be another where three nodes share a machine.
    const lines = [
      ...NAMES.map((peer, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${peer}`),
      `mqtt.listeners.ssl.default = 127.0.0.1:${ports.mqtt}`,
      `listeners.ssl.default = 127.0.0.1:${ports.amqp}`,
      `management.tcp.port = ${ports.management}`,
      `ssl_options.cacertfile = ${caFile}`,
      `ssl_options.certfile = ${certFile}`,
      `ssl_options.keyfile = ${keyFile}`,
    ];
    await writeFile(join(folder, "conf.d/90-here.conf"), `${lines.join("\n")}\n`);
    return new RabbitNode(name, ports, ground, {
      ...ground.environment,
      RABBITMQ_NODENAME: name,
      RABBITMQ_CONFIG_FILE: join(HOUSE, "docs/rabbitmq.conf"),
      RABBITMQ_CONFIG_FILES: join(folder, "conf.d"),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, "none.config"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
      RABBITMQ_GENERATED_CONFIG_DIR: join(folder, "generated"),
      RABBITMQ_MNESIA_BASE: join(folder, "data"),
      RABBITMQ_LOG_BASE: folder,
      RABBITMQ_LOGS: join(folder, "log.txt"),
      RABBITMQ_PID_FILE: join(folder, "pid"),
      RABBITMQ_DIST_PORT: String(await freePort()),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
    });
  }

  /** Resolves once it takes connections of gateways. */
  async start(): Promise<void> {
    const child = start(this.#ground, "rabbitmq-server", [], this.#environment);
    this.#child = child;
    const look = async () => (child.exitCode !== null ? "ended" : (await answers(this.#port)) ? "up" : null);
    const found = await until(`${this.name} is up`, look, START_MS_MAX).catch(() => "late");
    if (found === "up") return;
    const log = await readFile(this.#environment.RABBITMQ_LOGS ?? "", "utf8").catch(() => "it wrote no log");
    throw new Error(`${this.name} did not start: ${log.slice(-4_000)}`);
  }

  async kill9(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    const exited = once(child, "exit");
    killGroup(child);
    await exited;
  }
}

/** In a group of its own: a script stands between us and what is to be killed. */
function start(
  { dir, children }: Ground,
  program: string,
  parameters: string[],
  env: NodeJS.ProcessEnv,
): ChildProcess {
  const child = spawn(program, parameters, { cwd: dir, env, detached: true, stdio: "ignore" });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const connected = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return connected;
}
