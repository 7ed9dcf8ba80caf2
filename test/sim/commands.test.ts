import { expect, test } from "vitest";
import type { Line } from "../../daemon/journal/record.ts";
import { commandFault } from "./commands.ts";
import { live } from "./life.ts";

const SEEDS = [1, 2, 3, 4, 5, 6];

test("commands in a storm are taken, refused for whatever there is, and open", async () => {
  const answers = new Map<string, number>();
  let pulses = 0;
  for (const seed of SEEDS) {
    for (const line of await live(seed)) {
      if (/broker has \S+\/passage .*"event":"opened".*"command":"c-/.test(line)) pulses += 1;
      const [, text] = /broker has \S+\/reply (\{.*\})$/.exec(line) ?? [];
      if (text === undefined) continue;
      const { command, ok, reason } = JSON.parse(text) as { command: string; ok: boolean; reason?: string };
      const what = ok ? `${command} done` : (reason ?? "");
      answers.set(what, (answers.get(what) ?? 0) + 1);
    }
  }
  console.log(`commands in storms: ${JSON.stringify(Object.fromEntries(answers))}, ${pulses} pulses told of`);
  expect(pulses).toBeGreaterThan(5);
  for (const what of [
    "open done",
    "refresh done",
    "resend done",
    "repeated",
    "expired",
    "clock-untrusted",
    "not-json",
  ])
    expect(answers.get(what) ?? 0, what).toBeGreaterThan(0);
});

test("a journal in which a command was taken or opened twice is found out", () => {
  const line = (type: "gateway" | "passage", data: object) =>
    ({ type: `grindvakt.${type}.v1`, data }) as Line;
  const taken = line("gateway", { event: "command", command: "open", id: "c-1" });
  const opened = line("passage", { event: "opened", command: "c-1" });
  expect(commandFault([taken, opened])).toBeNull();
  expect(commandFault([taken, opened, taken])).toContain("taken twice");
  expect(commandFault([taken, opened, opened])).toContain("two pulses");
  expect(commandFault([opened])).toContain("was not taken");
});
