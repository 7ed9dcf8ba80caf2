/** HID devices that the guest's kernel is made to see (`guest/uhid.py`): readers with reports, relay boards. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { until } from "../e2e/site.ts";
import type { Guest } from "./guest.ts";

type Told = { told: "created" | "destroyed" | "relay"; id: string; state?: number };

export class Uhid {
  /** Everything the devices told, in order. */
  readonly told: Told[] = [];
  readonly #ssh: ChildProcess;
  #failed = "";

  constructor(guest: Guest) {
    this.#ssh = guest.start("exec python3 -u /rig/uhid.py");
    this.#ssh.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#failed += text;
    });
    createInterface({ input: this.#ssh.stdout! }).on("line", (line) => this.told.push(JSON.parse(line)));
  }

  /**
   * `relay`: a board USBRelay2, 16c0:05df; `raw`, `text`: readers 0c27:3bfa and 0c27:3bfc with reports of 8 and 32 bytes; `store`:
   * 0c27:3bfb, which gives back the 8 bytes of feature report that it was sent last.
   */
  async create(id: string, kind: "raw" | "relay" | "store" | "text"): Promise<void> {
    await this.#tell({ do: "create", id, kind }, "created");
  }

  async destroy(id: string): Promise<void> {
    await this.#tell({ do: "destroy", id }, "destroyed");
  }

  /** One input report. */
  report(id: string, hex: string): void {
    this.#write({ do: "report", id, hex });
  }

  /** What a relay board has gone through: a bit a relay. */
  states(id: string): number[] {
    return this.told.flatMap((one) => (one.told === "relay" && one.id === id ? [one.state ?? 0] : []));
  }

  /** Pulls everything out. */
  async end(): Promise<void> {
    if (this.#ssh.exitCode !== null) return;
    this.#ssh.stdin?.end();
    await once(this.#ssh, "exit");
  }

  async #tell(command: { do: string; id: string; kind?: string }, told: Told["told"]): Promise<void> {
    const before = this.told.length;
    this.#write(command);
    const isIt = (one: Told) => one.told === told && one.id === command.id;
    const what = () => `${command.id} is ${told}; ${this.#failed}`;
    await until(what, () => this.told.slice(before).some(isIt) || null);
  }

  #write(command: object): void {
    this.#ssh.stdin?.write(`${JSON.stringify(command)}\n`);
  }
}
