/**
 * The physical limit of "written down": one append and one fdatasync of the same bytes, as the plainest program does it.
 */
import { open } from "node:fs/promises";

export interface BareAppend {
  /** Milliseconds from the call to the bytes being on stable storage. */
  measure(): Promise<number>;
  close(): Promise<void>;
}

export async function openBareAppend(path: string, sizeBytes: number): Promise<BareAppend> {
  const file = await open(path, "a", 0o600);
  const line = Buffer.alloc(sizeBytes, "x");
  return {
    async measure() {
      const startMs = performance.now();
      await file.write(line);
      await file.datasync();
      return performance.now() - startMs;
    },
    close: () => file.close(),
  };
}
