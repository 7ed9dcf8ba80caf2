import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * What takes longest begins first, so that no core is left alone with it at the end: the simulations, which only reckon, and beside
 * them the conformance suites, which mostly wait; then what starts programs.
 */
const FOLDERS = ["test/sim/", "test/conformance/", "test/e2e/", "test/docs/", ""];

/** Two fifths of the time a test waits for a peer; and each worker has to load the sources anew. */
const WORKERS_PER_CORE = 2.5;
/** A worker takes 250 MB, and what it starts as much again. */
const WORKERS_MAX = 8;

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      FOLDERS.findIndex((folder) => relative(import.meta.dirname, moduleId).startsWith(folder));
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // They need a virtual machine, three of Erlang's, an empty Debian, another processor, or a database: npm run test:rig,
    // test:cluster, test:install, test:arm, test:fleet-example.
    exclude: ["test/rig/**", "test/cluster/**", "test/install/**", "test/arm/**", "test/fleet/**"],
    // The only limit of most tests, and there for what hangs: on a busy machine peers start slowly, and nothing is measured here.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    globalSetup: "test/setup/temp.ts",
    sequence: { sequencer: LongFirst },
    // Modules keep no state (arrows.test.ts), so a process that has loaded them serves one test file after the other.
    isolate: false,
    maxWorkers: Math.min(Math.ceil(WORKERS_PER_CORE * availableParallelism()), WORKERS_MAX),
  },
});
