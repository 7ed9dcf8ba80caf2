/**
 * A file that holds a secret, with its mode, so that one open to others can be refused.
 */
import { open } from "node:fs/promises";

/** The first `sizeBytesMax` bytes of a file and its permission bits, or null when there is none. */
export async function readSecretFile(
  path: string,
  sizeBytesMax: number,
): Promise<{ content: Uint8Array; mode: number } | null> {
  try {
    const file = await open(path, "r");
    try {
      const { mode } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytesMax), 0, sizeBytesMax, 0);
      return { content: buffer.subarray(0, bytesRead), mode: mode & 0o777 };
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
