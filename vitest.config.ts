import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They need a virtual machine, or three of Erlang's: npm run test:rig, npm run test:cluster.
    exclude: ["test/rig/**", "test/cluster/**"],
    // Peers (mosquitto, pseudo-terminals, child processes) start slowly on a busy two-core machine.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
