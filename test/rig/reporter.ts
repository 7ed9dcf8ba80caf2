/** Names each rig test in a line: run or not run, and why. */
import type { Reporter, TestModule } from "vitest/node";

export default class RigReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const result = test.result();
        const outcome =
          result.state === "skipped"
            ? `not run: ${result.note ?? "it was not asked for"}`
            : `run, ${result.state}`;
        console.log(`rig: ${test.fullName}: ${outcome}`);
      }
    }
  }
}
