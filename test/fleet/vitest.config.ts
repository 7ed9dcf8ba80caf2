import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/fleet/*.test.ts"],
    // Eleven gateways, a broker, a web server and a database on one machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
  },
});
