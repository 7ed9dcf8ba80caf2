/**
 * Faults as people read them: `FILE:LINE:COL: path: what is wrong, what is allowed`. A text that a site wrote is
 * shown only where it cannot be a secret.
 */
import type { ErrorObject } from "ajv";
import { escapePointer } from "./document.ts";
import { FORMS, type FormName } from "./forms.ts";

/** `line` and `column` (in UTF-16 units) count from 1. `path` is like `accessPoints[0].relay.pulseMs`; of the whole file, `(file)`. */
export interface Fault {
  line: number;
  column: number;
  path: string;
  message: string;
}

/** A fault that does not know yet where it stands. `at`: whether the key or the value is meant. */
export interface Complaint {
  /** JSON Pointer (RFC 6901). */
  pointer: string;
  at: "key" | "value";
  message: string;
}

/** What faults need of a schema; the keywords are those of `schema.ts`. */
export interface Described {
  type?: string | string[];
  enum?: readonly unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Described>;
  "x-form"?: FormName;
  "x-allowed"?: string;
}

/** Values longer than this are cut in a fault. */
const SHOWN_CHARS_MAX = 40;
const NAMES_SHOWN_MAX = 12;

/** One line, fit for a terminal whatever the file holds. */
export function formatFault(file: string, fault: Fault): string {
  const line = `${file}:${fault.line}:${fault.column}: ${fault.path}: ${fault.message}`;
  return line.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?");
}

/** `/accessPoints/0/relay` as `accessPoints[0].relay`. */
export function showPath(pointer: string): string {
  const keys = pointer.split("/").slice(1);
  if (keys.length === 0) return "(file)";
  return keys
    .map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key.replaceAll("~1", "/").replaceAll("~0", "~")}`))
    .join("")
    .replace(/^\./, "");
}

/** An error of ajv (run with `verbose`) in our words; null for one that only repeats another. */
export function explain(error: ErrorObject): Complaint | null {
  const pointer = error.instancePath;
  const schema = error.parentSchema as Described;
  const complain = (what: string, allowed = describe(schema)): Complaint => ({
    pointer,
    at: "value",
    message: `${what}, allowed: ${allowed}`,
  });
  switch (error.keyword) {
    case "if":
      return null;
    case "required":
      return missing(pointer, error.params.missingProperty, schema);
    case "dependencies": {
      const { property, missingProperty } = error.params;
      return missing(pointer, missingProperty, schema, ` beside ${property}`);
    }
    case "additionalProperties": {
      const key: string = error.params.additionalProperty;
      const known = Object.keys(schema.properties ?? {});
      const message = `is an unknown key${didYouMean(key, known)}, allowed: ${known.join(", ")}`;
      return { pointer: `${pointer}/${escapePointer(key)}`, at: "key", message };
    }
    case "discriminator":
      return explainDriver(error);
    case "type":
      return complain(wrongType(error.data, schema));
    case "enum":
      return complain(`is ${show(error.data)}${didYouMean(error.data, schema.enum ?? [])}`);
    case "minimum":
    case "maximum":
      return complain(`is ${show(error.data)}`);
    case "minItems":
      return complain("is an empty list", "at least one entry");
    case "maxItems":
      return complain("has too many entries", `at most ${error.params.limit}`);
    case "uniqueItems":
      return complain("holds the same twice", "each once");
    case "minLength":
      return complain("is an empty text");
    case "maxLength":
      return complain("is too long", `at most ${error.params.limit} characters`);
    case "x-form": {
      const outcome = FORMS[error.schema as FormName].read(String(error.data), "/");
      return complain(outcome.kind === "wrong" ? outcome.what : "is wrong");
    }
    default:
      return complain("is not of the right form");
  }
}

/** Which of `known` was meant, as " (did you mean …?)", or nothing. */
export function didYouMean(written: unknown, known: readonly unknown[]): string {
  if (typeof written !== "string" || written.length > SHOWN_CHARS_MAX) return "";
  let best = { word: "", distance: Math.min(3, Math.ceil(written.length / 2)) };
  for (const word of known.map(String)) {
    const distance = editDistance(written.toLowerCase(), word.toLowerCase());
    if (distance < best.distance) best = { word, distance };
  }
  return best.word === "" ? "" : ` (did you mean ${best.word}?)`;
}

/** Names a site gave, in a row that fits a line. */
export function enumerate(names: readonly string[]): string {
  return names.length > NAMES_SHOWN_MAX
    ? `${names.slice(0, NAMES_SHOWN_MAX).join(", ")}, …`
    : names.join(", ");
}

function missing(pointer: string, key: string, schema: Described, beside = ""): Complaint {
  const allowed = describe(schema.properties?.[key] ?? {});
  return { pointer: `${pointer}/${key}`, at: "value", message: `is missing${beside}, allowed: ${allowed}` };
}

function explainDriver(error: ErrorObject): Complaint {
  const branches = (error.parentSchema as { oneOf: { properties: { driver: { const: string } } }[] }).oneOf;
  const drivers = branches.map((branch) => branch.properties.driver.const);
  const pointer = `${error.instancePath}/driver`;
  const { tagValue } = error.params;
  const what = tagValue === undefined ? "is missing" : `is ${show(tagValue)}${didYouMean(tagValue, drivers)}`;
  return { pointer, at: "value", message: `${what}, allowed: ${drivers.join(", ")}` };
}

function wrongType(data: unknown, { type }: Described): string {
  switch (typeof data) {
    case "number":
      if (type === "string") return "is a number and must be put in quotes";
      return type === "integer" ? `is ${data}` : "is a number";
    case "boolean":
      return type === "string" ? "is true or false and must be put in quotes" : "is true or false";
    case "string":
      return type === "integer" && /^\d+$/.test(data) ? "is a text and must not be in quotes" : "is a text";
    default:
      if (data === null) return "is empty";
      return Array.isArray(data) ? "is a list" : "has keys of its own";
  }
}

/** What a schema allows, in a few words. */
export function describe(schema: Described): string {
  if (schema["x-allowed"] !== undefined) return schema["x-allowed"];
  if (schema["x-form"] !== undefined) return FORMS[schema["x-form"]].allowed;
  if (schema.enum !== undefined) return schema.enum.join(", ");
  if (schema.const !== undefined) return String(schema.const);
  switch (schema.type) {
    case "integer":
      return `a whole number from ${schema.minimum} to ${schema.maximum}`;
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "object":
      return `the keys ${Object.keys(schema.properties ?? {}).join(", ")}`;
    default:
      return "a text";
  }
}

function show(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "nothing");
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

/** Letters to insert, remove or change to make one of the other (Levenshtein), row by row. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (from[i] === to[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[to.length]!;
}
