/** The demo as a new user starts it: the built program, in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";

const STOP_MS_MAX = 10_000;

export interface Demo {
  consoleUrl: string;
  /** Its configuration file. */
  settings: string;
  password: string;
  /** Cards to try, as it prints them, with what is said of them. */
  cards: { card: string; reason: string }[];
  /** Holds a card against its reader. */
  tap(card: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startDemo(): Promise<Demo> {
  const child = spawn(process.execPath, ["dist/daemon/cli.js", "demo"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let text = "";
  child.stdout.setEncoding("utf8");
  await new Promise<void>((done, fail) => {
    child.stdout.on("data", (piece: string) => {
      text += piece;
      if (text.includes("Ctrl-C ends the demo")) done();
    });
    exited.then(() => fail(new Error(`the demo ended: ${text}`)));
  });
  const part = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? "";
  const port = Number(part(/nc -w 1 127\.0\.0\.1 (\d+)/));
  return {
    consoleUrl: part(/console +(http\S+)/),
    settings: part(/settings +(\S+)/),
    password: part(/to sign in: (\S+)/),
    cards: [...text.matchAll(/printf '(BB-[\d-]+)\\r\\n'.*# (\S+)/g)].map(([, card, reason]) => ({
      card: card!,
      reason: reason!,
    })),
    async tap(card) {
      const line = connect(port, "127.0.0.1");
      await once(line, "connect");
      line.end(`${card}\r\n`);
      await once(line, "close");
    },
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
      await exited;
      clearTimeout(timer);
    },
  };
}
