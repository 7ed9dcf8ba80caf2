/**
 * Tells the service manager (systemd) how the process is: ready, alive, stopping. Its socket takes datagrams, which Node cannot
 * send; systemd's own tool can. Forking this process for each message would stall the loop by up to 20 ms, so one `xargs`,
 * started once, starts the tool for each line it is given: both are on every machine that has systemd, and no shell is in between.
 */
import { type ChildProcess, spawn } from "node:child_process";

/** Words for people, in one line; the manager shows no more of them. */
const STATUS_CHARS_MAX = 200;
/** A message is two words: what happened, and how it is. */
const WORDS = 2;
/** Twice may be missed before the manager takes the process for dead. */
const FEEDS_PER_WATCHDOG = 3;

export interface ServiceManager {
  /** How often it wants to hear `WATCHDOG`; null: never. */
  readonly feedMs: number | null;
  /** Never throws and never waits. `status`: shown to people. */
  tell(what: "READY" | "WATCHDOG" | "STOPPING", status: string): void;
  /** What was told before still arrives. */
  stop(): void;
}

/** Null where nobody is to be told: started by hand, or by another manager. */
export function createServiceManager(
  environment: Readonly<Record<string, string | undefined>>,
  failed: (why: string) => void,
): ServiceManager | null {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: limitUs, WATCHDOG_PID: pid } = environment;
  if (socket === undefined || socket === "") return null;
  const limitMs = Number(limitUs) / 1_000;
  const isWatched = limitMs > 0 && (pid === undefined || Number(pid) === process.pid);
  const pipe = new Pipe(failed);
  return {
    feedMs: isWatched ? limitMs / FEEDS_PER_WATCHDOG : null,
    tell: (what, status) => pipe.write(`${what}=1\nSTATUS=${oneLine(status)}\n`),
    stop: () => pipe.end(),
  };
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, " ").slice(0, STATUS_CHARS_MAX);
}

/** The child is started at the first word, and anew at the next one where it has gone. */
class Pipe {
  readonly #failed: (why: string) => void;
  #child: ChildProcess | null = null;

  constructor(failed: (why: string) => void) {
    this.#failed = failed;
  }

  write(text: string): void {
    this.#child ??= this.#start();
    this.#child.stdin?.write(text);
  }

  end(): void {
    this.#child?.stdin?.end();
    this.#child = null;
  }

  #start(): ChildProcess {
    const args = ["--delimiter=\\n", `--max-args=${WORDS}`, "systemd-notify"];
    const child = spawn("xargs", args, { stdio: ["pipe", "ignore", "ignore"] });
    const gone = (why: string): void => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#failed(why);
    };
    child.on("error", (error) => gone(error.message));
    child.on("exit", (code, signal) => gone(`xargs ended by ${signal ?? `code ${code}`}`));
    child.stdin?.on("error", () => undefined);
    child.unref();
    (child.stdin as { unref?: () => void } | null)?.unref?.();
    return child;
  }
}
