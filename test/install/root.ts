/** A Debian in a folder: commands in it run with a /proc and a /dev of their own mounts, which end with them. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject, onTestFinished } from "vitest";

const run = promisify(execFile);
/** Mounted for the command alone; the command itself takes the place of the shell, so that signals reach it. */
const ENTER = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$@"';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

export class Root {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** As a Debian is before anything is installed; gone after the test. */
  static async empty(): Promise<Root> {
    const root = await Root.#make();
    await run("tar", ["xf", inject("root"), "-C", root.dir]);
    return root;
  }

  static async #make(): Promise<Root> {
    const dir = await mkdtemp(join(inject("work"), "root-"));
    const root = new Root(dir);
    onTestFinished(() => root.remove());
    return root;
  }

  /** Programs are linked, as dpkg exchanges them whole; what is written to in place (all of that lies in /var) is copied. */
  async copy(): Promise<Root> {
    const copy = await Root.#make();
    await run("cp", ["-al", `${this.dir}/.`, copy.dir]);
    await rm(copy.path("/var"), { recursive: true });
    await run("cp", ["-a", this.path("/var"), copy.dir]);
    return copy;
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Puts files of this machine into it, under `to`. */
  async bring(from: string, to: string): Promise<void> {
    await mkdir(this.path(to), { recursive: true });
    await run("cp", ["-r", from, this.path(to)]);
  }

  /** Runs a command to its end; as root unless `user` says otherwise. */
  async run(command: readonly string[], user = "root"): Promise<Ended> {
    const child = this.start(command, user);
    const ended: Ended = { code: 0, stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      ended.stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      ended.stderr += text;
    });
    const [code] = await once(child, "close");
    return { ...ended, code: Number(code) };
  }

  /** As `run`; rejects unless it ends well. */
  async must(...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command);
    if (code !== 0)
      throw new Error(`in the root: ${command.join(" ")}: ended with ${code}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  start(command: readonly string[], user = "root"): ChildProcess {
    return this.#spawn(["--mount"], [`--userspec=${user}:${user}`, this.dir, ...command]);
  }

  /** Starts it so that SIGKILL to the child ends all that it has started, at once. */
  startKillable(command: readonly string[]): ChildProcess {
    return this.#spawn(["--mount", "--pid", "--fork", "--kill-child"], [this.dir, ...command]);
  }

  #spawn(unshare: readonly string[], words: readonly string[]): ChildProcess {
    return spawn("unshare", [...unshare, "sh", "-c", ENTER, this.dir, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    });
  }
}
