import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/install/*.test.ts"],
    globalSetup: ["test/install/setup.ts"],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
