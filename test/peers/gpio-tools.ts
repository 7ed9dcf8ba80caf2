/**
 * libgpiod's tools as their manuals have them (gpioset, gpioget, gpiomon; 1.6 and 2), over a chip that is not there: what a
 * `RunProgram` would have run. Written from the manuals, and apart from the driver that is held against it.
 */
import { parseArgs } from "node:util";
import type { Clock } from "../../drivers/ports.ts";
import type { ProgramEvents, RunProgram } from "../../drivers/program.ts";

/** From the start of a process to its first effect. */
const START_MS = 5;

interface Line {
  /** The level at the pin. */
  level: 0 | 1;
  holder: string | null;
  watch: ((rising: boolean) => void) | null;
}

interface Process {
  args: readonly string[];
  events: ProgramEvents;
  end(code: number | null, words: string): void;
}

export class GpioTools {
  readonly #clock: Clock;
  readonly #version: "1.6.3" | "2.2.1";
  readonly #lines = new Map<number, Line>();
  readonly #watchers = new Set<() => void>();
  #isThere = true;
  /** Programs that run. */
  running = 0;
  /** Commands that set a line to inactive. */
  releases = 0;
  /** Whether the tools are installed at all. */
  installed = true;

  constructor(clock: Clock, version: "1.6.3" | "2.2.1") {
    this.#clock = clock;
    this.#version = version;
  }

  level(line: number): 0 | 1 {
    return this.#line(line).level;
  }

  /** A contact moves the line. */
  drive(line: number, level: 0 | 1): void {
    const pin = this.#line(line);
    if (pin.level === level) return;
    pin.level = level;
    pin.watch?.(level === 1);
  }

  /** Somebody else takes the line, or gives it back. */
  occupy(line: number, holder: string | null): void {
    this.#line(line).holder = holder;
  }

  /** The chip is gone: whoever watches it is told so by the kernel. */
  vanish(): void {
    this.#isThere = false;
    for (const fail of this.#watchers) fail();
  }

  comeBack(): void {
    this.#isThere = true;
    for (const line of this.#lines.values()) line.holder = null;
  }

  readonly run: RunProgram = (program, args, events) => {
    this.running += 1;
    let isOver = false;
    let cleanUp = (): void => {};
    const process: Process = {
      args,
      events: { ...events, line: (text) => void (isOver || events.line(text)) },
      end: (code, words) => {
        if (isOver) return;
        isOver = true;
        this.running -= 1;
        cleanUp();
        events.ended(code, words);
      },
    };
    this.#clock.after(START_MS, () => {
      if (isOver) return;
      if (!this.installed) return process.end(null, `${program} is not installed`);
      cleanUp = this.#tool(program, process) ?? cleanUp;
    });
    return { end: () => void this.#clock.after(1, () => process.end(null, "it ended by SIGTERM")) };
  };

  /** Returns what is to be undone at the end of a program that goes on. */
  #tool(program: string, process: Process): (() => void) | undefined {
    const { args, events, end } = process;
    if (args[0] === "--version") {
      events.line(`${program} (libgpiod) v${this.#version}`);
      return void end(0, "");
    }
    const { values, positionals } = this.#version.startsWith("1") ? parseOne(args) : parseTwo(args);
    // Version 2 knows no word for leaving a line as it is.
    if (values.bias === "as-is" && this.#version.startsWith("2"))
      return void end(1, `${program}: invalid bias: as-is`);
    const [chip, ...lines] = this.#version.startsWith("1") ? positionals : [values.chip, ...positionals];
    const [name = "", value] = (lines[0] ?? "").split("=");
    const failed = (words: string): undefined => void end(1, `${program}: ${words}`);
    if (lines.length !== 1 || !/^[0-9]+$/.test(name)) return failed("invalid line");
    if (!this.#isThere || chip !== "gpiochip0") return failed("error: No such file or directory");
    const line = this.#line(Number(name));
    if (line.holder !== null) return failed("error: Device or resource busy");
    const isLow = values["active-low"] === true;
    switch (program) {
      case "gpioget":
        events.line(String(isLow ? 1 - line.level : line.level));
        return void end(0, "");
      case "gpiomon":
        return this.#watch(line, isLow, values.banner === true, process);
      default:
        return this.#set(line, isLow, value ?? "", values, process);
    }
  }

  #watch(line: Line, isLow: boolean, banner: boolean, { events, end }: Process): () => void {
    const falling = this.#version.startsWith("1") ? "0" : "2";
    const fail = (): void => end(1, "gpiomon: error waiting for events: No such device");
    if (banner) events.line("Monitoring line ...");
    line.holder = "gpiomon";
    line.watch = (rising) => events.line(rising !== isLow ? "1" : falling);
    this.#watchers.add(fail);
    return () => {
      line.holder = null;
      line.watch = null;
      this.#watchers.delete(fail);
    };
  }

  #set(
    line: Line,
    isLow: boolean,
    value: string,
    values: Options,
    { events, end }: Process,
  ): (() => void) | undefined {
    const put = (active: boolean): void => {
      if (!active) this.releases += 1;
      line.level = active !== isLow ? 1 : 0;
    };
    put(value === "1");
    if (values.mode === "exit" || values.toggle === "0") return void end(0, "");
    if (values.banner === true) events.line("Setting line ...");
    line.holder = "gpioset";
    const [period, last] = (values.toggle ?? "").split("ms,");
    const timeMs =
      values.toggle === undefined ? Number(values.sec) * 1_000 + Number(values.usec) / 1_000 : Number(period);
    if (Number.isNaN(timeMs) || (values.toggle !== undefined && last !== "0"))
      return void end(1, "gpioset: invalid period");
    const timer = this.#clock.after(timeMs, () => {
      // Version 2 has toggled it back; version 1 leaves it to the chip, and this one keeps what it was given.
      if (values.toggle !== undefined) put(value !== "1");
      end(0, "");
    });
    return () => {
      timer.cancel();
      line.holder = null;
    };
  }

  #line(number: number): Line {
    const found = this.#lines.get(number) ?? { level: 0, holder: null, watch: null };
    this.#lines.set(number, found);
    return found;
  }
}

type Options = Partial<Record<"chip" | "mode" | "sec" | "usec" | "toggle" | "bias" | "format", string>> &
  Partial<Record<"active-low" | "banner" | "numeric" | "line-buffered", boolean>>;

/** Each takes its own options only: what the other version knows is a usage error, and thrown. */
function parseOne(args: readonly string[]): { values: Options; positionals: string[] } {
  const options = {
    "active-low": { type: "boolean" },
    "line-buffered": { type: "boolean" },
    mode: { type: "string", default: "exit" },
    sec: { type: "string" },
    usec: { type: "string" },
    bias: { type: "string" },
    format: { type: "string" },
  } as const;
  return parseArgs({ args: [...args], options, allowPositionals: true });
}

function parseTwo(args: readonly string[]): { values: Options; positionals: string[] } {
  const options = {
    "active-low": { type: "boolean" },
    banner: { type: "boolean" },
    numeric: { type: "boolean" },
    chip: { type: "string" },
    toggle: { type: "string" },
    bias: { type: "string" },
    format: { type: "string" },
  } as const;
  return parseArgs({ args: [...args], options, allowPositionals: true });
}
