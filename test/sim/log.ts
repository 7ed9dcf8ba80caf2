import type { Log } from "../../drivers/ports.ts";

export interface LogLine {
  level: keyof Log;
  message: string;
  fields: Record<string, unknown>;
}

/** A log that keeps every line, for tests to look at. */
export class SimLog implements Log {
  readonly lines: LogLine[] = [];
  readonly #trace: ((line: string) => void) | undefined;

  constructor(trace?: (line: string) => void) {
    this.#trace = trace;
  }

  debug(message: string, fields: Record<string, unknown> = {}): void {
    this.#add("debug", message, fields);
  }

  info(message: string, fields: Record<string, unknown> = {}): void {
    this.#add("info", message, fields);
  }

  warn(message: string, fields: Record<string, unknown> = {}): void {
    this.#add("warn", message, fields);
  }

  error(message: string, fields: Record<string, unknown> = {}): void {
    this.#add("error", message, fields);
  }

  /** The messages of one level, in order. */
  messages(level: keyof Log): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message);
  }

  #add(level: keyof Log, message: string, fields: Record<string, unknown>): void {
    this.lines.push({ level, message, fields });
    this.#trace?.(`log ${level} ${message} ${JSON.stringify(fields)}`);
  }
}
