/**
 * A real mosquitto, on free loopback ports, in a temporary directory of its own; and a subscriber to hear what it
 * has. Ends only the process it started.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import mqtt, { type IPublishPacket, type MqttClient } from "mqtt";

export interface MosquittoOptions {
  /** Names and passwords; without them anybody may come in. */
  users?: Record<string, string>;
  /** Lines of an `acl_file`; without them everybody may do everything. */
  acl?: string[];
  /** PEM files; the broker then speaks TLS on its only port. `requireClientCertificate`: signed by `caFile`. */
  tls?: { caFile: string; certFile: string; keyFile: string; requireClientCertificate?: boolean };
  /** Further lines of the configuration, such as `max_packet_size 1000`. */
  lines?: string[];
  /** Messages it takes at once, told to MQTT 5 clients; mosquitto's own default is 20. */
  receiveMaximum?: number;
  /** What it holds survives a stop. After `kill9` it has what it saved last: nothing, mostly. */
  persistence?: boolean;
  /** Else a free one. */
  port?: number;
  /** It logs each packet; whoever reads all that measures the reading. */
  verbose?: boolean;
}

export interface Mosquitto {
  url: string;
  port: number;
  pid(): number;
  /** What it logged. */
  log(): string;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** On the same port, whether or not it runs. */
  restart(): Promise<void>;
  /** SIGSTOP: its sockets stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Stops it and removes its directory. */
  dispose(): Promise<void>;
}

const startMsMax = 20_000;

export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const directory = await mkdtemp(join(tmpdir(), "mosquitto-"));
  const port = options.port ?? (await freePort());
  const config = join(directory, "mosquitto.conf");
  await writeFile(config, (await configLines(directory, port, options)).join("\n"), { mode: 0o600 });

  let child: ChildProcess | null = null;
  let log = "";

  async function start(): Promise<void> {
    const started = spawn(findMosquitto(), ["-c", config, ...(options.verbose === true ? ["-v"] : [])], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = started;
    for (const stream of [started.stdout, started.stderr]) {
      stream?.on("data", (text: Buffer) => {
        log = (log + text).slice(-100_000);
      });
    }
    await answers(port, started, () => log);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill(signal);
    // A frozen process takes SIGTERM only when it is woken.
    ending.kill("SIGCONT");
    await exited;
  }

  // A test that fails before it disposes of its broker must not leave it behind.
  const killAtExit = () => void child?.kill("SIGKILL");
  process.on("exit", killAtExit);

  async function dispose(): Promise<void> {
    await end("SIGKILL");
    process.off("exit", killAtExit);
    await rm(directory, { recursive: true, force: true });
  }

  await start().catch(async (error) => {
    await dispose();
    throw error;
  });
  return {
    url: `${options.tls === undefined ? "mqtt" : "mqtts"}://127.0.0.1:${port}`,
    port,
    pid: () => child?.pid ?? 0,
    log: () => log,
    stop: () => end("SIGTERM"),
    kill9: () => end("SIGKILL"),
    restart: async () => {
      await end("SIGTERM");
      await start();
    },
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    dispose,
  };
}

async function configLines(directory: string, port: number, options: MosquittoOptions): Promise<string[]> {
  const lines = [
    // Started by root it would become another user, who may not read our files.
    `user ${userInfo().username}`,
    `listener ${port} 127.0.0.1`,
    `allow_anonymous ${options.users === undefined}`,
    "max_queued_messages 1000000",
    "set_tcp_nodelay true",
    `max_inflight_messages ${options.receiveMaximum ?? 20}`,
  ];
  if (options.users !== undefined) {
    const file = join(directory, "passwords");
    const users = Object.entries(options.users).map(([name, password]) => `${name}:${password}\n`);
    await writeFile(file, users.join(""), { mode: 0o600 });
    execFileSync("mosquitto_passwd", ["-U", file]);
    lines.push(`password_file ${file}`);
  }
  if (options.acl !== undefined) {
    const file = join(directory, "acl");
    await writeFile(file, `${options.acl.join("\n")}\n`, { mode: 0o600 });
    lines.push(`acl_file ${file}`);
  }
  if (options.persistence === true) lines.push("persistence true", `persistence_location ${directory}/`);
  if (options.tls !== undefined) {
    const { caFile, certFile, keyFile, requireClientCertificate = false } = options.tls;
    lines.push(`cafile ${caFile}`, `certfile ${certFile}`, `keyfile ${keyFile}`);
    lines.push(`require_certificate ${requireClientCertificate}`);
  }
  return [...lines, ...(options.lines ?? []), ""];
}

function findMosquitto(): string {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  for (const directory of directories) {
    const path = join(directory, "mosquitto");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  throw new Error("mosquitto is not installed: apt-get install mosquitto");
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Resolves once something listens on the port. */
async function answers(port: number, child: ChildProcess, log: () => string): Promise<void> {
  const until = performance.now() + startMsMax;
  while (performance.now() < until) {
    if (child.exitCode !== null) break;
    const socket = connect(port, "127.0.0.1");
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`mosquitto did not start on port ${port}: ${log()}`);
}

// ---------------------------------------------------------------- a subscriber

export interface Heard {
  topic: string;
  payload: string;
  retained: boolean;
  contentType?: string;
}

export interface Subscriber {
  /** In the order they came. */
  readonly heard: Heard[];
  readonly client: MqttClient;
  /** Resolves with the first heard message, past or coming, that is it; rejects after 20 s. */
  hear(isIt: (message: Heard) => boolean): Promise<Heard>;
  stop(): Promise<void>;
}

const hearMsMax = 20_000;

/** An independent client, MQTT 5 unless told otherwise, subscribed before it resolves. */
export async function startSubscriber(
  url: string,
  topics: string | string[] = "#",
  options: mqtt.IClientOptions = {},
): Promise<Subscriber> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, ...options });
  const heard: Heard[] = [];
  const listeners = new Set<() => void>();
  client.on("message", (topic, payload, packet: IPublishPacket) => {
    const contentType = packet.properties?.contentType;
    heard.push({
      topic,
      payload: payload.toString(),
      retained: packet.retain,
      ...(contentType === undefined ? {} : { contentType }),
    });
    for (const listener of listeners) listener();
  });
  await client.subscribeAsync(topics, { qos: 1 });
  return {
    heard,
    client,
    hear: (isIt) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          listeners.delete(look);
          reject(new Error(`not heard; heard: ${JSON.stringify(heard.slice(-20))}`));
        }, hearMsMax);
        const look = () => {
          const found = heard.find(isIt);
          if (found === undefined) return;
          clearTimeout(late);
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
      }),
    stop: () => client.endAsync(true),
  };
}
