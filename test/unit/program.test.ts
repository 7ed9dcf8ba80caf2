/** Small programs of the operating system that behave as they should not: they end all the same, and are heard no further. */
import { expect, it } from "vitest";
import { runProgram } from "../../drivers/program.ts";

interface Heard {
  lines: string[];
  ended: Promise<string>;
  end(): void;
}

function run(script: string, line: (heard: Heard) => void): Heard {
  let over: (why: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    over = resolve;
  });
  const heard: Heard = { lines: [], ended, end: () => program.end() };
  const program = runProgram("/bin/sh", ["-c", script], {
    line: (text) => {
      heard.lines.push(text);
      line(heard);
    },
    ended: (_code, why) => over(why),
  });
  return heard;
}

it.each([
  ["pays no heed to being asked", "trap '' TERM; echo ready; while :; do sleep 0.05; done"],
  ["is stopped in its tracks", "echo ready; kill -STOP $$; echo on"],
  ["leaves its output to another", "sleep 20 & echo ready; wait"],
])("a program that %s has ended soon after it was told to", async (_what, script) => {
  const heard = run(script, ({ end }) => end());
  expect(await heard.ended).toMatch(/^it (ended by SIG(TERM|KILL)|does not end)$/);
  expect(heard.lines).toEqual(["ready"]);
});

it("a program that says more than anybody asked for is ended, and its lines are not all heard", async () => {
  const heard = run("yes", () => undefined);
  expect(await heard.ended).toBe("it says more than 4096 lines in a second");
  expect(heard.lines.length).toBe(4096);
});
