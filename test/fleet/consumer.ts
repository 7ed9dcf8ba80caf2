/** The built consumer as a child process, and what its database holds. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type pg from "pg";
import { until } from "../e2e/site.ts";
import { type Postgres, startPostgres } from "../peers/postgres.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../dist-examples/consumer");
const SCHEMA = resolve(import.meta.dirname, "../../examples/consumer/schema.sql");

/** An empty database with the documented schema, read as the documented reader. */
export async function startDatabase(): Promise<{ postgres: Postgres; owner: pg.Client; reader: pg.Client }> {
  const postgres = await startPostgres();
  const owner = await postgres.connect("owner");
  const schema = await readFile(SCHEMA, "utf8");
  // Twice, as it says that it can be.
  await owner.query(schema);
  await owner.query(schema);
  return { postgres, owner, reader: await postgres.connect("grindvakt_reader") };
}

export interface Consumer {
  pid: number;
  log(): string;
  /** Waits until it has said so this many times. */
  said(what: string, times?: number): Promise<void>;
  kill9(): Promise<void>;
  end(): Promise<number | null>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export function startConsumer(env: NodeJS.ProcessEnv): Consumer {
  const child = spawn(process.execPath, [resolve(EXAMPLES, "main.js")], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (text: Buffer) => {
      log += text;
    });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    }
    running.delete(child);
    return child.exitCode;
  };
  return {
    pid: child.pid ?? 0,
    log: () => log,
    said: async (what, times = 1) => {
      await until(
        () => `the consumer says ${what} ${times} times; it said: ${log}`,
        () => log.split(`"what":"${what}"`).length > times || null,
      );
    },
    kill9: async () => void (await end("SIGKILL")),
    end: () => end("SIGTERM"),
  };
}

/** The built proof, over these gateways. */
export function verify(
  database: NodeJS.ProcessEnv,
  ...gateways: string[]
): Promise<{ code: number; stdout: string }> {
  return new Promise((done) => {
    const env = { ...process.env, ...database };
    execFile(process.execPath, [resolve(EXAMPLES, "verify.js"), ...gateways], { env }, (error, stdout) =>
      done({ code: error === null ? 0 : Number(error.code), stdout }),
    );
  });
}

/** Ends what is still running. */
export async function endConsumers(): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
}
