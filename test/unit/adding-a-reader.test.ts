/** The code on docs/adding-a-reader.md compiles as the project's own, and is a reader. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { ReaderModule } from "../../drivers/driver.ts";
import type { ChannelEvents } from "../../drivers/ports.ts";
import { ReaderListener } from "../conformance/reader.ts";
import { simulatedWorld } from "../conformance/world.ts";

const CODE = /```ts\n(.*?)```/s.exec(readFileSync("docs/adding-a-reader.md", "utf8"))?.[1] ?? "";
// Beside the sources, so that the compiler finds what they import.
const dir = mkdtempSync(resolve("test", ".adding-a-reader-"));
const file = join(dir, "reader-example.ts");
writeFileSync(file, CODE.replaceAll('from "./', 'from "../../drivers/'));
afterAll(() => rmSync(dir, { recursive: true }));

it("compiles with the project's own strictness", () => {
  const tsconfig = {
    extends: resolve("tsconfig.json"),
    include: [],
    files: [file],
    compilerOptions: { noEmit: true },
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(tsconfig));
  const tsc = resolve("node_modules/.bin/tsc");
  expect(spawnSync(tsc, ["-p", dir], { encoding: "utf8" })).toMatchObject({ stdout: "", status: 0 });
});

it("is a reader: cards after noise, in pieces, and nothing after it was stopped", async () => {
  const { exampleReader } = (await import(/* @vite-ignore */ file)) as {
    exampleReader: ReaderModule<{
      id: string;
      port: string;
      baudRate: number;
      reads: "uid";
      issuers: string[];
    }>;
  };
  const line: { events: ChannelEvents | null } = { events: null };
  const world = simulatedWorld(async (_address, events) => {
    line.events = events;
    return { write: async () => {}, close: async () => {} };
  });
  const heard = new ReaderListener();
  const options = {
    id: "in",
    port: "tcp://127.0.0.1:1",
    baudRate: 9_600,
    reads: "uid" as const,
    issuers: ["BB"],
  };
  const reader = exampleReader.create(options, world, heard);
  await reader.start();
  heard.speaking = true;
  await world.pass();
  for (const piece of [
    [0, 0xff, 0x55, 0x04],
    [0xa1, 0xb2, 0xc3, 0x00],
    [0x55, 0x55, 0x55, 0x55, 0x55],
  ])
    line.events?.data(Uint8Array.from(piece));
  expect(heard.states).toEqual(["up"]);
  expect(
    heard.told.map(({ reading }) => (reading.kind === "credential" ? reading.credential : null)),
  ).toEqual([
    { kind: "token", uid: "04A1B2C3", part: "whole" },
    { kind: "token", uid: "55555555", part: "whole" },
  ]);
  await reader.stop();
  heard.speaking = false;
  line.events?.data(Uint8Array.from([0x55, 1, 2, 3, 4]));
  expect(heard.faults).toEqual([]);
});
