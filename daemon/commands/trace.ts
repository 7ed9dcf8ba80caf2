import { Command } from "commander";
import { type SightLine, sightLine } from "../gate/sights.ts";
import { untilStopped, watchReader } from "./reader-watch.ts";
import { CONFIGURATION_OPTION, paint, print, printJson, withSite } from "./terms.ts";

/** Bytes of a line on the terminal; what is longer goes on in the next. */
const LINE_BYTES_MAX = 16;

export function traceCommand(): Command {
  return new Command("trace")
    .description("the raw bytes or reports of a reader, with times and framing, until Ctrl-C")
    .requiredOption(...CONFIGURATION_OPTION)
    .requiredOption("--reader <id>", "which reader")
    .option("--json", "facts for a program, one a line")
    .action(({ config, reader, json }: { config: string; reader: string; json?: true }) =>
      withSite(config, (configuration, system) => {
        let lastMs: number | null = null;
        const take = (sight: SightLine, leftOut: number): void => {
          if (json === true) return printJson(leftOut === 0 ? sight : { ...sight, leftOut });
          if (leftOut > 0) print(`… ${leftOut} came too fast to be shown`);
          printSight(sight, lastMs === null ? null : sight.monotonicMs - lastMs);
          lastMs = sight.monotonicMs;
        };
        const watch = {
          stream: "trace",
          reader,
          take,
          watcher: () => (sight, stamp) => take(sightLine(sight, stamp), 0),
        } satisfies Parameters<typeof watchReader<SightLine>>[2];
        return untilStopped((signal) => watchReader(configuration, system, watch, signal));
      }),
    );
}

/** `sinceMs`: after the line before; null for the first. */
function printSight(sight: SightLine, sinceMs: number | null): void {
  const since = sinceMs === null ? "" : `+${sinceMs.toFixed(1)} ms`;
  const [first = "", ...others] = linesOf(sight);
  print(`${paint(sight.time.slice(11, 23), "dim")} ${paint(since.padStart(12), "dim")}  ${first}`);
  for (const line of others) print(`${" ".repeat(27)}${line}`);
}

function linesOf({ kind, direction, hex = "", text = "", countBits = 0 }: SightLine): string[] {
  switch (kind) {
    case "bytes":
      return dump(hex).map((line) => `${direction === "out" ? "->" : "<-"} ${line}`);
    case "text":
      return [paint(`text ${JSON.stringify(text)}`, "green")];
    case "bits":
      return [paint(`${countBits} bits ${binary(hex, countBits)}`, "green")];
    case "uid":
      return [paint(`uid ${hex.toUpperCase()}`, "green")];
  }
}

/** Hexadecimal digits, and beside them what of it can be read. */
function dump(hex: string): string[] {
  const lines = hex.match(new RegExp(`.{1,${2 * LINE_BYTES_MAX}}`, "g")) ?? [];
  return lines.map((line) => {
    const digits = (line.match(/../g) ?? []).join(" ");
    const readable = Buffer.from(line, "hex")
      .toString("latin1")
      .replace(/[^ -~]/g, ".");
    return `${digits.padEnd(3 * LINE_BYTES_MAX)} ${readable}`;
  });
}

function binary(hex: string, countBits: number): string {
  const bits = (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16).toString(2).padStart(8, "0"));
  return bits.join("").slice(0, countBits);
}
