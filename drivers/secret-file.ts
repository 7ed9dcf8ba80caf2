/**
 * A file that holds a secret, with its mode, so that one open to others can be refused.
 */
import { createHash } from "node:crypto";
import { constants, open } from "node:fs/promises";
import { basename, join } from "node:path";

interface SecretFile {
  content: Uint8Array;
  mode: number;
}

/** systemd keeps what it hands over in memory, for the service alone; the access list it uses for that looks like a group's. */
const CREDENTIAL_MODE = 0o400;
const HASH_CHARS = 12;

/** What a file is called among a service's credentials (systemd.exec(5), LoadCredential): nobody but root need have access to the file itself. */
export function credentialName(path: string): string {
  const hash = createHash("sha256").update(path).digest("hex").slice(0, HASH_CHARS);
  return `${basename(path)
    .replace(/[^A-Za-z0-9_-]/g, "-")
    .slice(0, 64)}-${hash}`;
}

/** As `readFileBytes`; where the service was handed the file by systemd, that. */
export async function readSecretFile(path: string, sizeBytesMax: number): Promise<SecretFile | null> {
  const handed = process.env.CREDENTIALS_DIRECTORY;
  const found =
    handed === undefined ? null : await readFileBytes(join(handed, credentialName(path)), sizeBytesMax);
  return found === null ? readFileBytes(path, sizeBytesMax) : { ...found, mode: CREDENTIAL_MODE };
}

/** The first `sizeBytesMax` bytes of a file and its permission bits, or null when there is none. */
async function readFileBytes(path: string, sizeBytesMax: number): Promise<SecretFile | null> {
  try {
    // A named pipe would be waited for until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new Error("it is a folder, a pipe or a device, not a file");
      const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytesMax), 0, sizeBytesMax, 0);
      return { content: buffer.subarray(0, bytesRead), mode: found.mode & 0o777 };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
