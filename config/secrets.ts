/**
 * Secrets: where the configuration says to look, what is there, or why it may not be used. No message ever
 * holds the secret.
 */
import type { Secret } from "./words.ts";

/** Passwords and keys of 32 hexadecimal digits; anything longer is another file. */
export const SECRET_BYTES_MAX = 4096;
/** Permission bits of group and others. */
const OTHERS_BITS = 0o077;

/** `mode`: the file's permission bits. */
export interface SecretFile {
  content: Uint8Array;
  mode: number;
}

/** The first `sizeBytesMax` bytes of a file and its mode, or null when there is none; rejects when it cannot be read. */
export type ReadSecretFile = (path: string, sizeBytesMax: number) => Promise<SecretFile | null>;

/** `why` is fit to be shown and says what to do. */
export type SecretOutcome = { kind: "secret"; value: string } | { kind: "refused"; why: string };

/** Reads a secret; line ends at its end are no part of it. Never rejects. */
export async function readSecret(
  secret: Secret,
  environment: Readonly<Record<string, string | undefined>>,
  readFile: ReadSecretFile,
): Promise<SecretOutcome> {
  if ("env" in secret) {
    const value = environment[secret.env];
    const where = `the environment variable ${secret.env}`;
    return typeof value === "string" ? accept(value, where) : refused(`${where} is not set`);
  }
  const { file } = secret;
  let found: SecretFile | null;
  try {
    found = await readFile(file, SECRET_BYTES_MAX + 1);
  } catch (error) {
    return refused(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (found === null)
    return refused(`${file} is not there: write the secret into it, then chmod 600 ${file}`);
  if ((found.mode & OTHERS_BITS) !== 0) return refused(`${file} is open to other users: chmod 600 ${file}`);
  if (found.content.length > SECRET_BYTES_MAX)
    return refused(`${file} is longer than ${SECRET_BYTES_MAX} bytes`);
  try {
    return accept(new TextDecoder("utf-8", { fatal: true }).decode(found.content), file);
  } catch {
    return refused(`${file} is not UTF-8 text`);
  }
}

function accept(text: string, where: string): SecretOutcome {
  const value = text.replace(/[\r\n]+$/, "");
  if (value === "") return refused(`${where} is empty`);
  if (/[\r\n\0]/.test(value)) return refused(`${where} holds more than one line`);
  return { kind: "secret", value };
}

function refused(why: string): SecretOutcome {
  return { kind: "refused", why };
}
