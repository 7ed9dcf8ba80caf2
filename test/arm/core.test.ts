/** The unit tests of what decides, writes down and reads cards, run by vitest on the emulated processor itself. */
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { node } from "./pi.ts";

const CORE =
  /^(access-point|card|codec-.*|decision-table|index.*|journal.*|osdp-codec|osdp-secure|outbox|record|rows|store)\.test\.ts$/;

interface Ran {
  name: string;
  status: string;
  message: string;
  assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
}

test("the unit tests of decision, index, journal, codecs and store pass there", async () => {
  const files = (await readdir("test/unit"))
    .filter((name) => CORE.test(name))
    .map((name) => `test/unit/${name}`);
  expect(files.length).toBeGreaterThan(15);
  const { stdout, stderr } = await node([
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=json",
    "--testTimeout=600000",
    "--hookTimeout=600000",
    // All in one process: to start, vitest and fast-check take an emulated processor longer than most of these files do.
    "--no-isolate",
    "--maxWorkers=1",
    ...files,
  ]);
  expect(stdout, stderr).toContain("{");
  const { numPassedTests, testResults } = JSON.parse(stdout.slice(stdout.indexOf("{")));
  console.log(`arm: ${numPassedTests} unit tests of ${testResults.length} files passed`);
  expect((testResults as Ran[]).flatMap(faultsOf), stderr).toEqual([]);
  expect(testResults).toHaveLength(files.length);
});

/** In words; a file that could not be loaded has no tests, and a message. */
function faultsOf({ name, status, message, assertionResults }: Ran): string[] {
  const failed = assertionResults.filter((test) => test.status !== "passed");
  if (status !== "passed" && failed.length === 0) return [`${name}: ${message}`];
  return failed.map((test) => `${name}: ${test.fullName}: ${test.failureMessages.join()}`);
}
