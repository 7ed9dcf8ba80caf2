/** A fleet of gateways in a few processes, and since when each has which revision. Ends only the processes it started. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { busyMsOf } from "../test/peers/nginx.ts";
import type { FleetOrder, FromFleet } from "./fleet-gateways.ts";

const PROGRAM = fileURLToPath(new URL("./fleet-gateways.js", import.meta.url));
const LOOK_MS = 20;

export class Fleet {
  readonly gateways: number;
  readonly #children: ChildProcess[] = [];
  readonly #up = new Set<number>();
  /** By revision, when each gateway had it. */
  readonly #atMs = new Map<number, number[]>();
  /** What was refused since it was last asked, by name. */
  #refusals = new Map<string, number>();
  #ended: string | null = null;

  constructor(order: Omit<FleetOrder, "first" | "count">, gateways: number, processes: number) {
    this.gateways = gateways;
    for (let number = 0; number < processes; number += 1) {
      const first = Math.round((gateways * number) / processes);
      const child = fork(PROGRAM);
      child.on("message", (word: FromFleet) => this.#hear(word));
      child.once("exit", (code) => {
        this.#ended = `a process of the fleet ended with ${code}`;
      });
      const count = Math.round((gateways * (number + 1)) / processes) - first;
      child.send({ ...order, first, count } satisfies FleetOrder);
      this.#children.push(child);
    }
  }

  #hear(word: FromFleet): void {
    if (word.kind === "up") this.#up.add(word.gateway);
    else if (word.kind === "has") this.#atMs.set(word.revision, [...this.hadAtMs(word.revision), word.atMs]);
    else this.#refusals.set(word.name, (this.#refusals.get(word.name) ?? 0) + 1);
  }

  /** Processor time of all its processes so far. */
  busyMs(): number {
    return this.#children.reduce((sum, child) => sum + busyMsOf(child), 0);
  }

  hadAtMs(revision: number): readonly number[] {
    return this.#atMs.get(revision) ?? [];
  }

  refusals(): Record<string, number> {
    const told = Object.fromEntries(this.#refusals);
    this.#refusals = new Map();
    return told;
  }

  /** Resolves when all gateways hear announcements. */
  connected(patienceMs: number): Promise<void> {
    return this.#until(() => this.#up.size, patienceMs, "are connected to the broker");
  }

  /** Resolves when all gateways have it. */
  has(revision: number, patienceMs: number): Promise<void> {
    return this.#until(() => this.hadAtMs(revision).length, patienceMs, `have revision ${revision}`);
  }

  async #until(count: () => number, patienceMs: number, what: string): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    while (count() < this.gateways) {
      if (this.#ended !== null) throw new Error(this.#ended);
      if (performance.now() > untilMs)
        throw new Error(`${count()} of ${this.gateways} gateways ${what} after ${patienceMs / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
  }
}
