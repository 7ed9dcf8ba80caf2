import { describe, expect, it } from "vitest";
import { createLog, type LogLevel } from "../../drivers/log.ts";

function collect(level: LogLevel, plain: boolean) {
  const lines: string[] = [];
  return { lines, log: createLog(level, { plain, write: (line) => lines.push(line) }) };
}

describe("the log", () => {
  it("writes one JSON object a line, with level, time and fields", () => {
    const { lines, log } = collect("info", false);
    log.info("reader is up", { reader: "north-in-1", model: 'a "quoted"\nname' });
    log.error("disk is full");
    expect(lines).toHaveLength(2);
    expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
    const first = JSON.parse(lines[0]!);
    expect(first).toMatchObject({
      level: "info",
      msg: "reader is up",
      reader: "north-in-1",
      model: 'a "quoted"\nname',
    });
    expect(new Date(first.time).toISOString()).toBe(first.time);
    expect(JSON.parse(lines[1]!)).toMatchObject({ level: "error", msg: "disk is full" });
  });

  it("keeps silent below its level", () => {
    const { lines, log } = collect("warn", false);
    log.debug("no");
    log.info("no");
    log.warn("yes");
    log.error("yes");
    expect(lines).toHaveLength(2);
  });

  it("writes plain lines for a person, in which hostile words move nothing", () => {
    const { lines, log } = collect("debug", true);
    log.warn("reader is down", { reader: "north-in-1", why: "gone for good", tries: 3 });
    log.info("\u001b[2Jwiped\r\nfalse line", { from: "\u009b2J" });
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} warn {2}reader is down reader=north-in-1 why="gone for good" tries=3\n$/,
    );
    expect(lines[1]).toContain("\\u001b[2Jwiped\\u000d\\u000afalse line");
    expect(lines[1]!.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });
});
