/**
 * node packaging/validators.js DIR: the last step of the build. Puts the code that ajv makes of our schemas in the place of the modules
 * in DIR that have it made, so that nobody waits for it at a start and no ajv stays in a gate's memory.
 */
import { rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import standaloneCode from "ajv/dist/standalone/index.js";

const built = pathToFileURL(`${resolve(process.argv[2])}/`);
for (const name of ["config/validator", "daemon/remote/command-validator"]) {
  const file = new URL(`${name}.js`, built);
  const { ajv, VALIDATORS } = await import(file);
  const names = Object.keys(VALIDATORS);
  const code = standaloneCode.default(ajv, Object.fromEntries(names.map((name) => [name, name])));
  writeFileSync(
    file,
    `// Made of ${name}.ts by ajv.
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const exports = {};
${code}
export const VALIDATORS = exports;
`,
  );
  rmSync(new URL(`${file}.map`), { force: true });
}
