/**
 * The guest, as tests use it from outside: commands over ssh, devices plugged in and pulled over QMP. Any process may hold
 * one; all share one ssh connection, whose own process stays until `disconnect`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Qmp } from "./qmp.ts";

/** Where a machine is; plain values, to be handed from process to process. */
export interface Place {
  dir: string;
  image: string;
  /** A directory of both sides, under the same name. */
  shared: string;
  sshPort: number;
  accelerator: "kvm" | "tcg";
  /** Whether we are in the guest ourselves. */
  isInside?: true;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class Guest {
  readonly place: Place;

  constructor(place: Place) {
    this.place = place;
  }

  // ---------------------------------------------------------------- commands

  /** After each boot, once: the connection, and the shares. */
  async connect(): Promise<void> {
    const master = ["-o", "ControlMaster=yes", "-o", "ControlPersist=yes"];
    const ssh = spawn("ssh", this.#ssh(master, "true"), { stdio: "ignore" });
    const [code] = await once(ssh, "exit");
    if (code !== 0) throw new Error(`ssh to the guest ended with ${code}`);
    const loose = "ro,cache=loose";
    const mounts = [
      ["share0", "/house", loose],
      ["share1", this.place.shared, "cache=none"],
      ["share2", "/rig", loose],
    ];
    for (const [tag, path, options] of mounts)
      await this.sh(`mkdir -p ${path} && mount -t 9p -o trans=virtio,msize=512000,${options} ${tag} ${path}`);
  }

  async disconnect(): Promise<void> {
    const ssh = spawn("ssh", this.#ssh(["-O", "exit"]), { stdio: "ignore" });
    await once(ssh, "exit");
  }

  /** Runs a line of shell to its end. */
  async run(line: string): Promise<Ended> {
    const ssh = this.start(line);
    ssh.stdin?.end();
    const ended: Ended = { code: null, stdout: "", stderr: "" };
    ssh.stdout?.setEncoding("utf8").on("data", (text: string) => {
      ended.stdout += text;
    });
    ssh.stderr?.setEncoding("utf8").on("data", (text: string) => {
      ended.stderr += text;
    });
    [ended.code] = await once(ssh, "close");
    return ended;
  }

  /** As `run`; rejects unless it ends well. Gives what it printed. */
  async sh(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(line);
    if (code !== 0) throw new Error(`in the guest: ${line}: ended with ${code}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Starts a line of shell. The guest's process does not end with this one of ours: end it by its pid. */
  start(line: string): ChildProcess {
    const stdio = ["pipe", "pipe", "pipe"] as ["pipe", "pipe", "pipe"];
    if (this.place.isInside) return spawn("sh", ["-c", line], { stdio });
    return spawn("ssh", this.#ssh([], line), { stdio });
  }

  /** Has a socket of ours in the machine's directory be there in the guest, too, under the same name. */
  async share(name: string): Promise<void> {
    const path = join(this.place.dir, name);
    // Once: ssh holds it until the machine ends.
    if ((await this.run(`test -S ${path}`)).code === 0) return;
    const ssh = spawn("ssh", this.#ssh(["-O", "forward", "-R", `${path}:${path}`]), { stdio: "ignore" });
    const [code] = await once(ssh, "exit");
    if (code !== 0) throw new Error(`the guest does not take the socket ${name}: ssh ended with ${code}`);
  }

  /** Has a port of the guest's loopback, any or the one that is named, lead to one of ours. Gives that port. */
  async lead(port: number, guestPort = 0): Promise<number> {
    const ssh = spawn("ssh", this.#ssh(["-O", "forward", "-R", `127.0.0.1:${guestPort}:127.0.0.1:${port}`]));
    let said = "";
    ssh.stdout.on("data", (text: Buffer) => {
      said += text;
    });
    await once(ssh, "close");
    if (guestPort !== 0) return guestPort;
    // ssh says which one it was given.
    const given = /^\d+$/.exec(said.trim());
    if (given === null) throw new Error(`the guest gave no port: ${said}`);
    return Number(given[0]);
  }

  /** Has a port of our loopback lead to the guest's of the same number: a console there answers to its own address only. */
  async reach(port: number): Promise<void> {
    const way = `127.0.0.1:${port}:127.0.0.1:${port}`;
    const ssh = spawn("ssh", this.#ssh(["-O", "forward", "-L", way]), { stdio: "ignore" });
    const [code] = await once(ssh, "exit");
    if (code !== 0) throw new Error(`port ${port} of the guest cannot be reached: ssh ended with ${code}`);
  }

  /** The words of an ssh command; of two values for an option ssh takes the first. */
  #ssh(own: readonly string[], ...line: string[]): string[] {
    const { dir, image, sshPort } = this.place;
    const options = [
      `ControlPath=${join(dir, "ssh.sock")}`,
      "ControlMaster=no",
      "StrictHostKeyChecking=no",
      "UserKnownHostsFile=/dev/null",
      "LogLevel=ERROR",
      "BatchMode=yes",
    ].flatMap((option) => ["-o", option]);
    const door = ["-F", "none", "-T", "-i", join(image, "key"), "-p", `${sshPort}`];
    return [...door, ...own, ...options, "root@127.0.0.1", ...line];
  }

  // ---------------------------------------------------------------- devices

  async qmp<Result>(act: (qmp: Qmp) => Promise<Result>): Promise<Result> {
    const qmp = await Qmp.connect(join(this.place.dir, "qmp.sock"));
    try {
      return await act(qmp);
    } finally {
      qmp.close();
    }
  }

  /** Plugs a device in. `id`: what it is called in `unplug`. */
  async plug(driver: string, id: string, properties: object): Promise<void> {
    await this.qmp((qmp) => qmp.call("device_add", { driver, id, ...properties }));
  }

  /** Pulls it out; resolves when it is gone. */
  async unplug(id: string): Promise<void> {
    await this.qmp(async (qmp) => {
      await qmp.call("device_del", { id });
      await qmp.event("DEVICE_DELETED", ({ device }) => device === id);
    });
  }
}
