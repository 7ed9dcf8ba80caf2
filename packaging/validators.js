/**
 * node packaging/validators.js: the last step of the build. Puts the code that ajv makes of our schemas in the place of the modules in
 * `dist/` that have it made, so that nobody waits for it at a start and no ajv stays in a gate's memory.
 */
import { rmSync, writeFileSync } from "node:fs";
import standaloneCode from "ajv/dist/standalone/index.js";

for (const name of ["config/validator", "daemon/remote/command-validator"]) {
  const file = new URL(`../dist/${name}.js`, import.meta.url);
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
