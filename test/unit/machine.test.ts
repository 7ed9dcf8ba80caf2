import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createMachine } from "../../drivers/machine.ts";

test("the machine's own files, links and devices are seen as they are, and nothing rejects", async () => {
  const root = await mkdtemp(join(tmpdir(), "machine-"));
  onTestFinished(() => rm(root, { recursive: true }));
  await writeFile(join(root, "file"), "words", { mode: 0o640 });
  await symlink("file", join(root, "link"));
  const machine = createMachine(root);
  expect(await machine.look("/link")).toMatchObject({ kind: "file", mode: 0o640, uid: process.getuid?.() });
  expect([await machine.text("/link"), await machine.target("/link")]).toEqual(["words", "/file"]);
  expect(await machine.names("")).toEqual(["file", "link"]);
  for (const path of ["/absent", "/file/below"]) {
    expect(await machine.look(path)).toBeNull();
    expect([await machine.text(path), await machine.target(path), await machine.names(path)]).toEqual([
      null,
      null,
      [],
    ]);
    expect(await machine.answers(path)).toBe(false);
  }
  expect(await createMachine().look("/dev/null")).toMatchObject({ kind: "device" });
  // Longer than the page that /proc gives at a time.
  expect((await createMachine().text("/proc/self/smaps"))?.length).toBeGreaterThan(8_192);
});
