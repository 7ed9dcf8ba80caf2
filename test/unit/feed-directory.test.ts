/** A feed in a directory that does not answer: a share whose server is gone must not take the journal's disk along. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { createDirectorySource } from "../../drivers/feed-directory.ts";
import type { DiskFile } from "../../drivers/ports.ts";
import { createSystemDisk } from "../../drivers/system.ts";

const never = new Promise<never>(() => undefined);

it("is asked twice and no more, however often it is tried", async () => {
  let opened = 0;
  const source = createDirectorySource("/feed", {
    open: () => {
      opened += 1;
      return never;
    },
  });
  for (let hanging = 0; hanging < 2; hanging += 1) void source.fetch("timestamp.json");
  for (let tries = 0; tries < 10; tries += 1)
    expect(await source.fetch("timestamp.json")).toMatchObject({
      kind: "unreachable",
      why: expect.stringMatching(/does not answer/),
    });
  expect(opened).toBe(2);
});

it("is asked again once a reading that hung has come back", async () => {
  let answer: (bytes: Uint8Array) => void = () => undefined;
  const slow = { close: async () => undefined } as DiskFile;
  slow.read = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  const source = createDirectorySource("/feed", { open: async () => slow });
  const reply = await source.fetch("1.root.json");
  if (reply.kind !== "found") throw new Error(reply.kind);
  const first = reply.body[Symbol.asyncIterator]().next();
  const end = answer;
  const again = await source.fetch("1.root.json");
  if (again.kind !== "found") throw new Error(again.kind);
  void again.body[Symbol.asyncIterator]().next();
  expect((await source.fetch("1.root.json")).kind).toBe("unreachable");
  end(new Uint8Array());
  await first;
  expect((await source.fetch("1.root.json")).kind).toBe("found");
});

it("with a named pipe for a file answers all the same", async () => {
  const directory = await mkdtemp(join(tmpdir(), "grindvakt-feed-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await promisify(execFile)("mkfifo", [join(directory, "timestamp.json")]);
  const reply = await createDirectorySource(directory, createSystemDisk()).fetch("timestamp.json");
  if (reply.kind !== "found") throw new Error(reply.kind);
  await expect(reply.body[Symbol.asyncIterator]().next()).rejects.toThrow(/ESPIPE/);
});
