/**
 * node counter.js PROGRAM: carries out the commands that `counter.ts` sends, one after the other. One is over when it has answered and
 * nothing is left, that Node tells of, which would keep a process of its own from ending. Node's own warnings come once and go elsewhere.
 * It is JavaScript, as no process of Node 20 can load anything else.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { pathToFileURL } from "node:url";

const [, , program] = process.argv;
const LOOK_MS = 2;
/** A process of its own would long have been missed. */
const COMMAND_MS_MAX = 60_000;

/** What the command that is carried out has said, on standard output and on standard error. */
let said = [[], []];
const listenTo = (output, index) => {
  output.write = (piece, ...rest) => {
    said[index].push(Buffer.from(piece, typeof rest[0] === "string" ? rest[0] : "utf8"));
    const done = rest.at(-1);
    if (typeof done === "function") process.nextTick(done);
    return true;
  };
};
listenTo(process.stdout, 0);
listenTo(process.stderr, 1);
const { writeSync } = fs;
// The log writes past process.stderr.
fs.writeSync = (fd, piece, ...rest) => {
  if (fd !== 2) return writeSync(fd, piece, ...rest);
  const bytes = Buffer.from(piece);
  said[1].push(bytes);
  return bytes.length;
};
syncBuiltinESMExports();

/** What keeps this process from ending. A file that has been closed is named for a while yet, as CloseReq. */
function held() {
  const names = process.getActiveResourcesInfo().filter((name) => name !== "CloseReq");
  return names.sort().join();
}

async function nothingLeft(quiet) {
  while (held() !== quiet) await new Promise((look) => setTimeout(look, LOOK_MS).unref());
}

async function answer({ args, cwd, env, count }) {
  const quiet = held();
  // Thrown from a timer it ends this process, and its words are seen.
  const late = setTimeout(() => {
    fs.writeSync = writeSync;
    throw new Error(`grindvakt ${args.join(" ")} never ends: ${held()}, not ${quiet}`);
  }, COMMAND_MS_MAX).unref();
  said = [[], []];
  process.chdir(cwd);
  process.env = env;
  process.argv = [process.execPath, program, ...args];
  process.exitCode = undefined;
  // By another name the program is begun anew; what it loads is loaded once.
  await import(`${pathToFileURL(program)}?${count}`);
  await nothingLeft(quiet);
  clearTimeout(late);
  const [stdout, stderr] = said.map((pieces) => Buffer.concat(pieces).toString());
  const code = process.exitCode;
  process.exitCode = undefined;
  process.stdout.removeAllListeners("error");
  process.send({ code, stdout, stderr });
}

process.on("message", answer);
process.on("disconnect", () => process.exit());
