/**
 * Lines of a GPIO chip, through the tools of the kernel's own character device (Debian's `gpiod`): Node has no ioctl, and the
 * packages that bring one are tied to one version of libgpiod each, or to sysfs, which is gone. A process of its own has a
 * merit besides: it times the pulse itself, and so ends it though we crash in the middle. Versions 1 and 2 of the tools differ
 * in every option; which one is there is asked at each opening.
 */
import type { Clock } from "./ports.ts";
import type { ProgramEvents, RunningProgram, RunProgram } from "./program.ts";
import { wordsOf } from "./words.ts";

/** A command that takes longer is no answer; on the slowest board they take some 20 ms. */
const COMMAND_MS_MAX = 1_000;
/** Version 1 says nothing when it has a line: one that could not have it has ended by then. */
const TAKEN_MS = 100;

/** `activeLow`: the low level is the active one. */
export interface GpioLine {
  chip: string;
  line: number;
  activeLow: boolean;
}

export type Bias = "as-is" | "pull-up" | "pull-down";
export type GpioVersion = 1 | 2;

/** What it takes to run the tools. */
export interface GpioWorld {
  clock: Clock;
  run: RunProgram;
}

/** Which tools there are; rejects with what to install. */
export async function gpioVersion(world: GpioWorld): Promise<GpioVersion> {
  const said = await finished(world, "gpioset", ["--version"]).catch((error: Error) => {
    throw new Error(`${error.message}: sudo apt-get install gpiod`);
  });
  const version = /v(\d+)\./.exec(said[0] ?? "")?.[1];
  if (version === "1" || version === "2") return version === "1" ? 1 : 2;
  throw new Error(`gpioset is of a version that is not known here: ${said[0] ?? "it says nothing"}`);
}

/** Energises for `durationMs`, by the tool's own timer. */
export function pulseArgs(version: GpioVersion, line: GpioLine, durationMs: number): string[] {
  if (version === 2) {
    // Toggled back after the time, and then it ends.
    return [
      "--banner",
      "--toggle",
      `${durationMs}ms,0`,
      ...lowOf(line),
      "--chip",
      line.chip,
      `${line.line}=1`,
    ];
  }
  const time = [`--sec=${Math.floor(durationMs / 1_000)}`, `--usec=${(durationMs % 1_000) * 1_000}`];
  return ["--mode=time", ...time, ...lowOf(line), line.chip, `${line.line}=1`];
}

export function releaseArgs(version: GpioVersion, line: GpioLine): string[] {
  return version === 2
    ? ["--toggle", "0", ...lowOf(line), "--chip", line.chip, `${line.line}=0`]
    : ["--mode=exit", ...lowOf(line), line.chip, `${line.line}=0`];
}

/** Prints `1` where the line is active. */
export function levelArgs(version: GpioVersion, line: GpioLine, bias: Bias): string[] {
  return version === 2
    ? ["--numeric", ...biasOf(bias), ...lowOf(line), "--chip", line.chip, `${line.line}`]
    : [...biasOf(bias), ...lowOf(line), line.chip, `${line.line}`];
}

/** Prints a line for each edge: `1` where it became active; inactive is 0 in version 1 and 2 in version 2. */
export function edgesArgs(version: GpioVersion, line: GpioLine, bias: Bias): string[] {
  return version === 2
    ? ["--banner", "--format=%e", ...biasOf(bias), ...lowOf(line), "--chip", line.chip, `${line.line}`]
    : ["--line-buffered", "--format=%e", ...biasOf(bias), ...lowOf(line), line.chip, `${line.line}`];
}

/** As it is where nothing is said; version 2 has no word for it. */
function biasOf(bias: Bias): string[] {
  return bias === "as-is" ? [] : [`--bias=${bias}`];
}

function lowOf({ activeLow }: GpioLine): string[] {
  return activeLow ? ["--active-low"] : [];
}

/** Runs a tool to its end and gives its lines; rejects with its words, or when it does not end. */
export function finished(
  { clock, run }: GpioWorld,
  program: string,
  args: readonly string[],
): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    const child = run(program, args, {
      line: (text) => void (lines.length < 2 && lines.push(text)),
      ended: (code, why) => {
        timer.cancel();
        if (code === 0) resolve(lines);
        else reject(new Error(why));
      },
    });
    const timer = clock.after(COMMAND_MS_MAX, () => {
      child.end();
      reject(new Error(`${program} does not end`));
    });
  });
}

/** A tool that holds its line for as long as it runs. */
export interface Holding {
  child: RunningProgram;
  /** Resolves when it has ended, with why; null where all was well. */
  ended: Promise<string | null>;
}

/** Starts a tool and resolves once it has its line, or has ended well already; rejects with its words. */
export async function holding(
  { clock, run }: GpioWorld,
  version: GpioVersion,
  program: string,
  args: readonly string[],
  line: ProgramEvents["line"],
): Promise<Holding> {
  const taken = deferred<void>();
  const ended = deferred<string | null>();
  // Version 2 says when it has the line, and that is no line for anybody else.
  let isBanner = version === 2;
  const child = run(program, args, {
    line: (text) => {
      if (!isBanner) return line(text);
      isBanner = false;
      taken.resolve();
    },
    ended: (code, why) => ended.resolve(code === 0 ? null : why),
  });
  const timer = clock.after(version === 1 ? TAKEN_MS : COMMAND_MS_MAX, taken.resolve);
  const failure = await Promise.race([taken.promise.then(() => null), ended.promise]);
  timer.cancel();
  if (failure !== null) throw new Error(failure);
  return { child, ended: ended.promise };
}

/** The tools' words, for people who know their wires and not the tools. */
export function lineWords({ chip, line }: GpioLine, error: unknown): Error {
  const why = wordsOf(error);
  if (/resource busy/i.test(why))
    return new Error(`line ${line} of ${chip} is in use by another program: gpioinfo says by which`);
  if (/no such file|cannot find|not find/i.test(why))
    return new Error(`there is no ${chip}: gpiodetect says which there are`);
  if (/permission denied/i.test(why))
    return new Error(`${chip} is closed to this account: it has to be in the group gpio`);
  return new Error(why);
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
