/** From an empty Debian to a gate that decides, and what becomes of it when it is upgraded, rolled back, or interrupted in that. */
import { execFile } from "node:child_process";
import { readdir, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import { CARDS } from "../e2e/site.ts";
import { FILE, Service, setAround } from "./gate.ts";
import { Root } from "./root.ts";

/** What an installer is promised, from an empty root to the first decided tap (issue 7). */
const secondsMax = 300;
/** Of one upgrade: spread over all it does. */
const CUTS = 8;
/** No two upgrades take as long: the last cuts are to come after the new version is in force, too. */
const SLOWER = 1.5;

const LIB = "/usr/lib/grindvakt";

/** The commands of docs/install.md. */
async function installDeb(root: Root, file: string): Promise<void> {
  await root.bring(file, "/tmp");
  await root.must("apt-get", "update", "-qq");
  await root.must("apt-get", "install", "-qq", "--no-install-recommends", `/tmp/${basename(file)}`);
}

async function versionOf(root: Root): Promise<string> {
  return root.must("grindvakt", "--version");
}

/** Everything that runs, in one value: a file more, less or other is another. */
async function programOf(root: Root): Promise<string> {
  const current = root.path(`${LIB}/${await readlink(root.path(`${LIB}/current`))}`);
  const script = 'cd "$0" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum';
  return (await promisify(execFile)("sh", ["-c", script, current])).stdout.trim();
}

test("from an empty root to a deciding gate, in the commands of docs/install.md", async () => {
  const around = await setAround();
  const root = await Root.empty();
  const startMs = performance.now();
  await installDeb(root, inject("packages").old);
  await root.must("grindvakt", "check", "-c", FILE);
  expect(await root.must("stat", "-c", "%a %U %s", "/etc/grindvakt/token.key")).toBe("600 root 65");
  await around.configure(root);
  await root.must("grindvakt", "check", "-c", FILE);
  const written = await root.must("grindvakt", "install", "-c", FILE);
  expect(written).toContain("/etc/systemd/system/grindvakt.service");
  const unit = await root.must("cat", "/etc/systemd/system/grindvakt.service");
  expect(unit).toContain(`ExecStart=${LIB}/current/node ${LIB}/current/dist/daemon/cli.js run -c ${FILE}`);
  // What systemd does before the service starts (StateDirectory).
  await root.must("install", "-d", "-m", "0700", "-o", "grindvakt", "/var/lib/grindvakt");
  const service = await Service.start(root, around);
  around.line.send(`${CARDS.granted}\r\n`);
  const [tap] = await around.ear.hearTaps("the first tap", ({ length }) => length === 1);
  const seconds = (performance.now() - startMs) / 1_000;
  console.log(`install: from an empty root to a decided tap: ${seconds.toFixed(0)} s`);
  expect(tap?.data).toMatchObject({ granted: true, card: CARDS.granted });
  expect(seconds).toBeLessThan(secondsMax);
  await service.end("SIGTERM");
  expect(await root.must("grindvakt", "journal", "verify", "-c", FILE)).toContain("the chain holds");
});

test("upgraded and rolled back under taps: none is lost, and the configuration stays", async () => {
  const { old, next } = inject("packages");
  const around = await setAround();
  const root = await Root.empty();
  await installDeb(root, old);
  const before = await versionOf(root);
  await around.configure(root);
  await root.must("install", "-d", "-m", "0700", "-o", "grindvakt", "/var/lib/grindvakt");
  const tapped: string[] = [];
  const tap = async (): Promise<void> => {
    tapped.push(CARDS.granted);
    around.line.send(`${CARDS.granted}\r\n`);
    await around.ear.hearTaps(`tap ${tapped.length}`, ({ length }) => length === tapped.length);
  };
  for (const file of [next, old]) {
    const service = await Service.start(root, around);
    await tap();
    await root.bring(file, "/tmp");
    const installing = root.must("dpkg", "-i", "--force-confold", `/tmp/${basename(file)}`);
    await tap();
    await installing;
    await tap();
    await service.end("SIGTERM");
    expect(await versionOf(root)).toBe(file === next ? "99.0.0" : before);
  }
  const last = await Service.start(root, around);
  await tap();
  await last.end("SIGTERM");
  const verified = await root.must("grindvakt", "journal", "verify", "-c", FILE);
  expect(verified).toContain("the chain holds");
  expect(around.ear.taps().map(({ data }) => data.seq)).toEqual(
    [...new Set(around.ear.taps().map(({ data }) => data.seq))].toSorted((one, other) => one - other),
  );
  // Of the versions before nothing is left.
  const runs = (await readdir(root.path(LIB))).filter((name) => name.startsWith("run-"));
  expect(runs).toHaveLength(1);
});

test(`an upgrade killed at ${CUTS} moments leaves one version in force, whole, and can be done again`, async () => {
  const { old, next } = inject("packages");
  const origin = await Root.empty();
  await installDeb(origin, old);
  const programs = new Map([[await programOf(origin), await versionOf(origin)]]);
  const upgraded = await origin.copy();
  await upgraded.bring(next, "/tmp");
  const startMs = performance.now();
  await upgraded.must("dpkg", "-i", `/tmp/${basename(next)}`);
  const wholeMs = performance.now() - startMs;
  programs.set(await programOf(upgraded), await versionOf(upgraded));
  expect(programs.size).toBe(2);
  const found: string[] = [];
  for (let cut = 1; cut <= CUTS; cut += 1) {
    const root = await origin.copy();
    await root.bring(next, "/tmp");
    const dpkg = root.startKillable(["dpkg", "-i", `/tmp/${basename(next)}`]);
    const ended = new Promise((over) => dpkg.once("close", over));
    await new Promise((go) => setTimeout(go, (wholeMs * SLOWER * cut) / CUTS));
    dpkg.kill("SIGKILL");
    await ended;
    const version = programs.get(await programOf(root));
    expect(version, `a mixture, killed at ${cut} of ${CUTS}`).toBeDefined();
    expect(await versionOf(root)).toBe(version);
    found.push(String(version));
    await root.must("dpkg", "-i", `/tmp/${basename(next)}`);
    expect(await versionOf(root)).toBe("99.0.0");
    await root.remove();
  }
  console.log(`install: in force after each cut: ${found.join(", ")}`);
});
