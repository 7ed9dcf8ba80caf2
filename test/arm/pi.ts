/** The emulated processor: Node on it, as `test/arm/run.sh` has put it in place. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const outputBytesMax = 16 * 1024 ** 2;

export const { TEST_NODE: NODE = "", TEST_PROCESSOR: PROCESSOR = "" } = process.env;
if (NODE === "") throw new Error("these tests are started by: npm run test:arm");

/** Runs a program of Node's there, and gives what it printed. */
export async function node(args: readonly string[], cwd = process.cwd()): Promise<string> {
  const { stdout } = await run(NODE, args, { cwd, maxBuffer: outputBytesMax });
  return stdout;
}

/** Evaluates an expression there; what it gives comes back as JSON. `await` may be used. */
export async function evaluate(body: string): Promise<unknown> {
  const script = `import { createRequire } from "node:module"; const require = createRequire(process.cwd() + "/package.json");
    console.log(JSON.stringify(await (async () => { ${body} })()) ?? "null")`;
  return JSON.parse(await node(["--input-type=module", "--eval", script]));
}
