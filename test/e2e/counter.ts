/**
 * Commands of the built program, asked of one process that has loaded it: a start takes a tenth of a second, and what is asked over and
 * over would spend it over and over. That commands start, print and end as processes of their own is for `grindvakt` of `site.ts`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const PROGRAM = fileURLToPath(new URL("../../dist/daemon/cli.js", import.meta.url));

const COUNTER = fileURLToPath(new URL("./counter.js", import.meta.url));

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  cwd?: string;
  /** Besides this process's own; undefined takes one away. */
  env?: NodeJS.ProcessEnv;
}

const shared: { counter: ChildProcess | null; last: Promise<unknown>; count: number } = {
  counter: null,
  last: Promise.resolve(),
  count: 0,
};

/** As `grindvakt`; one after the other, whoever asks. Not for what runs on until it is told, or ends its process itself. */
export function ask(args: readonly string[], surroundings: Surroundings = {}): Promise<Ended> {
  const answer = shared.last.then(() => askNow(args, surroundings));
  shared.last = answer.catch(() => undefined);
  return answer;
}

async function askNow(
  args: readonly string[],
  { cwd = process.cwd(), env = {} }: Surroundings,
): Promise<Ended> {
  const counter = shared.counter ?? open();
  const answered = new AbortController();
  const gone = once(counter, "exit", { signal: answered.signal }).then(() => {
    throw new Error(`grindvakt ${args.join(" ")} broke the process that carried it out`);
  });
  try {
    const answer = once(counter, "message", { signal: answered.signal });
    counter.send({ args, cwd, env: { ...process.env, ...env }, count: shared.count++ });
    return ((await Promise.race([answer, gone])) as [Ended])[0];
  } finally {
    answered.abort();
  }
}

/** Ends with this process, or when it breaks. */
function open(): ChildProcess {
  const counter = spawn(process.execPath, [COUNTER, PROGRAM], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  shared.counter = counter;
  counter.once("exit", () => {
    shared.counter = null;
  });
  counter.unref();
  counter.channel?.unref();
  return counter;
}
