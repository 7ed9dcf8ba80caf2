import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They need a virtual machine, three of Erlang's, or an empty Debian: npm run test:rig, test:cluster, test:install.
    exclude: ["test/rig/**", "test/cluster/**", "test/install/**"],
    // Peers (mosquitto, pseudo-terminals, child processes) start slowly on a busy two-core machine.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
