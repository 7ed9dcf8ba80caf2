/**
 * The example's centre and its gates, set up by the very scripts and files of `examples/fleet/`: broker, web server, database, consumer, and
 * built gateways, each in a folder of its own as on a box of its own. Ends only processes that it started.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import type { Ended } from "../e2e/counter.ts";
import { Daemon, grindvakt, until } from "../e2e/site.ts";
import { freePort } from "../peers/mosquitto.ts";
import { type Consumer, startConsumer } from "./consumer.ts";

const SCRIPTS = resolve(import.meta.dirname, "../../examples/fleet");
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
export const CARDS = 400;
export const card = (n: number): string => `BB-2611-${String(n).padStart(6, "0")}`;

export interface Centre {
  dir: string;
  brokerUrl: string;
  webUrl: string;
  broker: Server;
  web: Server;
  /** Where the fleet's own certificates are. */
  fleet: string;
  script(name: string, ...args: string[]): Promise<Ended>;
  /** A feed command with the centre's certificate. */
  feed(...args: string[]): Promise<Ended>;
  consumer(database: NodeJS.ProcessEnv): Consumer;
  /** By the one command, and then its folder goes to its own box. */
  addGate(name: string, site: string): Promise<Gate>;
  dispose(): Promise<void>;
}

/** A gate's box. */
export class Gate {
  readonly name: string;
  readonly site: string;
  readonly dir: string;
  #daemon: Daemon | null = null;

  constructor(name: string, site: string, dir: string) {
    this.name = name;
    this.site = site;
    this.dir = dir;
  }

  get daemon(): Daemon {
    if (this.#daemon === null) throw new Error(`${this.name} was not started`);
    return this.#daemon;
  }

  async start(): Promise<void> {
    this.#daemon = new Daemon(["run", "-c", join(this.dir, "grindvakt.yaml")]);
    await this.#daemon.ready();
    await this.#daemon.healthy();
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#daemon?.end(signal);
  }

  command(...args: string[]): Promise<Ended> {
    return grindvakt([...args, "-c", join(this.dir, "grindvakt.yaml")]);
  }

  tap(reader: "in-1" | "out-1", credential: string): Promise<void> {
    return this.daemon.post("/api/taps", { reader, credential });
  }
}

/** A server of the machine's, with its configuration, on a port that is known. */
export class Server {
  readonly #command: string[];
  readonly #port: number;
  readonly #pidFile: string;
  #child: ChildProcess | null = null;
  #log = "";

