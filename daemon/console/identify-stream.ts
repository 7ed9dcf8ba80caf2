/** The next taps at a reader and every way to read them, as server-sent events, for a technician who has signed in. */
import type { Context } from "hono";
import type { Clock, Timer } from "../../drivers/ports.ts";
import type { Identified } from "../answers/identify.ts";
import { wordsOf } from "../words.ts";
import { refusal, type Visitor } from "./access.ts";

/** For middle boxes that close silent connections. */
const BEAT_MS = 10_000;
/** Taps that a page has not taken; then it is cut off. */
const BYTES_MAX = 64 * 1024;

export interface IdentifyRooms {
  clock: Clock;
  /** Until the returned function is called, with tokens in no clear form. Throws, in words, where that reader cannot be watched. */
  identify(reader: string, tell: (identified: Identified) => void): () => void;
}

export function identifyStream(c: Context<Visitor>, rooms: IdentifyRooms, reader: string): Response {
  const { outgoing } = c.env;
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  let beating: Timer | null = null;
  let stop = (): void => {};
  const end = (): void => {
    beating?.cancel();
    stop();
    controller = null;
  };
  const send = (text: string): void => {
    if (controller === null) return;
    // What it tells is for who has signed in, and for as long.
    if ((controller.desiredSize ?? 0) <= 0 || !c.var.isStillIn()) outgoing.destroy();
    else controller.enqueue(Buffer.from(text));
  };
  const beat = (): void => {
    beating = rooms.clock.after(BEAT_MS, beat);
    send(": still here\n\n");
  };
  try {
    stop = rooms.identify(reader, (identified) =>
      send(`event: identified\ndata: ${JSON.stringify(tellable(identified))}\n\n`),
    );
  } catch (error) {
    throw refusal(422, wordsOf(error), "not-watched");
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(opened) {
        controller = opened;
        send(": tap a card\n\n");
      },
      cancel: end,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BYTES_MAX }),
  );
  beat();
  outgoing.once("close", end);
  return c.body(body, 200, { "Content-Type": "text/event-stream" });
}

function tellable({ sight, ways, leftOut }: Identified) {
  return { time: sight.time, kind: sight.kind, ways, leftOut };
}
