/**
 * A site as its owner has it: a feed, a configuration file, and the built program as a child process. Everything lies in one fresh
 * directory; only processes started here are ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { stringify } from "yaml";
import { centreWorld } from "../../daemon/commands/centre.ts";
import type { Status } from "../../daemon/report/status.ts";
import type { Clock } from "../../drivers/ports.ts";
import { createSystemClock, systemRandom } from "../../drivers/system.ts";
import { publishCards } from "../../sync/publish.ts";
import { readCsv } from "../../sync/publish-csv.ts";
import { initFeed } from "../../sync/publish-feed.ts";
import type { Pty } from "../peers/pty.ts";
import { ask, type Ended, PROGRAM, type Surroundings } from "./counter.ts";

/** In whose place another one may be named that does the same: of an emulated processor (`test/arm/`). */
const { TEST_NODE: NODE = process.execPath } = process.env;
/** Everything here takes well under a second; a busy machine is given much longer, and an emulated processor longer. */
const PATIENCE_MS = NODE === process.execPath ? 60_000 : 200_000;
/** What comes soon is seen soon; what takes long is not slowed down by being looked at. */
const LOOK_MS_FIRST = 5;
const LOOK_MS_MAX = 80;

/** A card for each thing the list can say. */
export const CARDS = {
  granted: "BB-2611-000001",
  "not-activated": "BB-2611-000002",
  blocked: "BB-2611-000003",
  suspended: "BB-2611-000004",
  terminated: "BB-2611-000005",
  superseded: "BB-2611-000006",
  expired: "BB-2611-000007",
  unknown: "BB-2611-000008",
} as const;

/** Of every site made here. */
export const TOKEN_KEY = "0123456789abcdef".repeat(4);

const LIST = `number,status,valid_until,tokens
${CARDS.granted},active,,uid:04A1B2C3D4E5F6 uid:1A2B3C4D
${CARDS["not-activated"]},not-activated,,
${CARDS.blocked},blocked,2099-12-31,
${CARDS.suspended},suspended,,
${CARDS.terminated},terminated,,
${CARDS.superseded},superseded,,
${CARDS.expired},active,2020-02-29,
`;

