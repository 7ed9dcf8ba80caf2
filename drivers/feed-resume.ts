/** A long transfer that breaks is taken up where it broke (RFC 9110, 14): a list of 100 MB on a mobile line comes in parts. */
import type { IncomingMessage } from "node:http";

/** Less than this is as soon asked for anew, by whoever asked. */
const RESUMED_BYTES_MIN = 64 * 1024;

/** In one transfer; its time is bounded by who reads it. */
const BREAKS_MAX = 8;
const PAUSE_MS_MAX = 15_000;

/** The same file again, with more headers. */
export type AskAgain = (headers: Record<string, string>) => Promise<IncomingMessage>;

/**
 * The body of `first`, and what `again` has of the rest when it breaks. Rejects as the transfer did when it cannot go
 * on. Files of a feed never change under their name: so a server that knows no ranges is asked for all, and what we have is
 * passed over; whether it all fits is seen by the hash.
 */
export async function* resumable(
  first: IncomingMessage,
  again: AskAgain,
  pauseMs: number,
): AsyncGenerator<Uint8Array, void, void> {
  const { etag } = first.headers;
  let reply: IncomingMessage | null = first;
  let haveBytes = 0;
  let cause: unknown = null;
  for (let breaks = 0; ; breaks++) {
    try {
      reply ??= await take(again, haveBytes, etag);
      // All of it again: nothing is handed on twice.
      let skipBytes = reply.statusCode === 200 ? haveBytes : 0;
      for await (const piece of reply as AsyncIterable<Buffer>) {
        const rest = piece.subarray(Math.min(skipBytes, piece.length));
        skipBytes -= piece.length - rest.length;
        haveBytes += rest.length;
        if (rest.length > 0) yield rest;
      }
      return;
    } catch (error) {
      // Why it broke says more than why it did not go on.
      if (error instanceof NoRest) throw cause;
      if (haveBytes < RESUMED_BYTES_MIN || breaks === BREAKS_MAX) throw error;
      cause = error;
    }
    reply = null;
    await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs * 2 ** breaks, PAUSE_MS_MAX)));
  }
}

/** The server has an answer, and it is not the rest. */
class NoRest extends Error {}

async function take(again: AskAgain, haveBytes: number, etag: string | undefined): Promise<IncomingMessage> {
  const isStrong = etag !== undefined && !etag.startsWith("W/");
  const reply = await again({ range: `bytes=${haveBytes}-`, ...(isStrong && { "if-range": etag }) });
  const isRest =
    reply.statusCode === 206 && reply.headers["content-range"]?.startsWith(`bytes ${haveBytes}-`) === true;
  if (isRest || reply.statusCode === 200) return reply;
  reply.destroy();
  throw new NoRest(`the server answers ${reply.statusCode} for the rest`);
}
