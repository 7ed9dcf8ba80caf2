/** A gateway in the guest with a broker and a centre outside: what `test/e2e/stage.ts` is, on a machine with plugs. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { inject, onTestFinished, type TestContext } from "vitest";
import type { ReaderState } from "../../daemon/gate/reader-state.ts";
import { type Ear, listen, P } from "../e2e/ear.ts";
import { type Configuration, makeFeedDir, makeSite, type Site, until } from "../e2e/site.ts";
import { type Heard, type Mosquitto, startMosquitto } from "../peers/mosquitto.ts";
import { Guest } from "./guest.ts";

/** A second on a Pi. The first start on a machine that is translated, beside other work, has taken half a minute. */
const startMsMax = 180_000;

/** Whether only few rounds of each are asked for. */
export const isShort = inject("short");

/** Ends the test as not run where the gateway has no such driver. */
export function needs({ skip }: TestContext, types: readonly string[], type: string): void {
  if (!types.includes(type)) skip(`this version has no driver ${type}`);
}

/** The machine that all tests share. */
export function guest(): Guest {
  return new Guest(inject("place"));
}

export interface Gate {
  guest: Guest;
  site: Site;
  ear: Ear;
  broker: Mosquitto;
  /** Where the guest finds the broker. */
  guestPort: number;
  /** `heard`: where its states arrive; the ear's, when nobody else is named. */
  run(heard?: readonly Heard[]): Promise<Daemon>;
}

/**
 * Sets it all up, for as long as the test runs. `configure` has the last word; nothing is started yet. `wire`: gives the port of ours by
 * which the gateway is to reach the broker.
 */
export async function setGate(
  configure: (configuration: Configuration) => void,
  wire: (brokerPort: number) => Promise<number> = async (brokerPort) => brokerPort,
): Promise<Gate> {
  const machine = guest();
  // Whatever the helpers write lies where both sides see it.
  process.env.TMPDIR = machine.place.shared;
  const broker = await startMosquitto();
  onTestFinished(() => broker.dispose());
  const ear = await listen(broker);
  onTestFinished(() => ear.stop());
  const feed = await makeFeedDir();
  onTestFinished(() => feed.dispose());
  const port = await machine.lead(await wire(broker.port));
  const dataDir = `/var/lib/grindvakt-${port}`;
  const site = await makeSite(feed.dir, "/dev/null", (configuration) => {
    configuration.mqtt = { urls: [`mqtt://127.0.0.1:${port}`] };
    configuration.dataDir = dataDir;
    delete configuration.console;
    delete configuration.cards.tokenKey;
    configuration.cards.refreshSeconds = 60;
    configure(configuration);
  });
  onTestFinished(() => site.dispose());
  return {
    guest: machine,
    site,
    ear,
    broker,
    guestPort: port,
    async run(heard = ear.heard) {
      const daemon = await Daemon.start(machine, site.file, heard);
      onTestFinished(() => daemon.end("KILL"));
      return daemon;
    },
  };
}

/** A running gateway in the guest. */
export class Daemon {
  readonly #guest: Guest;
  readonly #heard: readonly Heard[];
  readonly #ssh: ChildProcess;
  readonly #exited: Promise<unknown>;
  #said = "";
  pid = 0;

  private constructor(machine: Guest, file: string, heard: readonly Heard[]) {
    this.#guest = machine;
    this.#heard = heard;
    this.#ssh = machine.start(`echo pid $$; exec node /house/dist/daemon/cli.js run -c ${file} 2>&1`);
    this.#exited = once(this.#ssh, "exit");
    this.#ssh.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
  }

  static async start(machine: Guest, file: string, heard: readonly Heard[]): Promise<Daemon> {
    const daemon = new Daemon(machine, file, heard);
    await until(
      () => `the gateway starts in the guest; it said: ${daemon.#said}`,
      () => {
        if (daemon.#ssh.exitCode !== null) throw new Error(`the gateway ended: ${daemon.#said}`);
        return daemon.#said.includes("grindvakt runs") || null;
      },
      startMsMax,
    );
    const hasList = ({ topic, payload }: { topic: string; payload: string }): boolean =>
      topic === `${P}/state/list` && JSON.parse(payload).revision !== null;
    await until("a list is in force", () => heard.some(hasList) || null, startMsMax);
    daemon.pid = Number(/pid (\d+)/.exec(daemon.#said)?.[1]);
    return daemon;
  }

  get said(): string {
    return this.#said;
  }

  /** What the retained state of a reader says now. */
  reader(id: string): ReaderState | null {
    const topic = `${P}/state/readers/${id}`;
    const last = this.#heard.findLast((message) => message.topic === topic);
    return last === undefined ? null : (JSON.parse(last.payload) as ReaderState);
  }

  /** Waits until a reader is so, and gives the state it is in. */
  readerIs(id: string, state: ReaderState["state"]): Promise<ReaderState> {
    return until(
      () => `reader ${id} is ${state}; it is ${JSON.stringify(this.reader(id))}; ${this.#said.slice(-500)}`,
      () => {
        const now = this.reader(id);
        return now?.state === state ? now : null;
      },
    );
  }

  /** How many files, devices and sockets it holds open; the fewest of some looks, as files are opened for a moment. */
  async handles(): Promise<number> {
    const look = `ls /proc/${this.pid}/fd | wc -l`;
    return Number(
      await this.#guest.sh(`for look in 1 2 3 4 5 6; do ${look}; sleep 0.1; done | sort -n | head -n 1`),
    );
  }

  async end(signal: "TERM" | "KILL" = "TERM"): Promise<void> {
    if (this.#ssh.exitCode !== null) return;
    await this.#guest.run(`kill -${signal} ${this.pid}`);
    await this.#exited;
  }
}
