/**
 * A real PostgreSQL in a temporary directory of its own, reached by a socket in it, with an empty database. It does not run as root, so
 * root starts it as `postgres`. Ends only the process it started.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

const START_MS_MAX = 30_000;
const DATABASE = "grindvakt";

export interface Postgres {
  /** What a program finds it by: PGHOST and so on; a role of that name may come in. */
  env(role: string): NodeJS.ProcessEnv;
  /** A connection of the role, ended with the server. */
  connect(role: string): Promise<pg.Client>;
  /** As `pg_ctl stop -m immediate`: as if the power was cut. */
  kill(): Promise<void>;
  start(): Promise<void>;
  dispose(): Promise<void>;
}

export async function startPostgres(): Promise<Postgres> {
  const programs = findPrograms();
  const directory = await mkdtemp(join(tmpdir(), "postgres-"));
  const data = join(directory, "data");
  const account = process.getuid?.() === 0 ? accountOf("postgres") : null;
  const as = account ?? {};
  if (account !== null) chownSync(directory, account.uid, account.gid);
  const trust = ["--auth=trust", "--username=owner", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
  execFileSync(join(programs, "initdb"), ["-D", data, ...trust], { ...as, stdio: "ignore", cwd: directory });
  let child: ChildProcess | null = null;
  let log = "";
  const clients = new Set<pg.Client>();

  async function start(): Promise<void> {
    const settings = ["listen_addresses=", `unix_socket_directories=${directory}`].flatMap((set) => [
      "-c",
      set,
    ]);
    const started = spawn(join(programs, "postgres"), ["-D", data, ...settings], {
      ...as,
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = started;
    started.stderr?.on("data", (text: Buffer) => {
      log = (log + text).slice(-20_000);
    });
    const untilMs = performance.now() + START_MS_MAX;
    while (started.exitCode === null && performance.now() < untilMs) {
      const client = new pg.Client({ host: directory, user: "owner", database: "postgres" });
      const came = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => undefined);
      if (came) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`PostgreSQL did not start: ${log}`);
  }

  async function kill(): Promise<void> {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null) return;
    const exited = once(ending, "exit");
    ending.kill("SIGQUIT");
    await exited;
  }

  const killAtExit = () => void child?.kill("SIGQUIT");
  process.on("exit", killAtExit);
  const env = (role: string) => ({ PGHOST: directory, PGUSER: role, PGDATABASE: DATABASE });
  const connect = async (role: string, database = DATABASE): Promise<pg.Client> => {
    const client = new pg.Client({ host: directory, user: role, database });
    // A server that is killed under it.
    client.on("error", () => undefined);
    await client.connect();
    clients.add(client);
    return client;
  };
  await start();
  await (await connect("owner", "postgres")).query(`create database ${DATABASE}`);
  return {
    env,
    connect: (role) => connect(role),
    kill,
    start,
    async dispose() {
      await Promise.all([...clients].map((client) => client.end().catch(() => undefined)));
      await kill();
      process.off("exit", killAtExit);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Debian keeps them apart by version; the newest. */
function findPrograms(): string {
  const versions = join("/usr/lib", "postgresql");
  const [newest] = readdirSync(versions).sort((a, b) => Number(b) - Number(a));
  if (newest === undefined) throw new Error("PostgreSQL is not installed: apt-get install postgresql");
  return join(versions, newest, "bin");
}

function accountOf(name: string): { uid: number; gid: number } {
  const [uid = 0, gid = 0] = ["-u", "-g"].map((flag) =>
    Number(execFileSync("id", [flag, name], { encoding: "utf8" })),
  );
  return { uid, gid };
}
