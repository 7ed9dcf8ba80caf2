/**
 * The words `schema.ts` is written in: each gives a JSON Schema with a description and knows its TypeScript type. They are
 * our own because a library of them took 15 MB of the daemon's memory and a tenth of a second of its start.
 */
import type { FormName } from "./forms.ts";

/** Only the compiler sees it. */
declare const lets: unique symbol;
/** Not seen by who reads the schema as JSON. */
const OPTIONAL = Symbol("optional");

/** A JSON Schema that lets values of type `T` through. */
export interface Schema<T = unknown> {
  readonly [keyword: string]: unknown;
  readonly [lets]?: T;
}
export type Optional<T> = Schema<T> & { readonly [OPTIONAL]: true };
export type Properties = Record<string, Schema>;

/** What a schema lets through. */
export type Static<S extends Schema> = S extends Schema<infer T> ? T : never;

type OptionalKeys<P> = { [K in keyof P]: P[K] extends { readonly [OPTIONAL]: true } ? K : never }[keyof P];
type Shape<P extends Properties> = { [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]> } & {
  [K in OptionalKeys<P>]?: Static<P[K]>;
};

/** No list and no text of a real site comes near; guards against a file that is no configuration. */
const LIST_ENTRIES_MAX = 64;
const TEXT_CHARS_MAX = 256;

/** Where a secret is to be had: never in the file itself. Read by `secrets.ts`. */
export type Secret = { file: string } | { env: string };

/** An object that takes no other keys. Keys with a default may be left out, and are always there once loaded. */
export function section<P extends Properties>(
  description: string,
  properties: P,
  more: object = {},
): Schema<Shape<P>> {
  const required = Object.entries(properties)
    .filter(([, schema]) => !(OPTIONAL in schema) && !("default" in schema))
    .map(([key]) => key);
  return { type: "object", required, properties, description, additionalProperties: false, ...more };
}

/** A key that may be left out. */
export function optional<T>(schema: Schema<T>): Optional<T> {
  return { ...schema, [OPTIONAL]: true };
}

export function text(description: string, more: object = {}): Schema<string> {
  return { type: "string", description, minLength: 1, maxLength: TEXT_CHARS_MAX, ...more };
}

/** A text of a form, which is a `T` once loaded. */
export function formed<T = string>(
  description: string,
  form: FormName,
  more: object = {},
): Schema<NoInfer<T>> {
  return { type: "string", description, "x-form": form, ...more };
}

export function integer(
  description: string,
  limits: { minimum: number; maximum: number },
  more: object = {},
): Schema<number> {
  return { type: "integer", description, ...limits, ...more };
}

export function choice<const T extends readonly (string | number)[]>(
  description: string,
  values: T,
  more: object = {},
): Schema<T[number]> {
  return { description, enum: [...values], ...more };
}

export function yesOrNo(description: string): Schema<boolean> {
  return { type: "boolean", description, default: false };
}

export function list<T>(description: string, items: Schema<T>, more: object = {}): Schema<T[]> {
  return { type: "array", items, description, maxItems: LIST_ENTRIES_MAX, ...more };
}

export function id(description: string, more: object = {}): Schema<string> {
  return {
    type: "string",
    description,
    pattern: "^[a-z0-9][a-z0-9-]{0,39}$",
    "x-allowed": "1 to 40 of a-z, 0-9 and -, not beginning with -",
    ...more,
  };
}

const SECRET_ALLOWED = "{ file: PATH } or { env: NAME }, never the secret itself";

export function secret(description: string): Schema<Secret> {
  return section(
    description,
    {
      file: optional(
        formed("A file only its owner may read (mode 0600), holding the secret on one line.", "path"),
      ),
      env: optional(
        text("The name of an environment variable that holds the secret.", {
          pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
          "x-allowed": "the name of an environment variable",
        }),
      ),
    },
    { minProperties: 1, maxProperties: 1, "x-allowed": SECRET_ALLOWED },
  ) as Schema as Schema<Secret>;
}

export function tls(description: string) {
  return section(
    description,
    {
      ca: optional(
        formed("PEM file of the authorities that are trusted; the system's where it is left out.", "path"),
      ),
      cert: optional(formed("PEM file of this gateway's own certificate.", "path")),
      key: optional(formed("PEM file of the private key of `cert`.", "path")),
    },
    { dependencies: { cert: ["key"], key: ["cert"] } },
  );
}

type Variant<T extends Record<string, Properties>, Common extends Properties> = {
  [D in keyof T & string]: { driver: D } & Shape<Common> & Shape<T[D]>;
}[keyof T & string];

/** One object for each driver, told apart by `driver` alone: a wrong key is one fault, not one for each driver. */
export function variants<T extends Record<string, Properties>, C extends Properties>(
  what: string,
  table: T,
  common: C,
): Schema<Variant<T, C>> {
  return {
    type: "object",
    description: what,
    "x-allowed": `keys, with driver one of ${Object.keys(table).join(", ")}`,
    discriminator: { propertyName: "driver" },
    oneOf: Object.entries(table).map(([driver, options]) =>
      section(`${what} Driver ${driver}.`, {
        driver: { type: "string", const: driver, description: "Which driver it is." },
        ...common,
        ...options,
      }),
    ),
  };
}
