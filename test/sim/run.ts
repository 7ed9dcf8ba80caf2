/**
 * The simulation outside the tests: `npm run sim -- --seed 7 --trace` lives one stormy minute again and prints what
 * happened; `--seeds 1000` lives many. Exit 1 when something that must hold did not.
 */
import { parseArgs } from "node:util";
import { live } from "./life.ts";

const USAGE = "npm run sim -- [--seed FIRST] [--seeds COUNT] [--trace]";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "1" },
      trace: { type: "boolean", default: false },
    },
  });
  const [first, count] = [Number(values.seed), Number(values.seeds)];
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count)) throw new Error(USAGE);
  let failed = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const show = values.trace ? (line: string) => console.log(line) : () => undefined;
    await live(seed, { prepare: ({ world }) => world.watch(show) }).catch((error: Error) => {
      failed += 1;
      console.error(`seed ${seed}: ${error.message}`);
    });
    if (process.stderr.isTTY)
      process.stderr.write(`\r${seed - first + 1} of ${count} seeds, ${failed} failed`);
  }
  console.log(`${count} seeds from ${first}, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
