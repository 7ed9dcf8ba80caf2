import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/cluster/*.test.ts"],
    // Three virtual machines of Erlang beside the gate.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
