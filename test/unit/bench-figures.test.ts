/** What a bench counts as missed: `npm run bench -- --check` exits 1 by it. */
import { expect, test } from "vitest";
import { isMissed, percentile, showFigure } from "../../bench/figures.ts";

test.each([
  ["below its bound", 1.4, 1.5, false],
  ["at its bound", 1.5, 1.5, false],
  ["above its bound", 1.500_001, 1.5, true],
  ["that nothing was measured of", Number.NaN, 1.5, true],
  ["without a bound", 1_000, undefined, false],
])("a figure %s", (_name, value, bound, missed) => {
  const figure = { what: "delay", value, unit: "ms", ...(bound === undefined ? {} : { bound }) };
  expect(isMissed(figure)).toBe(missed);
  expect(showFigure(figure).endsWith("MISSED")).toBe(missed);
});

test("of a hundred samples the 99th percentile is the largest, the median the 51st", () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([percentile(samples, 0.99), percentile(samples, 0.5)]).toEqual([100, 51]);
  expect(percentile([], 0.99)).toBeNaN();
});
