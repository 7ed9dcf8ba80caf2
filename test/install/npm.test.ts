/** `npm install -g` of the packed tarball, into a prefix with nothing in it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, inject, onTestFinished, test } from "vitest";
import { until } from "../e2e/site.ts";

const run = promisify(execFile);
const HOUSE = resolve(import.meta.dirname, "../..");

test("the packed program, installed by npm elsewhere, runs its demo and decides a tap", async () => {
  const prefix = await mkdtemp(join(inject("work"), "npm-"));
  onTestFinished(() => rm(prefix, { recursive: true, force: true }));
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", prefix], { cwd: HOUSE });
  const tarball = join(prefix, stdout.trim().split("\n").at(-1) ?? "");
  await run("npm", ["install", "--global", "--no-audit", "--no-fund", "--prefix", prefix, tarball], {
    cwd: prefix,
  });
  const program = join(prefix, "bin/grindvakt");
  expect((await run(program, ["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+/);
  const demo = spawn(program, ["demo"], { cwd: prefix, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(async () => {
    demo.kill("SIGKILL");
    if (demo.exitCode === null && demo.signalCode === null) await once(demo, "close");
  });
  let said = "";
  demo.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  // The line it prints to try with.
  const [, card = "", port] = await until(
    () => `the demo says how to tap; it said: ${said}`,
    () => /printf '(BB-[\d-]+)\\r\\n' \| nc -w 1 127\.0\.0\.1 (\d+)/.exec(said),
  );
  connect(Number(port), "127.0.0.1").end(`${card}\r\n`);
  await until(
    () => `the tap is decided; it said: ${said}`,
    () =>
      (said.split(card.slice(0, 2)).length > 2 && /granted/.test(said.slice(said.lastIndexOf("nc -w")))) ||
      null,
  );
});
