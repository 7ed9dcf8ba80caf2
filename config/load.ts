/**
 * From a file's text to a configuration, or to every fault in it at once.
 */
import { dirname, resolve } from "node:path";
import { crossCheck } from "./checks.ts";
import type { Drivers } from "./device-checks.ts";
import { type Finding, readYaml } from "./document.ts";
import { type Complaint, explain, type Fault, showPath } from "./faults.ts";
import { FORMS } from "./forms.ts";
import type { Configuration } from "./schema.ts";
import { type FormReader, VALIDATORS } from "./validator.ts";

/** The largest site's file has a few tens of KiB. */
export const FILE_BYTES_MAX = 1024 * 1024;
/** Nobody reads more; a file that is something else altogether must not fill a terminal. */
const FAULTS_MAX = 100;

/** `faults` is never empty, and sorted by position. A warning does not keep the gateway from running. */
export type LoadResult =
  | { kind: "loaded"; configuration: Configuration; warnings: Fault[] }
  | { kind: "faults"; faults: Fault[] };

/** The whole file, or null when there is none; rejects when it cannot be read or is larger than `sizeBytesMax`. */
export type ReadFile = (path: string, sizeBytesMax: number) => Promise<Uint8Array | null>;

/** Reads the configuration at `file`. Never rejects: a file that cannot be read is a fault, too. */
export async function loadConfiguration(file: string, read: ReadFile, drivers: Drivers): Promise<LoadResult> {
  let bytes: Uint8Array | null;
  try {
    bytes = await read(file, FILE_BYTES_MAX);
  } catch (error) {
    return unreadable(error instanceof Error ? error.message : String(error));
  }
  if (bytes === null) return unreadable("there is no such file");
  if (bytes.length > FILE_BYTES_MAX) return unreadable(`it is larger than ${FILE_BYTES_MAX} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return unreadable("it is not UTF-8");
  }
  return parseConfiguration(text, resolve(dirname(file)), drivers);
}

/** Reads a configuration from `text`; relative paths in it count from `folder`. Never throws. */
export function parseConfiguration(text: string, folder: string, drivers: Drivers): LoadResult {
  const yaml = readYaml(text);
  if (yaml.kind === "broken") return { kind: "faults", faults: locate(yaml.findings, text) };
  const { value, findings, offsets } = yaml;
  const place = ({ pointer, at, message }: Complaint): Finding => ({
    offset: offsets[at](pointer),
    pointer,
    message,
  });

  const complaints = validate(value, folder);
  const unsound = new Set(complaints.flatMap(({ pointer }) => withParents(pointer)));
  const cross = crossCheck({ value, isSound: (pointer) => !unsound.has(pointer) }, drivers);
  const faults = locate([...findings, ...[...complaints, ...cross.faults].map(place)], text);
  if (faults.length > 0) return { kind: "faults", faults };
  const warnings = locate(cross.warnings.map(place), text);
  return { kind: "loaded", configuration: value as Configuration, warnings };
}

/** Fills in defaults and converts texts of a form, in place; one complaint at most for each place. */
function validate(value: unknown, folder: string): Complaint[] {
  const { configuration } = VALIDATORS;
  if (configuration.call(formReader(folder), value)) return [];
  const complaints = new Map<string, Complaint>();
  for (const error of configuration.errors ?? []) {
    const complaint = explain(error);
    if (complaint !== null && !complaints.has(complaint.pointer))
      complaints.set(complaint.pointer, complaint);
  }
  return [...complaints.values()];
}

function formReader(folder: string): FormReader {
  return {
    convert(form, data, parent, key) {
      if (typeof data !== "string" && typeof data !== "number") return true;
      const outcome = FORMS[form].read(String(data), folder);
      if (outcome.kind === "wrong") return false;
      parent[key] = outcome.value;
      return true;
    },
  };
}

/** `/a/b` as "", `/a` and `/a/b`. */
function withParents(pointer: string): string[] {
  const keys = pointer.split("/");
  return keys.map((_, index) => keys.slice(0, index + 1).join("/"));
}

function unreadable(why: string): LoadResult {
  const message = `cannot be read: ${why}, allowed: a YAML file in UTF-8`;
  return { kind: "faults", faults: [{ line: 1, column: 1, path: showPath(""), message }] };
}

/** In the order of the file, with lines and columns, and no more than anyone reads. */
function locate(findings: readonly Finding[], text: string): Fault[] {
  const sorted = findings.toSorted((a, b) => a.offset - b.offset);
  const rest = sorted.splice(FAULTS_MAX);
  if (rest[0] !== undefined)
    sorted.push({ ...rest[0], pointer: "", message: `has ${rest.length} more faults` });
  let line = 1;
  let lineStart = 0;
  return sorted.map(({ offset, pointer, message }) => {
    const place = Math.min(offset, text.length);
    for (
      let end = text.indexOf("\n", lineStart);
      end >= 0 && end < place;
      end = text.indexOf("\n", lineStart)
    ) {
      line += 1;
      lineStart = end + 1;
    }
    return { line, column: place - lineStart + 1, path: showPath(pointer), message };
  });
}
