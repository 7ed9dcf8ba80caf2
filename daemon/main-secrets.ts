/** What a configuration only refers to: passwords, keys and certificates, read when the gate is put together. */
import type { Configuration, TlsFiles } from "../config/schema.ts";
import { readSecret } from "../config/secrets.ts";
import type { Secret } from "../config/words.ts";
import type { Files } from "../drivers/ports.ts";
import { readSecretFile } from "../drivers/secret-file.ts";
import { pathsOf } from "./data-paths.ts";
import { keptInside, parseTokenKey, TOKEN_KEY_WORDS, type TokenKeys } from "./token-key.ts";

/** Something a person can mend keeps the daemon from starting. */
export class CannotStart extends Error {
  /** CONTRACT 2: 1 failed, 2 configuration. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

interface Credentials {
  username?: string;
  password?: string;
  tls?: { ca?: string; cert?: string; key?: string };
}

/** Reads what a section of the configuration refers to. `section`: its name, for messages. */
export async function credentialsOf(
  section: string,
  options: { username?: string; password?: Secret; tls?: TlsFiles },
  files: Files,
): Promise<Credentials> {
  const credentials: Credentials = {};
  if (options.username !== undefined) credentials.username = options.username;
  if (options.password !== undefined)
    credentials.password = await secretOf(`${section}.password`, options.password);
  if (options.tls !== undefined) credentials.tls = await tlsOf(`${section}.tls`, options.tls, files);
  return credentials;
}

/** `path`: where the configuration refers to it, for messages. */
export async function secretOf(path: string, secret: Secret): Promise<string> {
  const outcome = await readSecret(secret, process.env, readSecretFile);
  if (outcome.kind === "refused") throw new CannotStart(`${path}: ${outcome.why}`, 2);
  return outcome.value;
}

/** Null where none is configured and none was made in `dataDir` yet. */
export async function tokenKeysOf(
  { cards, dataDir }: Configuration,
  files: Files,
): Promise<TokenKeys | null> {
  const path = pathsOf(dataDir).tokenKey;
  if (cards.tokenKey === undefined) {
    const inside = await keptInside(path, files);
    return inside === null ? null : { own: inside, before: null };
  }
  const own = parseTokenKey(await secretOf("cards.tokenKey", cards.tokenKey));
  if (own === null) throw new CannotStart(`cards.tokenKey: not ${TOKEN_KEY_WORDS}`, 2);
  // What cannot be read there must keep no gate shut that has another key.
  return { own, before: await keptInside(path, files).catch(() => null) };
}

const PEM_BYTES_MAX = 1024 * 1024;

async function tlsOf(path: string, tls: TlsFiles, files: Files): Promise<NonNullable<Credentials["tls"]>> {
  const pem: NonNullable<Credentials["tls"]> = {};
  for (const part of ["ca", "cert", "key"] as const) {
    const file = tls[part];
    if (file === undefined) continue;
    // Of the three only the key is a secret, which systemd may have handed over.
    const read =
      part === "key"
        ? readSecretFile(file, PEM_BYTES_MAX).then((found) => found?.content ?? null)
        : files.read(file, PEM_BYTES_MAX);
    const bytes = await read.catch((error: Error) => {
      throw new CannotStart(`${path}.${part}: ${file}: ${error.message}`, 2);
    });
    if (bytes === null) throw new CannotStart(`${path}.${part}: ${file} is not there`, 2);
    pem[part] = Buffer.from(bytes).toString("utf8");
  }
  return pem;
}
