/**
 * The words `schema.ts` is written in: each gives a JSON Schema with a description and knows its TypeScript type.
 */
import Type, { type Static, type TObject, type TProperties, type TSchema } from "typebox";
import type { FormName } from "./forms.ts";

/** No list and no text of a real site comes near; guards against a file that is no configuration. */
const LIST_ENTRIES_MAX = 64;
const TEXT_CHARS_MAX = 256;

/** Where a secret is to be had: never in the file itself. Read by `secrets.ts`. */
export type Secret = { file: string } | { env: string };

/** An object that takes no other keys. Keys with a default may be left out, and are always there once loaded. */
export function section<P extends TProperties>(
  description: string,
  properties: P,
  more: object = {},
): TObject<P> {
  const object = Type.Object(properties, { description, additionalProperties: false, ...more });
  const required = (object.required ?? []) as unknown as readonly string[];
  return Object.assign(object, { required: required.filter((key) => !("default" in properties[key]!)) });
}

export function text(description: string, more: object = {}) {
  return Type.String({ description, minLength: 1, maxLength: TEXT_CHARS_MAX, ...more });
}

export function formed(description: string, form: FormName, more: object = {}) {
  return Type.String({ description, "x-form": form, ...more });
}

export function integer(
  description: string,
  limits: { minimum: number; maximum: number },
  more: object = {},
) {
  return Type.Integer({ description, ...limits, ...more });
}

export function choice<const T extends readonly (string | number)[]>(
  description: string,
  values: T,
  more: object = {},
) {
  return Type.Unsafe<T[number]>({ description, enum: [...values], ...more });
}

export function list<T extends TSchema>(description: string, items: T, more: object = {}) {
  return Type.Array(items, { description, maxItems: LIST_ENTRIES_MAX, ...more });
}

export function id(description: string, more: object = {}) {
  return Type.String({
    description,
    pattern: "^[a-z0-9][a-z0-9-]{0,39}$",
    "x-allowed": "1 to 40 of a-z, 0-9 and -, not beginning with -",
    ...more,
  });
}

const SECRET_ALLOWED = "{ file: PATH } or { env: NAME }, never the secret itself";

export function secret(description: string) {
  const forms = section(
    description,
    {
      file: Type.Optional(
        formed("A file only its owner may read (mode 0600), holding the secret on one line.", "path"),
      ),
      env: Type.Optional(
        text("The name of an environment variable that holds the secret.", {
          pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
          "x-allowed": "the name of an environment variable",
        }),
      ),
    },
    { minProperties: 1, maxProperties: 1, "x-allowed": SECRET_ALLOWED },
  );
  return Type.Unsafe<Secret>(forms);
}

export function tls(description: string) {
  return section(
    description,
    {
      ca: Type.Optional(
        formed("PEM file of the authorities that are trusted; the system's where it is left out.", "path"),
      ),
      cert: Type.Optional(formed("PEM file of this gateway's own certificate.", "path")),
      key: Type.Optional(formed("PEM file of the private key of `cert`.", "path")),
    },
    { dependencies: { cert: ["key"], key: ["cert"] } },
  );
}

type Shape<P extends TProperties> = Static<TObject<P>>;
type Variant<T extends Record<string, TProperties>, Common extends TProperties> = {
  [D in keyof T & string]: { driver: D } & Shape<Common> & Shape<T[D]>;
}[keyof T & string];

/** One object for each driver, told apart by `driver` alone: a wrong key is one fault, not one for each driver. */
export function variants<T extends Record<string, TProperties>, C extends TProperties>(
  what: string,
  table: T,
  common: C,
) {
  return Type.Unsafe<Variant<T, C>>({
    type: "object",
    description: what,
    "x-allowed": `keys, with driver one of ${Object.keys(table).join(", ")}`,
    discriminator: { propertyName: "driver" },
    oneOf: Object.entries(table).map(([driver, options]) =>
      section(`${what} Driver ${driver}.`, {
        driver: Type.Literal(driver, { description: "Which driver it is." }),
        ...common,
        ...options,
      }),
    ),
  });
}
