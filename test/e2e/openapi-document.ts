/** `docs/openapi.yaml`, and whether an answer is as it says. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";

interface Answer {
  $ref?: string;
  content?: Record<string, { schema: object }>;
}

interface Operation {
  responses: Record<string, Answer>;
}

const METHODS = ["get", "post", "put", "patch", "delete"];

export const document = parse(readFileSync("docs/openapi.yaml", "utf8"));

const paths = document.paths as Record<string, Record<string, Operation>>;

/** Each as `GET /api/taps`. */
export const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.keys(methods)
    .filter((method) => METHODS.includes(method))
    .map((method) => `${method.toUpperCase()} ${path}`),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema(document, "openapi");

/** What may be answered to an operation, by status. */
export function answersOf(operation: string): Record<string, Answer> {
  const [method = "", path = ""] = operation.split(" ");
  return paths[path]?.[method.toLowerCase()]?.responses ?? {};
}

/** The faults of a value that is said to be what stands at `pointer` in the document. */
export function faultsOf(value: unknown, pointer: string): unknown {
  const validate = ajv.compile({ $ref: `openapi#${pointer}` });
  return validate(value) ? [] : validate.errors;
}

/** What came in answer to an operation, and what of it is not as the document says. */
export async function readAnswer(
  operation: string,
  response: Response,
  // biome-ignore lint/suspicious/noExplicitAny: the document says what is in it, and it is held against it
): Promise<{ body: any; faults: unknown }> {
  const status = String(response.status);
  const type = (response.headers.get("content-type") ?? "").split(";")[0]!;
  const body = type === "application/json" ? await response.json() : await response.text();
  const answer = answersOf(operation)[status];
  if (answer === undefined) return { body, faults: [`${operation} does not document ${status}`] };
  const [method = "", path = ""] = operation.split(" ");
  const place = pointerOf(["paths", path, method.toLowerCase(), "responses", status]);
  const at = answer.$ref === undefined ? place : answer.$ref.slice(1);
  return { body, faults: faultsOf(body, `${at}${pointerOf(["content", type, "schema"])}`) };
}

function pointerOf(parts: readonly string[]): string {
  return parts
    .map((part) => `/${encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))}`)
    .join("");
}
