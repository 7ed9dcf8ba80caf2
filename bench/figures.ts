/**
 * Figures of a bench: percentiles, ratios, and the bounds they are held against.
 */

/** One measured figure. `bound`: what it may be at most; missing: shown only. */
export interface Figure {
  what: string;
  value: number;
  unit: string;
  bound?: number;
}

/** Sorted in place by value. `share`: 0.5 is the median. */
export function percentile(samples: number[], share: number): number {
  samples.sort((a, b) => a - b);
  return samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? Number.NaN;
}

export function isMissed({ value, bound }: Figure): boolean {
  return bound !== undefined && !(value <= bound);
}

/** A line for a person. */
export function showFigure(figure: Figure): string {
  const { what, value, unit, bound } = figure;
  const limit = bound === undefined ? "" : `   at most ${round(bound)}${isMissed(figure) ? "   MISSED" : ""}`;
  return `${what.padEnd(64)} ${String(round(value)).padStart(10)} ${unit.padEnd(8)}${limit}`;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
