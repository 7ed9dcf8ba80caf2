/**
 * What commands share: how they find their site, how they read an argument, and how they print.
 */
import { InvalidArgumentError } from "commander";
import type { Configuration } from "../../config/schema.ts";
import type { Files } from "../../drivers/ports.ts";
import { createSystem, type System } from "../../drivers/system.ts";
import { systemWords } from "../words.ts";
import { Exit } from "./exit.ts";

/** The option every command about a site takes. */
export const CONFIGURATION_OPTION = ["-c, --config <file>", "the configuration file"] as const;

/** What the file says, or every fault in it; faults and warnings as `FILE:LINE:COL: …`. */
export async function readSite(
  file: string,
  files: Files,
): Promise<{ configuration: Configuration; warnings: string[] } | { configuration: null; faults: string[] }> {
  // Loaded only here: half the commands need none of it.
  const [{ loadConfiguration }, { formatFault }, { INPUT_TYPES, READER_TYPES, RELAY_TYPES }] =
    await Promise.all([
      import("../../config/load.ts"),
      import("../../config/faults.ts"),
      import("../../drivers/registry.ts"),
    ]);
  const read = (path: string, sizeBytesMax: number): Promise<Uint8Array | null> =>
    files.read(path, sizeBytesMax).catch((error) => Promise.reject(new Error(systemWords(error))));
  const loaded = await loadConfiguration(file, read, {
    readers: READER_TYPES,
    relays: RELAY_TYPES,
    inputs: INPUT_TYPES,
  });
  if (loaded.kind === "faults")
    return { configuration: null, faults: loaded.faults.map((fault) => formatFault(file, fault)) };
  return {
    configuration: loaded.configuration,
    warnings: loaded.warnings.map((warning) => formatFault(file, warning)),
  };
}

/** Prints every fault, or every warning, on standard error; faults end the command with 2. */
export async function loadSite(file: string, files: Files): Promise<Configuration> {
  const site = await readSite(file, files);
  if (site.configuration === null) {
    for (const fault of site.faults) process.stderr.write(`${fault}\n`);
    throw new Exit(2, "");
  }
  for (const warning of site.warnings) process.stderr.write(`warning: ${warning}\n`);
  return site.configuration;
}

/** Does `act` on the site that `file` describes, and leaves nothing running. */
export async function withSite(
  file: string,
  act: (configuration: Configuration, system: System) => Promise<void>,
): Promise<void> {
  const system = await createSystem();
  try {
    await act(await loadSite(file, system.files), system);
  } finally {
    system.stop();
  }
}

/** For arguments. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("it must be a whole number.");
  return Number(text);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** Columns as wide as what stands in them; nothing where there are no rows. */
export function printTable(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd();
  print(paint(line(columns), "dim"));
  for (const row of rows) print(line(row));
}

/** Colours for a terminal, plain text for everything else. */
export function paint(
  text: string,
  colour: "green" | "yellow" | "red" | "bold" | "dim",
  stream: { isTTY?: boolean } = process.stdout,
): string {
  if (stream.isTTY !== true || process.env.NO_COLOR !== undefined) return text;
  const code = { green: 32, yellow: 33, red: 31, bold: 1, dim: 2 }[colour];
  return `\u001b[${code}m${text}\u001b[0m`;
}
