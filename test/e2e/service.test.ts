/** The built program as a service manager has it: told when it decides, fed while it does, and its relays released whatever became of it. */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { credentialName } from "../../drivers/secret-file.ts";
import { startNotifySocket } from "../peers/notify-socket.ts";
import { ask } from "./counter.ts";
import {
  CARDS,
  type Configuration,
  Daemon,
  grindvakt,
  makeSite,
  relayCommands,
  relayTold,
  type Site,
  sharedFeed,
  until,
} from "./site.ts";
import { setStage } from "./stage.ts";

/** One of the chips of `CARDS.granted`. */
const CHIP = "04A1B2C3D4E5F6";

const feedDir = await sharedFeed();

/** A gate with nothing around it. */
async function bareSite(configure: (configuration: Configuration) => void = () => undefined): Promise<Site> {
  const site = await makeSite(feedDir, "none", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
    configure(configuration);
  });
  onTestFinished(() => site.dispose());
  return site;
}

/** As a service manager does, which waits until it is told. */
function start(site: Site, env: NodeJS.ProcessEnv): Daemon {
  const daemon = new Daemon(["run", "-c", site.file], { env });
  onTestFinished(async () => void (await daemon.end("SIGKILL")));
  return daemon;
}

describe("run", () => {
  test("says that it is ready, that it works, and that it stops, and feeds no watchdog while it is stopped in its tracks", async () => {
    const { site } = await setStage(feedDir);
    const manager = await startNotifySocket();
    onTestFinished(() => manager.dispose());
    const daemon = start(site, { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: "600000" });
    const count = (what: string): number => manager.heard.filter((message) => message.includes(what)).length;
    const heard = (what: string, times = 1) =>
      until(
        () => `${what} is heard ${times} times; heard: ${JSON.stringify(manager.heard)}`,
        () => count(what) >= times || null,
      );
    await heard("READY=1");
    await heard("WATCHDOG=1", 3);
    await heard("list 1 (fresh), readers up: 1 of 1");

    daemon.child.kill("SIGSTOP");
    // What was on its way arrives; then, for several of the watchdog's times, nothing does.
    let before = -1;
    await until("no more is fed", async () => {
      const now = count("WATCHDOG=1");
      if (now === before) return true;
      before = now;
      await new Promise((go) => setTimeout(go, 1_500));
      return null;
    });
    daemon.child.kill("SIGCONT");
    await heard("WATCHDOG=1", before + 1);

    expect(await daemon.end("SIGTERM")).toEqual({ code: 0, signal: null });
    await heard("STOPPING=1");
    expect(manager.heard[0]).toMatch(/^READY=1\nSTATUS=gate-07: /);
  });

  test("takes secrets that systemd hands over before the files themselves, be those open to all or to nobody", async () => {
    const site = await bareSite((configuration) => {
      configuration.console = { listen: "0.0.0.0:0", password: { file: "./console-password" } };
    });
    const password = join(site.dir, "console-password");
    // Open to all: by itself it would be refused.
    await writeFile(password, "not this one\n");
    await chmod(password, 0o644);
    const tokenKey = join(site.dir, "token.key");
    const handed = join(site.dir, "handed");
    await mkdir(handed);
    await writeFile(join(handed, credentialName(password)), "this one\n", { mode: 0o440 });
    expect(await grindvakt(["run", "-c", site.file])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is open to other users"),
    });
    await rename(tokenKey, join(handed, credentialName(tokenKey)));
    await start(site, { CREDENTIALS_DIRECTORY: handed }).said("card list in force");
    const looked = await site.command("lookup", `uid:${CHIP}`, "--json");
    expect(JSON.parse(looked.stdout)).toMatchObject({ granted: true, card: CARDS.granted });
  });
});

describe("what a newer version wrote", () => {
  test("is refused in words, and left as it is", async () => {
    const site = await bareSite();
    await (await site.run()).end("SIGTERM");
    const journal = await site.journal();
    const mark = join(site.dir, "data/journal/gateway.json");
    const newer = JSON.stringify({ gateway: "gate-07", format: 99 });
    await writeFile(mark, newer);
    expect(await site.alone("run")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /written by a newer grindvakt \(format 99; .*: install that version again\n$/,
      ),
    });
    expect(await readFile(mark, "utf8")).toBe(newer);
    expect(await site.journal()).toEqual(journal);
    await writeFile(site.file, `format: 2\n${await readFile(site.file, "utf8")}`);
    expect(await site.command("check")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        ":1:9: format: is 2, allowed: 1; a file with a higher number is for a newer",
      ),
    });
  });
});