/** Asks until it is so. `probe` gives what was waited for, or null; `what` is told when it never comes. */
export async function until<Found>(
  what: string | (() => string),
  probe: () => Promise<Found | null> | Found | null,
  patienceMs = PATIENCE_MS,
): Promise<Found> {
  const deadlineMs = performance.now() + patienceMs;
  for (let lookMs = LOOK_MS_FIRST; ; lookMs = Math.min(2 * lookMs, LOOK_MS_MAX)) {
    const found = await probe();
    if (found !== null) return found;
    if (performance.now() > deadlineMs)
      throw new Error(`waited in vain: ${typeof what === "string" ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** The program as a child process; what it says is kept as it comes. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stdout = "";
  stderr = "";

  constructor(
    args: readonly string[],
    { cwd, env = {}, input = false }: Surroundings & { input?: boolean } = {},
  ) {
    this.child = spawn(NODE, [PROGRAM, ...args], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, ...env },
      stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((done) => this.child.once("close", (code, signal) => done({ code, signal })));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Types a line, where it was given an input. */
  type(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  async end(signal: NodeJS.Signals = "SIGTERM") {
    this.child.kill(signal);
    return this.exited;
  }

  /** Waits for a line on either output. */
  said(words: string | RegExp): Promise<string> {
    const told = (): string => `the program says ${words}; it said: ${this.stdout}${this.stderr}`;
    return until(told, () => {
      if (this.child.exitCode !== null) throw new Error(`the program ended: ${this.stdout}${this.stderr}`);
      const lines = `${this.stdout}\n${this.stderr}`.split("\n");
      return (
        lines.find((line) => (typeof words === "string" ? line.includes(words) : words.test(line))) ?? null
      );
    });
  }
}

/** Runs a command to its end, as a process of its own. */
export async function grindvakt(args: readonly string[], surroundings: Surroundings = {}): Promise<Ended> {
  const program = new Program(args, surroundings);
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** `feed` and `feed.keys` in `dir`, as `feed init` and `feed publish` make them. */
export async function makeFeed(dir: string, list = LIST, clock: Clock = createSystemClock()): Promise<void> {
  const keysDir = join(dir, "feed.keys");
  const place = { dir: join(dir, "feed"), keysDir, rootKeysDir: keysDir, passphrase: null };
  const centre = centreWorld({ clock, random: systemRandom });
  await initFeed(place, "test", centre);
  const rows = readCsv(Readable.from([Buffer.from(list)]));
  await publishCards(place, rows, { allowChange: 0, dryRun: false }, centre, () => undefined);
}

/** A running daemon. */
export class Daemon extends Program {
  #console: string | null = null;

  /** Resolves once it decides. */
  async ready(): Promise<this> {
    const line = await this.said("grindvakt runs");
    this.#console = (JSON.parse(line) as { console: string | null }).console;
    return this;
  }

  /** Resolves once a list is in force and a reader is up. */
  async healthy(): Promise<this> {
    await until("/healthz answers 200", async () => (await fetch(`${this.#console}/healthz`)).ok || null);
    return this;
  }

  async status(): Promise<Status> {
    return (await (await fetch(`${this.#console}/api/status`)).json()) as Status;
  }

  async post(path: string, body: object): Promise<void> {
    const headers = { "content-type": "application/json" };
    const reply = await fetch(`${this.#console}${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  }

  /** Waits until the status is so. */
  become(what: string, isSo: (status: Status) => boolean): Promise<Status> {
    return until(what, async () => {
      const status = await this.status();
      return isSo(status) ? status : null;
    });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a configuration is what the test writes, wrong ones too
export type Configuration = Record<string, any>;

export interface Site {
  dir: string;
  /** Its configuration file. */
  file: string;
  run(env?: NodeJS.ProcessEnv): Promise<Daemon>;
  /** A command about this site, asked as `ask` does: `-c` is added where it is not a `feed` command. */
  command(...args: string[]): Promise<Ended>;
  /** The same as a process of its own. */
  alone(...args: string[]): Promise<Ended>;
  /** The journal's lines, with their hashes, in order. */
  journal(): Promise<{ seq: number; id?: string; type: string; chain: string; data: Configuration }[]>;
  /** Ends what was started here and removes the directory. */
  dispose(): Promise<void>;
}

/** `configure` changes the configuration of a gate that has one reader at `port`. */
export async function makeSite(
  feedDir: string,
  port: string,
  configure: (configuration: Configuration) => Promise<void> | void = () => undefined,
): Promise<Site> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-site-"));
  for (const part of ["feed", "feed.keys"])
    await cp(join(feedDir, part), join(dir, part), { recursive: true });
  await cp(join(dir, "feed", "root.json"), join(dir, "root.json"));
  await writeFile(join(dir, "token.key"), TOKEN_KEY, { mode: 0o600 });
  const configuration: Configuration = {
    gateway: { id: "gate-07", site: "slussen", workplaceId: "8112345678", timeZone: "Europe/Stockholm" },
    dataDir: "./data",
    cards: {
      feed: "./feed",
      root: "./root.json",
      name: "test",
      refreshSeconds: 1,
      tokenKey: { file: "./token.key" },
    },
    readers: [{ id: "north-in-1", driver: "serial", port, reads: "card-number" }],
    accessPoints: [
      {
        id: "north-in",
        direction: "entry",
        readers: ["north-in-1"],
        relay: { driver: "virtual", pulseMs: 50 },
        repeatSeconds: 0,
      },
    ],
    console: { listen: "127.0.0.1:0" },
  };
  await configure(configuration);
  const file = join(dir, "gate.yaml");
  await writeFile(file, stringify(configuration));
  const words = (args: readonly string[]) => (args[0] === "feed" ? args : [...args, "-c", file]);
  const daemons: Daemon[] = [];
  return {
    dir,
    file,
    run(env = {}) {
      const daemon = new Daemon(["run", "-c", file], { env });
      daemons.push(daemon);
      return daemon.ready();
    },
    command: (...args) => (NODE === process.execPath ? ask : grindvakt)(words(args), { cwd: dir }),
    alone: (...args) => grindvakt(words(args), { cwd: dir }),
    journal: () => readJournal(join(dir, "data", "journal")),
    async dispose() {
      await Promise.all(daemons.map((daemon) => daemon.end("SIGKILL")));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function readJournal(dir: string): ReturnType<Site["journal"]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith(".ndjson")).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(dir, name), "utf8")));
  return texts
    .flatMap((text) => text.split("\n").slice(0, -1))
    .map((line) => ({
      ...(JSON.parse(line) as { seq: number; type: string; data: Configuration }),
      chain: createHash("sha256").update(line).digest("hex"),
    }));
}

/** A fresh directory with a feed of its own in it. */
export async function makeFeedDir(): Promise<{ dir: string; dispose(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-feed-"));
  await makeFeed(dir);
  return { dir, dispose: () => rm(dir, { recursive: true, force: true }) };
}

const shared: { feed: ReturnType<typeof makeFeedDir> | null } = { feed: null };

/** A directory with a feed in it that nobody changes: made once a process, and gone with the run's temporary directory. */
export async function sharedFeed(): Promise<string> {
  shared.feed ??= makeFeedDir();
  return (await shared.feed).dir;
}

/** Whatever stands at the far end of its line. */
type Board = Pick<Pty, "received">;

/** What a serial relay board was told, as whole commands: `1 on`, `1 off`; fails where it was told nonsense. */
export function relayCommands({ received }: Board): string[] {
  return Array.from({ length: Math.floor(received.length / 4) }, (_, index) => {
    const [start = 0, channel = 0, state = 0, sum = 0] = received.subarray(index * 4, index * 4 + 4);
    if (start !== 0xa0 || state > 1 || sum !== ((start + channel + state) & 0xff))
      throw new Error(`no command of the board: ${received.toString("hex")}`);
    return `${channel} ${state === 1 ? "on" : "off"}`;
  });
}

/** Waits until the board was told so; what was written is on its way for a moment. */
export function relayTold(
  board: Board,
  what: string,
  isSo: (commands: string[]) => boolean,
): Promise<string[]> {
  return until(
    () => `the board is told ${what}; it was told ${relayCommands(board)}`,
    () => (isSo(relayCommands(board)) ? relayCommands(board) : null),
  );
}
