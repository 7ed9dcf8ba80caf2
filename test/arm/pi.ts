/** The emulated processor: Node on it, as `test/arm/run.sh` has put it in place. */
import { execFile } from "node:child_process";

const outputBytesMax = 16 * 1024 ** 2;

export const { TEST_NODE: NODE = "", TEST_PROCESSOR: PROCESSOR = "" } = process.env;
if (NODE === "") throw new Error("these tests are started by: npm run test:arm");

/** Runs a program of Node's there to its end, and gives what it printed; `failed` where it did not end with 0. */
export function node(args: readonly string[]): Promise<{ stdout: string; stderr: string; failed: boolean }> {
  return new Promise((resolve) => {
    execFile(NODE, args, { maxBuffer: outputBytesMax }, (error, stdout, stderr) =>
      resolve({ stdout, stderr, failed: error !== null }),
    );
  });
}

/** Evaluates an expression there; what it gives comes back as JSON. `await` may be used. */
export async function evaluate(body: string): Promise<unknown> {
  const script = `import { createRequire } from "node:module"; const require = createRequire(process.cwd() + "/package.json");
    console.log(JSON.stringify(await (async () => { ${body} })()) ?? "null")`;
  const { stdout, stderr, failed } = await node(["--input-type=module", "--eval", script]);
  if (failed) throw new Error(stderr);
  return JSON.parse(stdout);
}
