/** All that a run of the tests writes lies in one directory, which goes with the run: also what a test that was ended left there. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default async function setup(): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-"));
  // As open as the one it stands for: some tests ask as another account.
  await chmod(dir, 0o755);
  process.env.TMPDIR = dir;
  return () => rm(dir, { recursive: true, force: true });
}
