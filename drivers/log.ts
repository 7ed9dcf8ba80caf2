import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { pino, stdTimeFunctions } from "pino";
import type { Log } from "./ports.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Where finished lines go. Never throws: a gate does not stop because nobody takes its words. */
export interface LogOutput {
  /** Lines for a person rather than for a program. */
  readonly plain: boolean;
  write(line: string): void;
}

const STANDARD_ERROR = 2;

/**
 * Structured words on standard error: JSON, one object a line, or plain lines on a terminal. Each line is handed
 * to the system before the call returns, so that the last words before an exit or a crash are there.
 */
export function createLog(level: LogLevel, output: LogOutput = createErrorOutput()): Log {
  const write = output.plain ? (line: string) => output.write(plainLine(line)) : output.write.bind(output);
  const log = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}

/**
 * Standard error, without ever waiting for it: what a full pipe, a full disk or a vanished terminal does not take
 * is dropped, and the next line that passes says how many were.
 */
function createErrorOutput(): LogOutput {
  let dropped = 0;
  return {
    plain: isatty(STANDARD_ERROR),
    write(line) {
      const told =
        dropped === 0
          ? line
          : `${JSON.stringify({ level: "warn", dropped, msg: "log lines lost" })}\n${line}`;
      try {
        const bytes = Buffer.from(told);
        const written = writeSync(STANDARD_ERROR, bytes);
        if (written < bytes.length) writeSync(STANDARD_ERROR, bytes, written);
        dropped = 0;
      } catch {
        dropped += 1;
      }
    },
  };
}

/** `07:58:12.345 warn  reader is down reader=north-in-1`, in the machine's own time zone. */
function plainLine(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const at = new Date(String(time));
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) =>
    String(part).padStart(2, "0"),
  );
  const millis = String(at.getMilliseconds()).padStart(3, "0");
  const words = Object.entries(fields).map(([key, value]) => ` ${key}=${plainValue(value)}`);
  return `${harmless(`${clock.join(":")}.${millis} ${String(level).padEnd(5)} ${msg}${words.join("")}`)}\n`;
}

function plainValue(value: unknown): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

/** Words that came from a cable must not move the cursor of who reads them. */
function harmless(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
