/**
 * Figures of a bench: percentiles, ratios, and the bounds they are held against.
 */

/**
 * One measured figure. `bound`: what it may be at most; missing: shown only. `column`: it is one of several of the same `what`, to be
 * shown side by side.
 */
export interface Figure {
  what: string;
  value: number;
  unit: string;
  bound?: number;
  column?: string;
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

/** Lines, and after them a table of those that have a column. */
export function showFigures(figures: readonly Figure[]): string {
  const lines = figures.filter(({ column }) => column === undefined).map(showFigure);
  const tabled = figures.filter(({ column }) => column !== undefined);
  return [...lines, ...(tabled.length === 0 ? [] : ["", ...tableLines(tabled)])].join("\n  ");
}

function tableLines(figures: readonly Figure[]): string[] {
  const columns = [...new Set(figures.map(({ column }) => column))];
  const rows = [...new Set(figures.map(rowOf))];
  const cell = (row: string, column: string | undefined): string => {
    const figure = figures.find((one) => one.column === column && rowOf(one) === row);
    return figure === undefined ? "" : round(figure.value).toLocaleString("en");
  };
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const titles = line(["", ...columns.map(String)]);
  const rule = line(["---", ...columns.map(() => "---:")]);
  return [titles, rule, ...rows.map((row) => line([row, ...columns.map((column) => cell(row, column))]))];
}

function rowOf({ what, unit }: Figure): string {
  return unit === "" ? what : `${what}, ${unit}`;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** The clock, and what this process has computed: with other work on the machine only the second is ours. */
export function now(): { wallMs: number; cpuMs: number } {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1_000 };
}
