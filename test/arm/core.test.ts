/** The unit tests of what decides, writes down and reads cards, run by vitest on the emulated processor itself. */
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { node } from "./pi.ts";

const CORE =
  /^(access-point|card|codec-.*|decision-table|index.*|journal.*|osdp-codec|osdp-secure|outbox|record|rows|store)\.test\.ts$/;

test("the unit tests of decision, index, journal, codecs and store pass there", async () => {
  const files = (await readdir("test/unit"))
    .filter((name) => CORE.test(name))
    .map((name) => `test/unit/${name}`);
  expect(files.length).toBeGreaterThan(15);
  const said = await node([
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=json",
    "--testTimeout=600000",
    "--hookTimeout=600000",
    ...files,
  ]);
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(said.slice(said.indexOf("{")));
  console.log(`arm: ${numPassedTests} unit tests of ${testResults.length} files passed`);
  expect([numFailedTests, testResults.length]).toEqual([0, files.length]);
});
