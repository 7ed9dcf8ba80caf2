import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They need a virtual machine, three of Erlang's, an empty Debian, or another processor: npm run test:rig, test:cluster, test:install, test:arm.
    exclude: ["test/rig/**", "test/cluster/**", "test/install/**", "test/arm/**"],
    // Peers (mosquitto, pseudo-terminals, child processes) start slowly on a busy two-core machine.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
