/** Names each rig test in a line: run or not run, and why. */
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** At the end, all of them. */
export default class RigReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) for (const test of module.children.allTests()) console.log(lineOf(test));
  }
}

export function lineOf(test: TestCase): string {
  const result = test.result();
  const outcome =
    result.state === "skipped" ? `not run: ${result.note ?? "it was not asked for"}` : `run, ${result.state}`;
  return `rig: ${test.fullName}: ${outcome}`;
}
