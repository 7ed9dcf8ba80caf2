/** A gate in a Debian root, with its broker, its reader's line and a listening centre outside. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { stringify } from "yaml";
import { type Ear, listen } from "../e2e/ear.ts";
import { makeFeedDir, until } from "../e2e/site.ts";
import { startMosquitto } from "../peers/mosquitto.ts";
import { TcpDevice } from "../peers/tcp-device.ts";
import type { Root } from "./root.ts";

export const FILE = "/etc/grindvakt/grindvakt.yaml";
/** A first start on a busy machine. */
const startMsMax = 60_000;

export interface Around {
  ear: Ear;
  line: TcpDevice;
  /** Writes the configuration and what it names into a root, as an installer does by hand. */
  configure(root: Root): Promise<void>;
}

export async function setAround(): Promise<Around> {
  const broker = await startMosquitto();
  onTestFinished(() => broker.dispose());
  const ear = await listen(broker);
  onTestFinished(() => ear.stop());
  const line = await TcpDevice.listen();
  onTestFinished(() => line.vanish());
  const feed = await makeFeedDir();
  onTestFinished(() => feed.dispose());
  return {
    ear,
    line,
    configure: async (root) => {
      await mkdir(root.path("/etc/grindvakt"), { recursive: true });
      await root.bring(join(feed.dir, "feed"), "/srv");
      await root.bring(join(feed.dir, "feed/root.json"), "/etc/grindvakt");
      const configuration = {
        gateway: { id: "gate-07", site: "slussen" },
        cards: { feed: "/srv/feed", root: "./root.json", name: "test", refreshSeconds: 5 },
        readers: [{ id: "north-in-1", driver: "serial", port: `tcp://127.0.0.1:${line.port}` }],
        accessPoints: [
          {
            id: "north-in",
            direction: "entry",
            readers: ["north-in-1"],
            relay: { driver: "virtual" },
            repeatSeconds: 0,
          },
        ],
        mqtt: { urls: [broker.url] },
      };
      await writeFile(root.path(FILE), stringify(configuration));
    },
  };
}

/** The daemon in the root, as its own account. */
export class Service {
  readonly #child: ChildProcess;
  #said = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#said += text;
      });
  }

  static async start(root: Root, { line }: Around): Promise<Service> {
    const service = new Service(root.start(["/usr/bin/grindvakt", "run", "-c", FILE], "grindvakt"));
    onTestFinished(() => service.end("SIGKILL"));
    await until(
      () => `the gateway starts; it said: ${service.#said}`,
      () => {
        if (service.#child.exitCode !== null) throw new Error(`the gateway ended: ${service.#said}`);
        return (service.#said.includes("card list in force") && line.connections > 0) || null;
      },
      startMsMax,
    );
    return service;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, "close");
  }
}
