/**
 * A serial device that is not there: a pseudo-terminal held by a socat process, with the device's end in our hands.
 * Unplugged, the terminal is hung up and its name vanishes; plugged in again it has the same name.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

const plugMsMax = 20_000;

export class Pty {
  /** The device's name, for a configuration. */
  readonly path: string;
  /** What the program wrote to the device since it was last plugged in. */
  received: Buffer = Buffer.alloc(0);
  readonly #dir: string;
  #socat: ChildProcessByStdio<Writable, Readable, null> | null = null;

  private constructor(dir: string) {
    this.#dir = dir;
    this.path = join(dir, "device");
  }

  /** A name in a fresh directory; `plug` makes the device. */
  static async make(): Promise<Pty> {
    return new Pty(await mkdtemp(join(tmpdir(), "grindvakt-pty-")));
  }

  get plugged(): boolean {
    return this.#socat !== null;
  }

  async plug(): Promise<void> {
    if (this.#socat) return;
    // `ignoreeof`: a program that closes the device and opens it again must find it.
    const args = [`pty,rawer,link=${this.path},ignoreeof`, "stdio"];
    const socat = spawn("socat", args, { stdio: ["pipe", "pipe", "ignore"] });
    const failed = Promise.race([once(socat, "exit"), once(socat, "error")]).then(() => {
      throw new Error("socat ended by itself: is it installed?");
    });
    failed.catch(() => {});
    socat.stdin.on("error", () => {});
    socat.stdout.on("data", (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.#socat = socat;
    const deadline = Date.now() + plugMsMax;
    while (!(await stat(this.path).catch(() => null))) {
      if (Date.now() > deadline) throw new Error("socat made no pseudo-terminal");
      await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 5))]);
    }
  }

  /** Takes its name away and hangs the line up. */
  async unplug(): Promise<void> {
    const socat = this.#socat;
    if (!socat) return;
    this.#socat = null;
    // The name first: the number of a terminal that is gone is soon another's.
    await rm(this.path, { force: true });
    const ended = once(socat, "exit");
    socat.kill("SIGKILL");
    await ended;
    this.received = Buffer.alloc(0);
  }

  /** Sends bytes from the device. Resolves when socat has been given them. */
  send(bytes: string | Uint8Array): Promise<void> {
    const socat = this.#socat;
    if (!socat) return Promise.reject(new Error("the device is not plugged in"));
    return new Promise((resolve, reject) => {
      socat.stdin.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Takes no more bytes from the program, as a device that has hung itself. */
  stall(): void {
    this.#socat?.stdout.pause();
  }

  async remove(): Promise<void> {
    await this.unplug();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
