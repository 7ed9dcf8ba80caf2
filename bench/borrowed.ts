/**
 * Packages that serve nothing but a comparison, and of which one compiles for minutes: no part of the project, but installed by
 * npm into a temporary folder when a bench asks for them, and kept there for the next time.
 */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** The newest that run on Node 20. */
const PACKAGES = { "better-sqlite3": "12", lmdb: "3" } as const;
/** Whose own scripts npm may run: they compile, or choose a binary. */
const BUILT = { "better-sqlite3": true, lmdb: true, "msgpackr-extract": true };
const INSTALL_MS_MAX = 15 * 60_000;

/** Gives a package, or null where it cannot be had, which is said. */
export type Borrow = <Package>(name: keyof typeof PACKAGES) => Package | null;

export async function borrowPackages(say: (what: string) => void): Promise<Borrow> {
  const folder = join(tmpdir(), "grindvakt-bench-packages");
  const file = join(folder, "package.json");
  const require = createRequire(file);
  try {
    for (const name of Object.keys(PACKAGES)) require.resolve(name);
  } catch {
    say(`${Object.keys(PACKAGES).join(" and ")} are installed in ${folder}: a minute or two`);
    await mkdir(folder, { recursive: true });
    await writeFile(file, JSON.stringify({ private: true, dependencies: PACKAGES, allowScripts: BUILT }));
    const npm = promisify(execFile)("npm", ["install", "--no-audit", "--no-fund"], {
      cwd: folder,
      timeout: INSTALL_MS_MAX,
    });
    await npm.catch(({ message }: Error) => say(`npm: ${message.split("\n")[0]}`));
  }
  return <Package>(name: string) => {
    try {
      return require(name) as Package;
    } catch (error) {
      say(`${name} cannot be had and is not compared with: ${(error as Error).message.split("\n")[0]}`);
      return null;
    }
  };
}
