/** watch beside a real gateway: what it prints, on a terminal and off one, and over the gateway's restart. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { CARDS, type Daemon, makeSite, Program, type Site, sharedFeed, until } from "./site.ts";

const PROGRAM = join(import.meta.dirname, "../../dist/daemon/cli.js");

const feedDir = await sharedFeed();

const virtualSite = (): Promise<Site> =>
  makeSite(feedDir, "none", (configuration) => {
    configuration.readers = [{ id: "north-in-1", driver: "virtual" }];
  });

function watch(site: Site, ...args: string[]): Program {
  const program = new Program(["watch", "-c", site.file, ...args]);
  onTestFinished(async () => void (await program.end("SIGKILL")));
  return program;
}

describe("watch", () => {
  test("follows a gate line by line, through its restart, and ends when it is told to", async () => {
    const site = await virtualSite();
    onTestFinished(() => site.dispose());
    const watching = watch(site);
    await watching.said("the gateway does not run; waiting for it");
    const first = await (await site.run()).healthy();
    await watching.said("reader north-in-1 is up");
    await watching.said(/list revision \d+ is fresh/);
    await first.post("/api/taps", { reader: "north-in-1", credential: CARDS.blocked });
    const line = await watching.said(CARDS.blocked);
    expect(line).toMatch(
      /^\d\d:\d\d:\d\d north-in +BB-2611-000003 blocked +Spärrad: kontakta din arbetsgivare\. \/ Blocked/,
    );
    expect(line).not.toContain("\u001b");
    await first.end();
    await until(
      "it says that the gate is gone",
      () => watching.stdout.split("does not run").length === 3 || null,
    );
    const second = await (await site.run()).healthy();
    await second.post("/api/taps", { reader: "north-in-1", credential: CARDS.granted });
    await watching.said(CARDS.granted);
    expect(watching.stdout.split(CARDS.blocked)).toHaveLength(2);
    expect(await watching.end("SIGINT")).toEqual({ code: 0, signal: null });
    expect(watching.stderr).toBe("");
  });
});

describe("watch beside a gate that runs", () => {
  let site: Site;
  let daemon: Daemon;
  beforeAll(async () => {
    site = await virtualSite();
    daemon = await (await site.run()).healthy();
  });
  afterAll(() => site?.dispose());

  test("draws on a terminal, in colours unless they are not wanted, and leaves it as it was", async () => {
    await daemon.post("/api/taps", { reader: "north-in-1", credential: CARDS.terminated });
    for (const env of [{}, { NO_COLOR: "1" }]) {
      const command = `stty rows 20 columns 60; exec '${process.execPath}' '${PROGRAM}' watch -c '${site.file}'`;
      // A terminal of its own.
      const terminal = spawn("script", ["-qec", command, "/dev/null"], {
        env: { ...process.env, NO_COLOR: undefined, ...env },
        stdio: ["pipe", "pipe", "inherit"],
      });
      onTestFinished(() => void terminal.kill("SIGKILL"));
      let seen = "";
      terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
        seen += text;
      });
      await until(
        () => `the tap is drawn; there is: ${seen}`,
        () => seen.includes(CARDS.terminated) || null,
      );
      terminal.stdin.write("\u0003");
      await once(terminal, "close");
      expect(seen).toMatch(/^\u001b\[\?1049h/);
      expect(seen.trimEnd()).toMatch(/\u001b\[\?1049l$/);
      expect(seen.includes("\u001b[31mterminated")).toBe(!("NO_COLOR" in env));
      // A picture begins at the top; the terminal itself shows the key that ended it.
      for (const line of seen.split(/\r?\n|\u001b\[H|\^C/))
        expect(line.replace(/\u001b\[[?0-9;]*[a-zA-Z]/g, "").trimEnd().length).toBeLessThanOrEqual(60);
    }
  });

  test("says in one line that the socket is not its own to open", async () => {
    const socket = join(site.dir, "data", "control.sock");
    await chmod(socket, 0o000);
    onTestFinished(() => chmod(socket, 0o600));
    // Root opens everything: then another account asks, with nothing else of its own to need.
    const isRoot = process.getuid?.() === 0;
    const command = [process.execPath, PROGRAM, "watch", "-c", site.file];
    if (isRoot) for (const path of [site.dir, join(site.dir, "data")]) await chmod(path, 0o755);
    if (isRoot) await chmod(site.file, 0o644);
    const [program = "", ...args] = isRoot
      ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...command]
      : command;
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const [code] = (await once(child, "close")) as [number];
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `grindvakt: ${socket} is not open to this account: run the command as the account of the gateway, or with sudo\n`,
    });
  });

  test("gives a program a line for each change and each tap, until the gate is gone", async () => {
    const watching = watch(site, "--json");
    await watching.said('"type":"status"');
    await daemon.post("/api/taps", { reader: "north-in-1", credential: CARDS.suspended });
    const tap = JSON.parse(await watching.said(/"type":"tap".*BB-2611-000004/)) as { tap: object };
    expect(tap.tap).toMatchObject({
      accessPoint: "north-in",
      card: CARDS.suspended,
      granted: false,
      reason: "suspended",
    });
    await daemon.end();
    await watching.said('"type":"gone"');
    for (const line of watching.stdout.trimEnd().split("\n")) JSON.parse(line);
  });
});
