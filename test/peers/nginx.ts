/**
 * A real nginx in front of a feed, on a free loopback port, with the configuration of docs/nginx-feed.conf; and what it
 * was asked. Ends only the process it started.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, readFileSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { get as getHttp } from "node:http";
import { get as getHttps } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Issued } from "./certificates.ts";
import { freePort } from "./mosquitto.ts";

export interface NginxOptions {
  /** The folder it serves. */
  root: string;
  /** `docs/nginx-feed.conf`. */
  documented: string;
  /** Without it, plain http. */
  certificate?: Issued;
}

/** A line of its access log. `atMs`: wall time at which the answer was done. */
export interface Asked {
  atMs: number;
  status: number;
  sentBytes: number;
  receivedBytes: number;
  path: string;
}

export interface Nginx {
  /** With a slash at its end. */
  url: string;
  /** Answers so far, beginning after the first `from`. */
  asked(from?: number): Promise<Asked[]>;
  /** Processor time it has used in all its lives, in ms. */
  busyMs(): number;
  stop(): Promise<void>;
  /** On the same port; `lines` are put into the `server` block. */
  start(lines?: readonly string[]): Promise<void>;
  /** Stops it and removes its directory. */
  dispose(): Promise<void>;
}

const START_MS_MAX = 20_000;
const CLOCK_TICK_MS = 10;
/** Nobody else asks for it. */
const PROBE = "/until-here";
const LOG_FORMAT = "'$msec $status $bytes_sent $request_length $request_uri'";

export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const program = findNginx();
  const directory = await mkdtemp(join(tmpdir(), "nginx-"));
  const config = join(directory, "nginx.conf");
  const log = join(directory, "access.log");
  const port = await freePort();
  await mkdir(join(directory, "temporary"));
  await writeFile(log, "");
  let child: ChildProcess | null = null;
  let errors = "";
  let busyBeforeMs = 0;

  async function start(lines: readonly string[] = []): Promise<void> {
    await writeFile(config, await configOf(options, { directory, log, port, lines }));
    const started = spawn(program, ["-c", config, "-p", directory, "-e", join(directory, "error.log")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = started;
    started.stderr?.on("data", (text: Buffer) => {
      errors = (errors + text).slice(-10_000);
    });
    await answers(port, started, () => errors);
  }

  async function stop(): Promise<void> {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    busyBeforeMs += busyMsOf(ending);
    const exited = once(ending, "exit");
    ending.kill("SIGTERM");
    await exited;
  }

  // A bench that fails before it disposes of its server must not leave it behind.
  const killAtExit = () => void child?.kill("SIGKILL");
  process.on("exit", killAtExit);
  async function dispose(): Promise<void> {
    await stop();
    process.off("exit", killAtExit);
    await rm(directory, { recursive: true, force: true });
  }

  await start().catch(async (error) => {
    await dispose();
    throw error;
  });
  const url = `${options.certificate === undefined ? "http" : "https"}://127.0.0.1:${port}/`;
  return {
    url,
    asked: async (from = 0) => {
      if (child !== null) await probe(new URL(PROBE, url));
      return (await readLog(log)).filter(({ path }) => path !== PROBE).slice(from);
    },
    busyMs: () => busyBeforeMs + (child === null ? 0 : busyMsOf(child)),
    stop,
    start,
    dispose,
  };
}

/** The documented server, on our port, with our folder and certificate, in one process that stays in the foreground. */
async function configOf(
  { root, documented, certificate }: NginxOptions,
  place: { directory: string; log: string; port: number; lines: readonly string[] },
): Promise<string> {
  const { directory, log, port, lines } = place;
  const ssl = certificate === undefined ? "" : " ssl";
  const server = (await readFile(documented, "utf8"))
    .replace(
      /^ *ssl_certificate .*$/m,
      certificate === undefined ? "" : `ssl_certificate ${certificate.certFile};`,
    )
    .replace(
      /^ *ssl_certificate_key .*$/m,
      certificate === undefined ? "" : `ssl_certificate_key ${certificate.keyFile};`,
    )
    .replace(/^ *listen .*$/m, `listen 127.0.0.1:${port}${ssl} backlog=4096;\n${lines.join("\n")}`)
    .replace(/^ *root .*$/m, `root ${root};`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${directory}/temporary;`,
  );
  return `daemon off;
master_process off;
pid ${directory}/nginx.pid;
worker_rlimit_nofile 65536;
events { worker_connections 16384; }
http {
  default_type application/octet-stream;
  ${temporary.join("\n  ")}
  log_format fleet ${LOG_FORMAT};
  access_log ${log} fleet;
  ${server}
}
`;
}

async function readLog(path: string): Promise<Asked[]> {
  const file = await open(path, "r");
  try {
    const text = await file.readFile("utf8");
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const [seconds, status, sentBytes, receivedBytes, path] = line.split(" ");
        return {
          atMs: Number(seconds) * 1000,
          status: Number(status),
          sentBytes: Number(sentBytes),
          receivedBytes: Number(receivedBytes),
          path: path ?? "",
        };
      });
  } finally {
    await file.close();
  }
}

/** Processor time in ms, user and system (proc(5), `stat`, fields 14 and 15); NaN once the process is gone. */
export function busyMsOf({ pid }: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
  } catch {
    return Number.NaN;
  }
}

function findNginx(): string {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  for (const directory of directories) {
    const path = join(directory, "nginx");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  throw new Error("nginx is not installed: apt-get install nginx-light");
}

/** An answer is logged after it was sent: once this one has come, those before it stand in the log. */
async function probe(url: URL): Promise<void> {
  const get = url.protocol === "http:" ? getHttp : getHttps;
  const asking = get(url, { agent: false, rejectUnauthorized: false });
  const [reply] = await once(asking, "response");
  await once(reply.resume(), "end");
}

/** Resolves once something listens on the port. */
async function answers(port: number, child: ChildProcess, errors: () => string): Promise<void> {
  const untilMs = performance.now() + START_MS_MAX;
  while (performance.now() < untilMs && child.exitCode === null) {
    const socket = connect(port, "127.0.0.1");
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nginx did not start on port ${port}: ${errors()}`);
}
