/**
 * The schema as a function. In `dist/` this module holds the code that ajv makes of it, written there by the build
 * (`packaging/validators.js`): to make it anew at each start took longer than all else that `check` does.
 */
import { _, Ajv, type KeywordCxt, type ValidateFunction } from "ajv";
import type { FormName } from "./forms.ts";
import { CONFIGURATION } from "./schema.ts";

/** What a validator is called on. */
export interface FormReader {
  /** Puts in place what a text of this form means; false when it means nothing. */
  convert(form: FormName, data: unknown, parent: Record<string, unknown>, key: string): boolean;
}

/** Asked by the build. */
export const ajv = new Ajv({
  meta: false,
  validateSchema: false,
  code: { source: true },
  allErrors: true,
  useDefaults: true,
  discriminator: true,
  verbose: true,
  messages: false,
  passContext: true,
  strictTypes: false,
  strictRequired: false,
})
  .addKeyword("x-allowed")
  .addKeyword({
    keyword: "x-form",
    code(cxt: KeywordCxt) {
      const { schema, data, it } = cxt;
      cxt.pass(_`this.convert(${schema}, ${data}, ${it.parentData}, ${it.parentDataProperty})`);
    },
  })
  .addSchema(CONFIGURATION, "configuration");

export const VALIDATORS = {
  configuration: ajv.getSchema("configuration") as ValidateFunction,
};
