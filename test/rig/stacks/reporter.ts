/** Names each test of a suite as it ends, and how long it took: in the guest a file of them takes minutes. */
import type { Reporter, TestCase } from "vitest/node";
import { lineOf } from "../reporter.ts";

export default class SuiteReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const seconds = ((test.diagnostic()?.duration ?? 0) / 1_000).toFixed(1);
    const why = test.result().errors?.map(({ message }) => `: ${message.split("\n")[0]}`);
    console.log(`${lineOf(test)}, ${seconds} s${why?.join("") ?? ""}`);
  }
}