test("a time service that does not answer early in a boot is not waited for, and ends nothing", async () => {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-clock-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const words = "#!/bin/sh\nexec sleep 20\n";
  await writeFile(join(dir, "timedatectl"), words, { mode: 0o755 });
  const trust = join(import.meta.dirname, "../../dist/drivers/system-trust.js");
  const script = `import(${JSON.stringify(trust)}).then(async (it) => console.log(await it.systemTrustSources.timedatectl()))`;
  const env = { ...process.env, PATH: `${dir}:${process.env.PATH}` };
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", script], { env });
  expect(stdout).toBe("no\n");
});

describe("release", () => {
  test("releases the relays of a gate that was killed in mid-pulse, and says so", async () => {
    const { site, line, board } = await setStage(feedDir, (configuration) => {
      configuration.accessPoints[0].relay.pulseMs = 10_000;
    });
    const daemon = await (await site.run()).healthy();
    await line.send(`${CARDS.granted}\r\n`);
    await relayTold(board, "to energise", (commands) => commands.at(-1) === "1 on");
    const running = await site.command("release");
    expect(running).toMatchObject({ code: 1, stderr: expect.stringContaining("has its relays in hand") });
    await daemon.end("SIGKILL");
    expect(relayCommands(board).at(-1)).toBe("1 on");
    const released = await site.alone("release", "--json");
    expect(JSON.parse(released.stdout)).toEqual({
      ok: true,
      relays: [{ accessPoint: "north-in", released: true, why: null }],
    });
    await relayTold(board, "to release", (commands) => commands.at(-1) === "1 off");
    await board.unplug();
    expect(await site.command("release")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^relay of north-in: not released: ./),
    });
  });
});

describe("install", () => {
  const run = promisify(execFile);

  /** `install` as root of a machine whose /etc is a folder of ours. */
  async function installIn(etc: string, ...args: string[]) {
    const program = join(import.meta.dirname, "../../dist/daemon/cli.js");
    const script = 'mount --bind "$0" /etc && exec "$@"';
    const words = ["--mount", "sh", "-c", script, etc, process.execPath, program, "install", ...args];
    return run("unshare", words).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code: Number(code), stdout: String(stdout), stderr: String(stderr) }),
    );
  }

  test("writes what it prints, once, and not over what somebody else wrote", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("a machine's /etc can be exchanged by root only");
    // Not under /tmp, which a service does not see.
    const home = await mkdtemp("/var/lib/grindvakt-test-");
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const site = await bareSite((configuration) => {
      configuration.dataDir = join(home, "data");
      configuration.cards.root = join(home, "root.json");
      configuration.cards.feed = "https://lists.example.se/";
    });
    const file = join(home, "gate.yaml");
    await writeFile(file, await readFile(site.file));
    const etc = await mkdtemp(join(tmpdir(), "grindvakt-etc-"));
    onTestFinished(() => rm(etc, { recursive: true, force: true }));

    const printed = await ask(["install", "-c", file, "--print"]);
    const first = await installIn(etc, "-c", file);
    const key = join(home, "token.key");
    expect({ made: first.stdout.includes(`made     ${key}`), mode: (await stat(key)).mode & 0o777 }).toEqual({
      made: true,
      mode: 0o600,
    });
    const made = await readFile(key, "utf8");
    expect(made).toMatch(/^[0-9a-f]{64}\n$/);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toContain("systemctl enable --now grindvakt");
    const unit = join(etc, "systemd/system/grindvakt.service");
    const written = await readFile(unit, "utf8");
    expect(printed.stdout).toContain(written);
    expect((await installIn(etc, "-c", file)).stdout).toContain(
      "as it was  /etc/systemd/system/grindvakt.service",
    );

    await writeFile(unit, written.replace("Restart=always", "Restart=no"));
    const refused = await installIn(etc, "-c", file);
    expect(await readFile(key, "utf8")).toBe(made);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("has been changed since") });
    expect(await readFile(unit, "utf8")).toContain("Restart=no");
    expect((await installIn(etc, "-c", file, "--force")).code).toBe(0);
    expect(await readFile(unit, "utf8")).toBe(written);

    expect(await site.command("install")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("/tmp"),
    });
    await rename(file, join(home, "other.yaml"));
  });
});
