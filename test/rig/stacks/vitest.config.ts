/** Run in the guest, by `conformance.test.ts`: the suites of test/conformance/ on what the guest's kernel drives. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The checkout is read-only there.
  cacheDir: "/tmp/vitest",
  test: {
    include: ["test/rig/stacks/*.test.ts"],
    // node-hid knows one way for a process: each file has its own.
    pool: "forks",
    fileParallelism: false,
    // Translated, the guest now and then stands still for longer than a device waits.
    retry: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", "./test/rig/stacks/reporter.ts"],
  },
});