  constructor(command: string[], port: number, pidFile: string) {
    this.#command = command;
    this.#port = port;
    this.#pidFile = pidFile;
    process.on("exit", () => this.#child?.kill("SIGKILL"));
  }

  get log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    const [program = "", ...args] = this.#command;
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, PATH } });
    this.#child = child;
    await writeFile(this.#pidFile, `${child.pid}\n`);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text: Buffer) => {
        this.#log = (this.#log + text).slice(-50_000);
      });
    await until(
      () => `${program} listens; it said: ${this.#log}`,
      async () => (child.exitCode === null && (await answers(this.#port))) || null,
    );
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const came = await new Promise<boolean>((done) => {
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });
  socket.destroy();
  return came;
}

export async function makeCentre(): Promise<Centre> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-fleet-"));
  const path = (...parts: string[]): string => join(dir, ...parts);
  const fleet = path("fleet");
  await succeed(grindvakt(["feed", "init", path("lists"), "--name", "id06"]));
  const rows = Array.from({ length: CARDS }, (_, n) => `${card(n)},active,,`);
  await writeFile(path("cards.csv"), ["number,status,valid_until,tokens", ...rows, ""].join("\n"));
  await succeed(grindvakt(["feed", "publish", path("lists"), "--cards", path("cards.csv")]));

  const [brokerPort, webPort] = [await freePort(), await freePort()];
  const pids = { MOSQUITTO_PID: path("mosquitto.pid"), NGINX_PID: path("nginx.pid") };
  const script = (name: string, ...args: string[]): Promise<Ended> =>
    new Promise((done) => {
      const env = { ...process.env, ...pids, PATH, FLEET: fleet };
      execFile(join(SCRIPTS, name), args, { env }, (error, stdout, stderr) =>
        done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });
  const ports = ["--broker-port", String(brokerPort), "--feed-port", String(webPort)];
  await succeed(script("make-centre", "--host", "127.0.0.1", "--feed", path("lists"), ...ports));
  await equipWithVirtualDevices(join(fleet, "gate.yaml"));

  await mkdir(path("nginx"));
  await writeFile(path("mosquitto.conf"), mosquittoConf(dir));
  await writeFile(path("nginx.conf"), nginxConf(dir));
  const broker = new Server(["mosquitto", "-c", path("mosquitto.conf")], brokerPort, pids.MOSQUITTO_PID);
  const web = new Server(
    ["nginx", "-c", path("nginx.conf"), "-p", path("nginx"), "-e", path("nginx", "error.log")],
    webPort,
    pids.NGINX_PID,
  );
  await Promise.all([broker.start(), web.start()]);

  const brokerUrl = `mqtts://127.0.0.1:${brokerPort}`;
  const as = (name: string) => {
    const [ca = "", cert = "", key = ""] = ["ca.pem", `${name}.pem`, `${name}.key`].map((file) =>
      path("fleet", name, file),
    );
    return { ca, cert, key };
  };
  const gates: Gate[] = [];
  return {
    dir,
    brokerUrl,
    webUrl: `https://127.0.0.1:${webPort}/`,
    broker,
    web,
    fleet,
    script,
    feed: (command, ...args) => {
      const { ca, cert, key } = as("centre");
      return grindvakt(["feed", command ?? "", ...args, "--ca", ca, "--cert", cert, "--key", key]);
    },
    consumer: (database) => {
      const { ca, cert, key } = as("consumer");
      const tls = { MQTT_CA: ca, MQTT_CERT: cert, MQTT_KEY: key };
      return startConsumer({ ...database, ...tls, MQTT_URL: brokerUrl, GAP_SECONDS: "2" });
    },
    async addGate(name, site) {
      await succeed(script("add-gate", name, "--site", site, "--workplace", "8112345678"));
      const gate = new Gate(name, site, path("boxes", name));
      await cp(join(fleet, "gates", name), gate.dir, { recursive: true });
      gates.push(gate);
      return gate;
    },
    async dispose() {
      await Promise.all(gates.map((gate) => gate.end("SIGKILL")));
      await Promise.all([broker.end("SIGKILL"), web.end("SIGTERM")]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** What a site's technician does to the template: here, devices that a test can use. */
async function equipWithVirtualDevices(template: string): Promise<void> {
  const text = (await readFile(template, "utf8"))
    .replace(/driver: serial, port: [^,]+, reads: card-number/g, "driver: virtual")
    .replace(/relay: \{.*\}/g, "relay: { driver: virtual, pulseMs: 50 }\n    repeatSeconds: 0")
    .replace("/var/lib/grindvakt", "./data")
    .replace("127.0.0.1:8606", "127.0.0.1:0");
  await writeFile(template, text);
}

/** As Debian's own /etc/mosquitto/mosquitto.conf, with this machine's account. */
function mosquittoConf(dir: string): string {
  return `user ${userInfo().username}
persistence true
persistence_location ${dir}/
log_dest stderr
include_dir ${dir}/fleet/broker
`;
}

function nginxConf(dir: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${dir}/nginx;`,
  );
  const user = userInfo().uid === 0 ? "user root;" : "";
  return `daemon off;
${user}
pid ${dir}/nginx/nginx.pid;
events {}
http {
  ${temporary.join("\n  ")}
  access_log ${dir}/nginx/access.log;
  include ${dir}/fleet/web/feed.conf;
}
`;
}

export async function succeed(ending: Promise<Ended>): Promise<Ended> {
  const ended = await ending;
  if (ended.code !== 0) throw new Error(`ended with ${ended.code}: ${ended.stderr}${ended.stdout}`);
  return ended;
}
