/**
 * node counter.js PROGRAM: carries out the commands that `counter.ts` sends, one after the other. One is over when it has answered and has
 * left nothing that would keep a process of its own from ending. It is JavaScript, as no process of Node 20 can load anything else.
 */
const [, , program] = process.argv;
const LOOK_MS = 2;
/** A process of its own would long have been missed. */
const PATIENCE_MS = 30_000;

const outputs = [process.stdout, process.stderr];
const writes = outputs.map((output) => output.write);

/** What keeps this process from ending. */
function held() {
  const names = process.getActiveResourcesInfo().filter((name) => name !== "CloseReq");
  return names.sort().join();
}

async function nothingLeft(quiet, command) {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (held() !== quiet) {
    if (performance.now() > deadlineMs) throw new Error(`${command} never ends: ${held()}, not ${quiet}`);
    await new Promise((look) => setTimeout(look, LOOK_MS).unref());
  }
}

async function answer({ args, cwd, env, count }) {
  const quiet = held();
  const said = ["", ""];
  for (const [index, output] of outputs.entries())
    output.write = (piece, ...rest) => {
      said[index] += typeof piece === "string" ? piece : Buffer.from(piece).toString();
      const done = rest.at(-1);
      if (typeof done === "function") process.nextTick(done);
      return true;
    };
  process.chdir(cwd);
  process.env = env;
  process.argv = [process.execPath, program, ...args];
  process.exitCode = undefined;
  // By another name the program is begun anew; what it loads is loaded once.
  await import(`${program}?${count}`);
  const code = process.exitCode;
  await nothingLeft(quiet, args.join(" "));
  for (const [index, output] of outputs.entries()) output.write = writes[index];
  process.stdout.removeAllListeners("error");
  process.exitCode = undefined;
  process.send({ code, stdout: said[0], stderr: said[1] });
}

process.on("message", answer);
process.on("disconnect", () => process.exit());
