/** A target's bytes, hashed in pieces on their way: nobody else sees more than the metadata allows. */
import { createHash } from "node:crypto";
import type { Clock, FeedSource } from "../drivers/ports.ts";
import { type FeedTarget, targetFile } from "./feed-metadata.ts";
import { FeedRefusal } from "./feed-refusal.ts";
import { openFile, timed } from "./feed-workflow.ts";

/** A download slower than this, after a grace, is given up and tried again later (slow retrieval). A poor 2G line does twice this. */
const PACE_BYTES_PER_SECOND_MIN = 2_048;
const GRACE_MS = 60_000;

/**
 * The bytes of `target` as served (gzip). Rejects with `FeedRefusal` as soon as they are more than the metadata says,
 * and at their end when length or hash is wrong; with `FeedUnreachable` when the transfer cannot be had or breaks.
 * Until it ends well, nothing that came out of it may be believed.
 */
export async function* downloadTarget(
  target: FeedTarget,
  { source, clock }: { source: FeedSource; clock: Clock },
): AsyncGenerator<Uint8Array, void, void> {
  const file = targetFile(target);
  const body = await openFile(file, { source, clock });
  if (body === null) {
    throw new FeedRefusal("missing-file", `${source.name} has no ${file}, or does not let us read it`);
  }

  const hash = createHash("sha256");
  const limitMs = GRACE_MS + (target.lengthBytes / PACE_BYTES_PER_SECOND_MIN) * 1000;
  let sizeBytes = 0;
  for await (const piece of timed(body, limitMs, clock, file)) {
    sizeBytes += piece.length;
    if (sizeBytes > target.lengthBytes) {
      throw new FeedRefusal("endless-data", `${file} is longer than its ${target.lengthBytes} bytes`);
    }
    hash.update(piece);
    yield piece;
  }
  if (sizeBytes < target.lengthBytes) {
    throw new FeedRefusal("wrong-length", `${file} has ${sizeBytes} bytes, not ${target.lengthBytes}`);
  }
  if (hash.digest("hex") !== target.sha256) {
    throw new FeedRefusal("wrong-hash", `${file} has another hash than the one signed for it`);
  }
}
