/**
 * What the console's pages see as it happens, as server-sent events: `status` at once and at every beat, `tap` for
 * each decided tap, `missed` where taps were too many to show. A page that was cut off asks `/api/taps` for the rest.
 */
import type { Clock, Timer } from "../../drivers/ports.ts";
import type { TapView } from "../gateway.ts";
import { maskCards } from "../mask.ts";
import { type Reason, TEXTS } from "../reasons.ts";
import type { Status } from "../status.ts";

/** Pages that are open at once on one gateway. */
const CLIENTS_MAX = 32;
/** A page that has not taken this much is cut off, and comes back when it can. */
const CLIENT_BYTES_MAX = 256 * 1024;
/** Often enough for eyes and for middle boxes that close silent connections. */
const BEAT_MS = 10_000;
/** Taps are handed on together, away from the tap's own way to the relay. */
const FLUSH_MS = 50;
/** More taps than this within one flush are counted, not shown. */
const PENDING_TAPS_MAX = 256;
/** How soon a browser comes back after the gateway's restart. */
const RETRY_MS = 2_000;

/** A tap as `tap` carries it. */
export interface LiveTap {
  accessPoint: string;
  reader: string;
  /** RFC 3339, UTC. */
  time: string;
  card: string | null;
  granted: boolean;
  reason: Reason;
  texts: { sv: string; en: string };
}

export interface Live {
  /**
   * A stream for one page, until `closed` is called; null when too many are open. `signedIn`: with whole card numbers.
   * `hangUp` cuts the page's connection.
   */
  open(signedIn: boolean, hangUp: () => void): { body: ReadableStream<Uint8Array>; closed(): void } | null;
  /** Returns at once. */
  tapped(tap: TapView): void;
}

interface Client {
  signedIn: boolean;
  hangUp(): void;
  controller: ReadableStreamDefaultController<Uint8Array>;
}

export function createLive(clock: Clock, status: () => Status): Live {
  const clients = new Set<Client>();
  let pending: TapView[] = [];
  let missed = 0;
  let flushing: Timer | null = null;
  let beating: Timer | null = null;

  const forget = (client: Client): void => {
    if (clients.delete(client) && clients.size === 0) rest();
  };
  const rest = (): void => {
    flushing?.cancel();
    beating?.cancel();
    flushing = null;
    beating = null;
    pending = [];
    missed = 0;
  };
  const send = (text: string): void => {
    const whole = Buffer.from(text);
    const masked = Buffer.from(maskCards(text));
    for (const client of [...clients]) {
      if ((client.controller.desiredSize ?? 0) <= 0) client.hangUp();
      else client.controller.enqueue(client.signedIn ? whole : masked);
    }
  };
  const beat = (): void => {
    beating = clock.after(BEAT_MS, beat);
    send(message("status", status()));
  };
  const flush = (): void => {
    flushing = null;
    const told = pending.map((tap) => message("tap", liveTap(tap)));
    if (missed > 0) told.push(message("missed", { count: missed }));
    pending = [];
    missed = 0;
    send(told.join(""));
  };
  return {
    open(signedIn, hangUp) {
      if (clients.size >= CLIENTS_MAX) return null;
      let closed = (): void => {};
      const body = new ReadableStream<Uint8Array>(
        {
          start(controller) {
            const client = { signedIn, hangUp, controller };
            closed = () => forget(client);
            clients.add(client);
            const hello = `retry: ${RETRY_MS}\n\n${message("status", status())}`;
            controller.enqueue(Buffer.from(signedIn ? hello : maskCards(hello)));
          },
          cancel: () => closed(),
        },
        new ByteLengthQueuingStrategy({ highWaterMark: CLIENT_BYTES_MAX }),
      );
      beating ??= clock.after(BEAT_MS, beat);
      return { body, closed };
    },
    tapped(tap) {
      if (clients.size === 0) return;
      if (pending.length < PENDING_TAPS_MAX) pending.push(tap);
      else missed += 1;
      flushing ??= clock.after(FLUSH_MS, flush);
    },
  };
}

export function liveTap({ accessPoint, reader, time, decision }: TapView): LiveTap {
  const { card, granted, reason } = decision;
  return { accessPoint, reader, time, card, granted, reason, texts: { ...TEXTS[reason] } };
}

/** JSON has no line feed of its own, so one `data` line holds it. */
function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
