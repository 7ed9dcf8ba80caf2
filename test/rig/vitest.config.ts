import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/rig/*.test.ts"],
    exclude: [
      // Each takes as long as everything else of the short form: a boot and four deaths of a service; four starts of pcscd's readers.
      ...(process.env.RIG_SHORT === "1" ? ["test/rig/acr.test.ts", "test/rig/service.test.ts"] : []),
      // An hour, and only when it is named.
      ...(process.env.RIG_SOAK === "1" ? [] : ["test/rig/soak.test.ts"]),
    ],
    globalSetup: ["test/rig/setup.ts"],
    // There is one machine, and it is a slow one.
    fileParallelism: false,
    // Translated, the guest now and then stands still for longer than a device waits.
    retry: 1,
    testTimeout: 900_000,
    hookTimeout: 300_000,
    reporters: ["default", "./test/rig/reporter.ts"],
  },
});
