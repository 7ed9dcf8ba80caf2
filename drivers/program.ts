/** Small programs of the operating system, run beside us: never through a shell, and held to a few words. */
import { spawn } from "node:child_process";

/** Words of a program that are kept to be shown; no message of one is longer. */
const WORDS_CHARS_MAX = 300;
/** A line of what it says; nothing that is asked for here comes near. */
const LINE_CHARS_MAX = 200;
/** A line that flickers a thousand times a second is a loose wire; a program that says more has gone wild. */
const LINES_PER_SECOND_MAX = 4_096;
const SECOND_MS = 1_000;
/** One that has not ended by then, of which a few milliseconds are enough, is killed. */
const END_MS_MAX = 250;
/** A killed program that does not go (it hangs in the kernel) is not waited for: a relay waits to be released. */
const KILL_MS_MAX = 250;

export interface ProgramEvents {
  /** A line of its standard output. */
  line(text: string): void;
  /** Once, when it has ended or could not be started. `why`: its last words, or what kept it from starting. */
  ended(code: number | null, why: string): void;
}

export interface RunningProgram {
  /** Asks it to end, and soon makes it: `ended` comes within a second. Safe at any time. */
  end(): void;
}

/** Starts a program by its name and never throws; `events` are called later. */
export type RunProgram = (program: string, args: readonly string[], events: ProgramEvents) => RunningProgram;

export const runProgram: RunProgram = (program, args, events) => {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  // Before anything else, and no pipe without this: where files run out there are none, and an error that nobody hears ends us.
  child.on("error", (error: NodeJS.ErrnoException) =>
    over(null, error.code === "ENOENT" ? `${program} is not installed` : error.message),
  );
  let words = "";
  let carry = "";
  let isOver = false;
  let killing: NodeJS.Timeout | null = null;
  let second = { endsMs: 0, lines: 0 };
  const over = (code: number | null, why: string): void => {
    if (isOver) return;
    isOver = true;
    if (killing !== null) clearTimeout(killing);
    // Whatever else holds its output open must not keep ours.
    child.stdout?.destroy();
    child.stderr?.destroy();
    events.ended(code, why);
  };
  const kill = (): void => {
    child.kill("SIGKILL");
    child.stdout?.destroy();
    child.stderr?.destroy();
    killing = setTimeout(() => over(null, "it does not end"), KILL_MS_MAX);
  };
  const said = (text: string): void => {
    if (isOver) return;
    if (performance.now() >= second.endsMs) second = { endsMs: performance.now() + SECOND_MS, lines: 0 };
    second.lines += 1;
    if (second.lines <= LINES_PER_SECOND_MAX) return events.line(text.slice(0, LINE_CHARS_MAX));
    child.kill("SIGKILL");
    over(null, `it says more than ${LINES_PER_SECOND_MAX} lines in a second`);
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (carry + text).split("\n");
    carry = (lines.pop() ?? "").slice(0, LINE_CHARS_MAX);
    for (const line of lines) said(line);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-WORDS_CHARS_MAX);
  });
  child.on("close", (code, signal) => over(code, words.trim() || `it ended by ${signal ?? `code ${code}`}`));
  return {
    end: () => {
      if (isOver || killing !== null) return;
      child.kill();
      killing = setTimeout(kill, END_MS_MAX);
    },
  };
};
