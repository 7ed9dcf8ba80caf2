/**
 * lowdb's adapter for the small files a person may read, made durable: each write replaces the file whole and then a
 * copy of it, each synced with its directory. What is damaged or cannot be read is read from the copy, with a word.
 */
import { crc32 } from "node:zlib";
import type { Adapter } from "lowdb";
import type { Files, Log } from "../drivers/ports.ts";

/** The text is `{ "data": …, "check": "…" }`; the check is the CRC-32, in hex, of the bytes up to it. */
const HEAD = '{ "data": ';
const CHECK = ', "check": "';
const TAIL_LENGTH = `${CHECK}00000000" }\n`.length;

export interface DurableFile<T> {
  path: string;
  /** What is larger was not written by us. */
  sizeBytesMax: number;
  /** The value as JSON, in pieces each small enough for one turn of the loop. */
  encode(value: T): Iterable<string>;
  /** The value, or null when this is none of ours. */
  accept(value: unknown): T | null;
}

/**
 * What was found by `read`. `nothing`: there is neither file nor copy. `lost`: there is one or both, and neither can be
 * used.
 */
export type Found = "nothing" | "file" | "copy" | "lost";

type Unusable = { kind: "none" } | { kind: "damaged" | "unreadable"; why: string };

/** `write` resolves once a power cut finds the new value. `read` is null when there is no file that can be used. */
export class DurableAdapter<T> implements Adapter<T> {
  readonly #file: DurableFile<T>;
  readonly #files: Files;
  readonly #log: Log;
  #found: Found = "nothing";

  constructor(file: DurableFile<T>, files: Files, log: Log) {
    this.#file = file;
    this.#files = files;
    this.#log = log;
  }

  /** By the last `read`. */
  get found(): Found {
    return this.#found;
  }

  async read(): Promise<T | null> {
    const { path } = this.#file;
    const main = await this.#readOne(path);
    if (main.kind === "value") {
      this.#found = "file";
      return main.value;
    }
    const copy = await this.#readOne(copyOf(path));
    if (copy.kind === "value") {
      this.#found = "copy";
      this.#log.error(`${path} ${IN_WORDS[main.kind]}, its copy is used`, whyOf(main));
      return copy.value;
    }
    this.#found = main.kind === "none" && copy.kind === "none" ? "nothing" : "lost";
    if (this.#found === "nothing") return null;
    const alike = main.kind === "unreadable" ? "and neither can its copy" : "and so is its copy";
    const too = main.kind === copy.kind ? alike : `and its copy ${IN_WORDS[copy.kind]}`;
    this.#log.error(`${path} ${IN_WORDS[main.kind]}, ${too}: starting without`, {
      ...whyOf(copy),
      ...whyOf(main),
    });
    return null;
  }

  async write(value: T): Promise<void> {
    const { path } = this.#file;
    await this.#files.replace(path, this.#pieces(value));
    // From here on the new value is what a restart finds, whatever becomes of the copy.
    await this.#files.replace(copyOf(path), this.#pieces(value)).catch((error: Error) => {
      this.#log.warn(`the copy of ${path} could not be written`, { why: error.message });
    });
  }

  async *#pieces(value: T): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder();
    let check = 0;
    for (const text of pieces(this.#file.encode(value))) {
      const bytes = encoder.encode(text);
      check = crc32(bytes, check);
      yield bytes;
    }
    yield encoder.encode(`${CHECK}${hex(check)}" }\n`);
  }

  async #readOne(path: string): Promise<{ kind: "value"; value: T } | Unusable> {
    let bytes: Uint8Array | null;
    try {
      bytes = await this.#files.read(path, this.#file.sizeBytesMax);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { kind: code === "EFBIG" ? "damaged" : "unreadable", why: message };
    }
    if (bytes === null) return { kind: "none" };
    const value = this.#parse(bytes);
    return value === null ? { kind: "damaged", why: "not as it was written" } : { kind: "value", value };
  }

  #parse(bytes: Uint8Array): T | null {
    const body = bytes.subarray(0, Math.max(0, bytes.length - TAIL_LENGTH));
    const tail = new TextDecoder().decode(bytes.subarray(body.length));
    if (tail !== `${CHECK}${hex(crc32(body))}" }\n`) return null;
    try {
      const { data } = JSON.parse(`${new TextDecoder().decode(body)} }`) as { data?: unknown };
      return this.#file.accept(data);
    } catch {
      return null;
    }
  }
}

function* pieces(json: Iterable<string>): Generator<string> {
  yield HEAD;
  yield* json;
}

const IN_WORDS = { none: "is gone", damaged: "is damaged", unreadable: "cannot be read" } as const;

function whyOf(unusable: Unusable): { why?: string } {
  return unusable.kind === "none" ? {} : { why: unusable.why };
}

function copyOf(path: string): string {
  return `${path}.copy`;
}

function hex(check: number): string {
  return check.toString(16).padStart(8, "0");
}
