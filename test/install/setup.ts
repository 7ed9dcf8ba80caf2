/** Builds the Debian package once for all tests, and beside it what a next version would be. */
import { execFile } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";

const run = promisify(execFile);
const HOUSE = resolve(import.meta.dirname, "../..");

declare module "vitest" {
  interface ProvidedContext {
    /** An empty Debian root, as a tar file. */
    root: string;
    /** Where roots are unpacked. */
    work: string;
    packages: { old: string; next: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { INSTALL_ROOT: root, INSTALL_WORK: cache } = process.env;
  if (root === undefined || cache === undefined)
    throw new Error("these tests are started by: npm run test:install");
  const work = await mkdtemp(join(cache, "run-"));
  const startMs = performance.now();
  const { stdout } = await run("bash", [join(HOUSE, "packaging/deb/build.sh"), work], { cwd: HOUSE });
  const old = stdout.trim().split("\n").at(-1) ?? "";
  console.log(`install: the package was built in ${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
  const next = await nextVersion(old, work);
  project.provide("root", root);
  project.provide("work", work);
  project.provide("packages", { old, next });
  return () => rm(work, { recursive: true, force: true });
}

/** The same program, said to be newer, with every file of its own changed: a mixture of both is seen. */
async function nextVersion(old: string, work: string): Promise<string> {
  const dir = join(work, "next");
  await run("dpkg-deb", ["-R", old, dir]);
  const lib = join(dir, "usr/lib/grindvakt/package");
  await edit(join(dir, "DEBIAN/control"), (text) => text.replace(/^Version: .*$/m, "Version: 99.0.0"));
  await edit(join(lib, "package.json"), (text) => text.replace(/"version": "[^"]*"/, '"version": "99.0.0"'));
  const { stdout } = await run("find", [join(lib, "dist"), "-name", "*.js"]);
  for (const file of stdout.trim().split("\n")) await appendFile(file, "// of the next version\n");
  const next = join(work, "grindvakt_99.0.0.deb");
  await run("dpkg-deb", ["--root-owner-group", "-Zxz", "-z1", "--build", dir, next]);
  await rm(dir, { recursive: true });
  return next;
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, "utf8")));
}
