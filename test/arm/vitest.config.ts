import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/arm/*.test.ts"],
    fileParallelism: false,
    // An emulated processor is ten to thirty times slower than this one, and a busy machine ten times slower than a quiet one.
    testTimeout: 10_800_000,
    hookTimeout: 300_000,
  },
});
