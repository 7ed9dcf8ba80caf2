/**
 * The commands' schemas as functions. In `dist/` this module holds the code that ajv makes of them, as in `config/validator.ts`.
 */
import { Ajv, type ValidateFunction } from "ajv";
import { COMMAND_ID, COMMANDS, PAYLOADS } from "../broker/command-schema.ts";

/** Asked by the build. */
export const ajv = new Ajv({ useDefaults: true, meta: false, validateSchema: false, code: { source: true } });
for (const name of COMMANDS) ajv.addSchema(PAYLOADS[name], name);
ajv.addSchema(COMMAND_ID, "id");

/** One for each command by its name, and one for `id`. */
export const VALIDATORS = Object.fromEntries(
  ["id", ...COMMANDS].map((name) => [name, ajv.getSchema(name) as ValidateFunction]),
);
