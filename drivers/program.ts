/** Small programs of the operating system, run beside us: never through a shell, and held to a few words. */
import { spawn } from "node:child_process";

/** Words of a program that are kept to be shown; no message of one is longer. */
const wordsCharsMax = 300;
/** A line of what it says; nothing that is asked for here comes near. */
const lineCharsMax = 200;

export interface ProgramEvents {
  /** A line of its standard output. */
  line(text: string): void;
  /** Once, when it has ended or could not be started. `why`: its last words, or what kept it from starting. */
  ended(code: number | null, why: string): void;
}

export interface RunningProgram {
  /** Asks it to end; safe at any time. */
  end(): void;
}

/** Starts a program by its name and never throws; `events` are called later. */
export type RunProgram = (program: string, args: readonly string[], events: ProgramEvents) => RunningProgram;

export const runProgram: RunProgram = (program, args, events) => {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let words = "";
  let carry = "";
  let isOver = false;
  const over = (code: number | null, why: string): void => {
    if (isOver) return;
    isOver = true;
    events.ended(code, why);
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (carry + text).split("\n");
    carry = (lines.pop() ?? "").slice(0, lineCharsMax);
    for (const line of lines) events.line(line.slice(0, lineCharsMax));
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-wordsCharsMax);
  });
  child.on("error", (error: NodeJS.ErrnoException) =>
    over(null, error.code === "ENOENT" ? `${program} is not installed` : error.message),
  );
  child.on("close", (code, signal) => over(code, words.trim() || `it ended by ${signal ?? `code ${code}`}`));
  return { end: () => void child.kill() };
};
