/**
 * A gateway in which something broke that must not: it has the time to release its relays, and ends with 1. And what must not break
 * it: no files left to be opened.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const built = (file: string): string => fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
const RUN = built("daemon/commands/run.js");

it("what breaks again and again while the relays are released does not end it before they are", async () => {
  const program = `
    const { untilTold } = await import(${JSON.stringify(RUN)});
    const told = untilTold((error) => console.log("told of " + error.message));
    let faults = 0;
    setInterval(() => { faults += 1; throw new Error("a fault"); }, 5);
    setInterval(() => void Promise.reject(new Error("a rejection")), 5);
    const why = await told;
    const first = faults;
    // While the relays are released it goes on breaking.
    await new Promise((done) => setInterval(() => faults >= first + 10 && done(), 5));
    console.log(why + ", and released");
    process.exit();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = await once(child, "close");
  expect(said).toBe("told of a fault\nbroken, and released\n");
  expect(code).toBe(1);
});

it("programs that cannot be started for want of files are told of in words, and end nobody", async () => {
  const program = `
    const { openSync, closeSync, unlinkSync } = await import("node:fs");
    const { createServer } = await import("node:net");
    const { runProgram } = await import(${JSON.stringify(built("drivers/program.js"))});
    const { openPcscProcess } = await import(${JSON.stringify(built("drivers/pcsc-process.js"))});
    const path = (await import("node:os")).tmpdir() + "/grindvakt-files-" + process.pid;
    await new Promise((done) => createServer((socket) => socket.destroy()).listen(path, done));
    const files = [];
    try { for (;;) files.push(openSync("/dev/null")); } catch {}
    const ended = new Promise((done) => runProgram("true", [], { line() {}, ended: (code, why) => done(why) }));
    console.log(await ended);
    for (let free = 0; free < 3; free += 1) closeSync(files.pop());
    await openPcscProcess("/nowhere.js", path, { data() {}, closed() {} }).catch(({ message }) => console.log(message));
    unlinkSync(path);
    setTimeout(() => process.exit(0), 50);`;
  const limited = spawn("sh", [
    "-c",
    `ulimit -n 64; exec "$0" --input-type=module -e "$1"`,
    process.execPath,
    program,
  ]);
  let said = "";
  for (const out of [limited.stdout, limited.stderr]) {
    out.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const [code] = await once(limited, "close");
  expect(said).toMatch(/^spawn true EMFILE\nthe PC\/SC process cannot be started: .*EMFILE\n$/);
  expect(code).toBe(0);
});
